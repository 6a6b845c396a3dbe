package redisadapter_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/redis/go-redis/v9"
)

// On a Redis cluster the channels are spread over all servers. Events of each room come in
// order.
func TestShardedCluster(t *testing.T) {
	servers := brokertest.RedisCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: servers.Addrs()})
	t.Cleanup(func() { client.Close() })
	a, b := newShardedNode(t, client, redisadapter.ShardedOptions{}), newShardedNode(t, client, redisadapter.ShardedOptions{})
	var rooms []string
	for i := range 30 {
		rooms = append(rooms, fmt.Sprint("room", i))
	}
	y := b.join("/", rooms...)
	const each = 200
	for i := range each {
		for _, room := range rooms {
			check(t, a.io.To(room).Emit("n", room, i))
		}
	}
	next := make(map[string]int)
	for range each * len(rooms) {
		select {
		case got := <-y.events:
			var room string
			var i int
			if _, err := fmt.Sscanf(got, "n %q %d", &room, &i); err != nil || i != next[room] {
				t.Fatalf("%q, want %d", got, next[room])
			}
			next[room]++
		case <-time.After(patience):
			t.Fatalf("missing: %v", next)
		}
	}
	for i, s := range servers.Masters {
		if len(channels(t, s)) < 5 {
			t.Errorf("server %d has %q", i, channels(t, s))
		}
	}
	ctx := within(t, patience)
	if n, err := a.io.Nodes(ctx); n != 2 || err != nil {
		t.Errorf("%d nodes, %v", n, err)
	}
	if list, err := a.io.In("room3").FetchSockets(ctx); err != nil || len(list) != 1 || list[0].ID != y.id {
		t.Errorf("%v, %v", list, err)
	}
	if s := a.broker.Stats(); s.Dropped+s.Refused+s.Gaps != 0 {
		t.Errorf("%+v", s)
	}
	moved(t, servers, client, a, b, y)
}

// moved moves the slot of a channel to another server. The channel follows.
func moved(t *testing.T, servers *brokertest.Cluster, client *redis.ClusterClient, a, b *node, y *user) {
	const channel = "socket.io#/#room7#"
	ctx := within(t, patience)
	slot, err := client.ClusterKeySlot(ctx, channel).Result()
	check(t, err)
	owner, err := client.MasterForKey(ctx, channel)
	check(t, err)
	to := slices.IndexFunc(servers.Masters, func(s *brokertest.Server) bool { return !same(s.Addr(), owner.Options().Addr) })
	id, err := servers.Masters[to].Do("CLUSTER", "MYID")
	check(t, err)
	// First the server that takes the slot, which then has the last word.
	order := []*brokertest.Server{servers.Masters[to]}
	for i, s := range servers.Masters {
		if i != to {
			order = append(order, s)
		}
	}
	for _, s := range order {
		_, err := s.Do("CLUSTER", "SETSLOT", fmt.Sprint(slot), "NODE", id.(string))
		check(t, err)
	}
	begin := time.Now()
	for i := 0; ; i++ {
		check(t, a.io.To("room7").Emit("moved", i))
		select {
		case got := <-y.events:
			if !strings.HasPrefix(got, "moved ") {
				t.Fatalf("got %q", got)
			}
		case <-time.After(20 * time.Millisecond):
			if time.Since(begin) > patience {
				t.Fatal("the channel has not followed")
			}
			continue
		}
		break
	}
	if !slices.Contains(channels(t, servers.Masters[to]), channel) {
		t.Error("it is not there")
	}
	_ = b
}

func same(a, b string) bool {
	_, p, _ := net.SplitHostPort(a)
	_, q, _ := net.SplitHostPort(b)
	return p == q
}

// A server of the cluster that is killed and comes back takes its channels back.
func TestShardedServerKilled(t *testing.T) {
	servers := brokertest.RedisCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: servers.Addrs()})
	t.Cleanup(func() { client.Close() })
	a, b := newShardedNode(t, client, redisadapter.ShardedOptions{}), newShardedNode(t, client, redisadapter.ShardedOptions{})
	y := b.join("/", "blue")
	owner, err := client.MasterForKey(t.Context(), "socket.io#/#blue#")
	check(t, err)
	i := slices.IndexFunc(servers.Masters, func(s *brokertest.Server) bool { return same(s.Addr(), owner.Options().Addr) })
	sent := 0
	for range 2 {
		for range 500 {
			check(t, a.io.To("blue").Emit("n", sent))
			sent++
		}
		servers.Masters[i].Kill()
		for range 500 {
			check(t, a.io.To("blue").Emit("n", sent))
			sent++
		}
		servers.Masters[i].Restart()
		if _, err := servers.Masters[i].Do("CLUSTER", "MYID"); err != nil {
			t.Fatal(err)
		}
		// It has forgotten the cluster, or not, as its folder says.
		servers.AwaitOK(t)
		a.ready()
		b.ready()
	}
	check(t, a.io.To("blue").Emit("end"))
	came := y.numbered()
	a.ready() // it knows what has become of all that it has sent
	t.Logf("%d of %d came; %+v; %+v", came, sent, a.broker.Stats(), b.broker.Stats())
	if s := a.broker.Stats(); int(s.Published+s.Dropped) != sent+1 || b.broker.Stats().Gaps < 2 {
		t.Errorf("%+v, %+v", s, b.broker.Stats())
	}
}

// Nodes start while the cluster is away; what is emitted meanwhile waits.
func TestShardedStartAlone(t *testing.T) {
	servers := brokertest.RedisCluster(t)
	proxies := make(map[string]*brokertest.Proxy)
	for _, s := range servers.Masters {
		p := brokertest.NewProxy(t, s.Addr())
		p.Refuse()
		proxies[s.Addr()] = p
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: servers.Addrs(),
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, proxies[addr].Addr())
		},
	})
	t.Cleanup(func() { client.Close() })
	a, b := newShardedNode(t, client, redisadapter.ShardedOptions{}), newShardedNode(t, client, redisadapter.ShardedOptions{})
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.broker.Ready(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ready: %v", err)
	}
	begin := time.Now()
	check(t, a.io.Emit("early"))
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("an event has waited %v", d)
	}
	for _, p := range proxies {
		p.Accept()
	}
	a.ready()
	b.ready()
	y := b.join("/", "blue")
	check(t, a.io.To("blue").Emit("late"))
	y.want("late")
	if s := a.broker.Stats(); s.Dropped != 0 || s.Published == 0 {
		t.Errorf("%+v", s)
	}
}

// numbered reads numbered events up to "end" and returns how many have come, in order and
// none twice.
func (u *user) numbered() (came int) {
	u.t.Helper()
	last := -1
	for {
		select {
		case got := <-u.events:
			if got == "end" {
				return came
			}
			var i int
			if _, err := fmt.Sscanf(got, "n %d", &i); err != nil || i <= last {
				u.t.Fatalf("%q after %d", got, last)
			}
			last = i
			came++
		case <-time.After(patience):
			u.t.Fatalf("nothing after %d", last)
		}
	}
}
