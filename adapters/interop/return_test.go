package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/adapters/redisstreams"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A traveller is a client that goes from one server to another one. What it sends with its
// CONNECT there is what the JavaScript client would send.
type traveller struct {
	*socketio.Client
	mu     sync.Mutex
	events []string
	offset string // of the last event
}

func travel(t *testing.T, to node, pid, offset string) *traveller {
	t.Helper()
	v := new(traveller)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := socketio.Dial(ctx, to.url(), &socketio.DialOptions{
		Setup: func(s *socketio.Client) {
			s.OnEvent("n", func(e *socketio.Event) error {
				args, err := e.Args()
				if err != nil || len(args) != 2 {
					return fmt.Errorf("event %v, %w", args, err)
				}
				v.mu.Lock()
				defer v.mu.Unlock()
				v.events = append(v.events, fmt.Sprint(args[0]))
				v.offset, _ = args[1].(string)
				return nil
			})
		},
		Auth:         map[string]any{"pid": pid, "offset": offset},
		Engine:       engineio.DialOptions{Transports: []string{"websocket"}},
		Reconnection: socketio.Reconnection{Off: true},
		Logger:       quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		<-c.Done()
	})
	v.Client = c
	return v
}

// has waits until the events of v are those of want, and returns the last one's offset.
func (v *traveller) has(t *testing.T, want string) (offset string) {
	t.Helper()
	await(t, func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		offset = v.offset
		return strings.Join(v.events, " ") == want
	}, func() string {
		v.mu.Lock()
		defer v.mu.Unlock()
		return fmt.Sprintf("events %q, want %q", v.events, want)
	})
	return offset
}

// await waits for a condition, and fails the test if it does not come.
func await(t *testing.T, is func() bool, what func() string) {
	t.Helper()
	end := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal(what())
		}
	}
}

// A client goes from a server in Go, as if that had been killed, to one in Node, and back,
// each time with its id, rooms and data, and the events that it has missed.
func TestReturn(t *testing.T) {
	needNode(t)
	addr := brokertest.Redis(t).Addr()
	prefix := rand.Text()
	rdb := connect(t, []string{addr})
	b, err := redisstreams.New(rdb, &redisstreams.Options{StreamName: prefix, ChannelPrefix: prefix, SurviveKill: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	here := startOursWith(t, b, socketio.Options{Recovery: &socketio.Recovery{}})
	there := runProcess(t, "--adapter", "streams", "--prefix", prefix, "--redis", addr, "--recovery")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	emit := func(from node, number int) {
		t.Helper()
		if err := from.do(command{Do: "emit", target: target{Rooms: []string{"A"}}, Args: []any{"n", number}}, nil); err != nil {
			t.Fatal(err)
		}
	}

	c := travel(t, here, "", "")
	id := c.ID()
	if _, err := socketio.Call[any](ctx, c.Client, "join", []string{"A"}); err != nil {
		t.Fatal(err)
	}
	if _, err := socketio.Call[any](ctx, c.Client, "set", "name", "Ann"); err != nil {
		t.Fatal(err)
	}
	emit(here, 1)
	c.has(t, "1")
	emit(there, 2)
	last := c.has(t, "1 2")
	pid := awaitSession(t, rdb)

	// Its server has it still, which Node does not know.
	emit(here, 3)
	c.has(t, "1 2 3")
	c = travel(t, there, pid, last)
	if c.ID() != id {
		t.Errorf("id %q, before %q", c.ID(), id)
	}
	emit(there, 4)
	c.has(t, "3 4")
	emit(here, 5)
	last = c.has(t, "3 4 5")
	var list []remote
	if err := there.do(command{Do: "fetch", target: target{Rooms: []string{"A"}, Local: true}}, &list); err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(list, func(r remote) bool { return r.ID == id }); i < 0 || list[i].Data["name"] != "Ann" {
		t.Errorf("sockets %+v", list)
	}

	there.stop()
	emit(here, 6)
	await(t, func() bool { n, err := rdb.Exists(ctx, "sio:session:"+pid).Result(); return n == 1 && err == nil },
		func() string { return "Node has not saved the session" })
	here.io.Of("/").DisconnectSockets(false) // the first socket, which the server in Go has still
	await(t, func() bool { return here.io.Of("/").Count() == 0 }, func() string { return "a socket has not ended" })
	c = travel(t, here, pid, last)
	if c.ID() != id {
		t.Errorf("id %q, before %q", c.ID(), id)
	}
	emit(here, 7)
	c.has(t, "6 7")
	if s, ok := here.io.Of("/").Socket(id); !ok || s.Value("name") != "Ann" || !slices.Contains(s.Rooms(), "A") {
		t.Errorf("socket %v", s)
	}
}

// awaitSession waits until the session of the only client is in Redis, and returns its pid.
func awaitSession(t *testing.T, rdb redis.UniversalClient) (pid string) {
	t.Helper()
	var session []byte
	await(t, func() bool {
		keys, err := rdb.Keys(context.Background(), "sio:session:*").Result()
		if err != nil || len(keys) != 1 {
			return false
		}
		pid = strings.TrimPrefix(keys[0], "sio:session:")
		text, _ := rdb.Get(context.Background(), keys[0]).Result()
		session, err = base64.StdEncoding.DecodeString(text)
		return err == nil && bytes.Contains(session, []byte("Ann")) // what it was given last
	}, func() string { return fmt.Sprintf("session %q", session) })
	return pid
}
