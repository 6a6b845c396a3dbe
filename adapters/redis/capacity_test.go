package redisadapter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/adapters/internal/capacity"
	redisadapter "github.com/parleyws/parley/adapters/redis"
)

// What package capacity says of three nodes holds for three real ones: how many of them read
// an event, that the others don't, and how much Redis sends.
func TestCapacity(t *testing.T) {
	const rooms = 500
	fleet := capacity.Fleet{Nodes: 3, Room: 2}
	way := capacity.Ways[0]
	server := brokertest.Redis(t)
	random := rand.New(rand.NewPCG(3, 3))
	var nodes []*node
	var users []*user
	in := make([][]string, fleet.Nodes) // the rooms of each node's user
	for room := range rooms {
		var here [3]bool
		for range fleet.Room {
			here[random.IntN(fleet.Nodes)] = true
		}
		for i, member := range here {
			if member {
				in[i] = append(in[i], fmt.Sprint("room ", room))
			}
		}
	}
	reached := 0
	for i := range fleet.Nodes {
		nodes = append(nodes, newNode(t, newClient(t, server.Addr()), redisadapter.Options{}))
		users = append(users, nodes[i].join("/", in[i]...))
		reached += len(in[i])
	}
	// Each of 500 rooms is on one node or on two: five standard deviations are 0.1.
	predicted := fleet.Simulate(random, 20_000)
	if got := float64(reached) / rooms; math.Abs(got-predicted.Reached) > 0.1 {
		t.Errorf("a room is on %.2f nodes, simulated are %.2f", got, predicted.Reached)
	}

	before, sent := make([]int64, fleet.Nodes), output(t, server)
	for i, n := range nodes {
		before[i] = n.broker.Stats().Received
	}
	text := strings.Repeat("x", 60) // the event has 150 bytes then
	for room := range rooms {
		check(t, nodes[0].io.To(fmt.Sprint("room ", room)).Emit("e", text, room))
	}
	for i, u := range users {
		for _, name := range in[i] {
			u.want(fmt.Sprintf("e %q %s", text, strings.TrimPrefix(name, "room ")))
		}
	}
	sent = output(t, server) - sent
	want := float64(rooms) * predicted.Reached * float64(way.Bytes)
	t.Logf("Redis has sent %.0f bytes for each event and node, expected are %d", sent/float64(reached), way.Bytes)
	if math.Abs(sent-want) > want/5 {
		t.Errorf("Redis has sent %.0f bytes, expected are %.0f", sent, want)
	}
	for i, u := range users {
		u.wantNothing(nodes[0], "/")
		if i == 0 {
			continue // it gets its own events, which don't count
		}
		want := int64(len(in[i])) + 1
		got := func() int64 { return nodes[i].broker.Stats().Received - before[i] }
		for end := time.Now().Add(patience); got() < want && time.Now().Before(end); {
			runtime.Gosched() // an event is counted when it is delivered
		}
		if got() != want {
			t.Errorf("node %d has got %d events, of which %d and the mark are for it", i, got(), len(in[i]))
		}
	}
}

// output returns how many bytes a server has sent in all.
func output(t testing.TB, s *brokertest.Server) float64 {
	t.Helper()
	return info(t, s, "stats", "total_net_output_bytes")
}

// info returns a number of those that INFO has.
func info(t testing.TB, s *brokertest.Server, section, name string) float64 {
	t.Helper()
	answer, err := s.Do("INFO", section)
	check(t, err)
	_, rest, _ := strings.Cut(answer.(string), name+":")
	text, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.ParseFloat(text, 64)
	check(t, err)
	return n
}
