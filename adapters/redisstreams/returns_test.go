package redisstreams

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// The long form: go test -run TestReturns -returns 1000
var returns = flag.Int("returns", 100, "how often clients come back in TestReturns")

// A crowd is clients that go to one of several processes.
type crowd struct {
	t    testing.TB
	to   atomic.Pointer[process]
	url  string
	list []*member
}

// A member gets the numbered events of several senders, which must come in order and all.
type member struct {
	*socketio.Client
	joined chan struct{} // it is in its room
	mu     sync.Mutex
	last   map[string]int
	id     string
}

func (m *member) has(sender string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[sender]
}

func newCrowd(t testing.TB, first *process, n int) *crowd {
	t.Helper()
	c := &crowd{t: t}
	c.to.Store(first)
	h := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(c.to.Load().url) },
		ErrorLog: silent,
	})
	t.Cleanup(h.Close)
	c.url = h.URL
	for range n {
		c.list = append(c.list, c.join())
	}
	return c
}

func (c *crowd) join() *member {
	c.t.Helper()
	m := &member{last: map[string]int{}, joined: make(chan struct{}, 100)}
	client, err := socketio.Dial(soon(c.t), c.url, &socketio.DialOptions{
		Engine: engineio.DialOptions{Transports: []string{"websocket"}}, Logger: quiet,
		Reconnection: socketio.Reconnection{Delay: time.Millisecond, MaxDelay: 10 * time.Millisecond},
		Setup: func(client *socketio.Client) {
			socketio.On(client, "joined", func(context.Context, any) error { m.joined <- struct{}{}; return nil })
			socketio.On2(client, "n", func(_ context.Context, sender string, n int) error {
				m.mu.Lock()
				defer m.mu.Unlock()
				if last := m.last[sender]; n != last+1 {
					c.t.Errorf("client %s: %s %d after %d", m.id, sender, n, last)
				}
				m.last[sender] = n
				return nil
			})
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	m.Client = client
	m.awaitJoined(c.t)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.id = client.ID()
	return m
}

func (m *member) awaitJoined(t testing.TB) {
	t.Helper()
	select {
	case <-m.joined:
	case <-soon(t).Done():
		t.Fatal("a client has not joined")
	}
}

// all waits until each member has got the last event of a sender.
func (c *crowd) all(sender string, last int) {
	c.t.Helper()
	until(c.t, fmt.Sprintf("%s %d", sender, last), func() bool {
		return !slices.ContainsFunc(c.list, func(m *member) bool { return m.has(sender) < last })
	})
}

// cameBack waits until all have come back to a process, with what they had.
func (c *crowd) cameBack(p *process, round int) {
	c.t.Helper()
	missing := map[string]bool{}
	for _, m := range c.list {
		missing[m.id] = true
	}
	for range c.list {
		select {
		case r := <-p.back:
			want := []string{r.ID, "room", fmt.Sprint("round ", round)}
			slices.Sort(want)
			if !missing[r.ID] || r.Round != round || !slices.Equal(r.Rooms, want) || !slices.Equal(r.Bytes, []byte{0, 0xff}) {
				c.t.Errorf("round %d: came back: %+v", round, r)
			}
			delete(missing, r.ID)
		case <-soon(c.t).Done():
			c.t.Fatalf("round %d: %d clients have not come back", round, len(missing))
		}
	}
}

// awaitSaved waits until the sessions of n clients say which round it is.
func awaitSaved(t testing.TB, client redis.UniversalClient, n, round int) {
	t.Helper()
	until(t, "the sessions", func() bool {
		ctx := soon(t)
		keys, err := client.Keys(ctx, "sio:session:*").Result()
		if err != nil || len(keys) != n {
			return false
		}
		values, err := client.MGet(ctx, keys...).Result()
		if err != nil {
			return false
		}
		for _, v := range values {
			text, _ := v.(string)
			s, own, err := readSession([]byte(text))
			if err != nil || own == "" || s.Data["round"] != float64(round) || !slices.Contains(s.Rooms, fmt.Sprint("round ", round)) {
				return false
			}
		}
		return true
	})
}

// Clients whose server is shut down or killed come back to another one with their id, rooms
// and data, and get each event once, while three servers emit.
func TestReturns(t *testing.T) {
	const clients = 10
	for _, tt := range []struct {
		name, mode string
		kill       bool
	}{{"closed", "", false}, {"killed", "kill", true}, {"killed, immediate", "immediate", true}} {
		t.Run(tt.name, func(t *testing.T) {
			kill := tt.kill
			redis := brokertest.Redis(t)
			client := connect(t, redis.Addr())
			f := newFront(t, client, Options{MaxLen: 1 << 20})
			speakers := []*node{f.node(), f.node()}
			now := startProcess(t, redis.Addr(), tt.mode)
			c := newCrowd(t, now, clients)
			stops := []func() int{speakers[0].talk("x"), speakers[1].talk("y")}
			begin := time.Now()
			for round := 1; round <= *returns/clients; round++ {
				own := fmt.Sprint("own ", round)
				now.tell("round %d", round)
				if line := now.line(); line != "done" {
					t.Fatal(line)
				}
				now.tell("talk %s", own)
				if kill {
					awaitSaved(t, client, clients, round)
				}
				c.all(own, 5)
				next := startProcess(t, redis.Addr(), tt.mode)
				c.to.Store(next)
				last := 0
				if !kill {
					now.tell("stop")
					fmt.Sscan(now.line(), &last)
				}
				now.end(kill)
				c.cameBack(next, round)
				if tt.mode == "kill" { // what it had sent to anybody; with Immediate some may never get that
					for _, m := range c.list {
						last = max(last, m.has(own))
					}
				}
				c.all(own, last)
				now = next
			}
			took := time.Since(begin)
			total := 0
			for i, name := range []string{"x", "y"} {
				last := stops[i]()
				c.all(name, last)
				total += last
			}
			t.Logf("%d clients came back %d times in %v, while two other servers emitted %d events", clients, *returns/clients, took.Round(time.Millisecond), total)
		})
	}
}

// Without the option a client of a server that was killed is new.
func TestKilledWithoutOption(t *testing.T) {
	redis := brokertest.Redis(t)
	client := connect(t, redis.Addr())
	first, second := startProcess(t, redis.Addr(), ""), startProcess(t, redis.Addr(), "")
	c := newCrowd(t, first, 1)
	m := c.list[0]
	first.tell("talk first")
	c.all("first", 5)
	if keys, err := client.Keys(soon(t), "sio:session:*").Result(); err != nil || len(keys) > 0 {
		t.Errorf("sessions %q, %v", keys, err)
	}
	c.to.Store(second)
	first.end(true)
	m.awaitJoined(t)
	if m.Recovered() || m.ID() == m.id {
		t.Errorf("recovered %t, id %q, before %q", m.Recovered(), m.ID(), m.id)
	}
	second.tell("talk second")
	until(t, "events", func() bool { return m.has("second") > 5 })
}
