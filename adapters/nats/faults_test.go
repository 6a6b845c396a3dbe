package natsadapter_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/parleyws/parley/adapters/internal/brokertest"
	natsadapter "github.com/parleyws/parley/adapters/nats"
)

// kill ends a process as the operating system does when it must.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// numbers reads what has come so far: numbers that must rise.
func (c *client) numbers(last int) (newest, count int) {
	c.t.Helper()
	for {
		select {
		case got := <-c.got:
			var from, i int
			if _, err := fmt.Sscanf(got, "n %d %d", &from, &i); err != nil || i <= last {
				c.t.Fatalf("got %q after %d", got, last)
			}
			last = i
			count++
		default:
			return last, count
		}
	}
}

// heap returns how much memory is in use, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// What was emitted while the server was away also reaches nodes that come back later than the
// one that has emitted it.
func TestLateNode(t *testing.T) {
	at := brokertest.FreePort(t)
	on := func(o *server.Options) { o.Port = at }
	s := serve(t, on)
	late := &natsadapter.Options{Logger: quiet(), NATS: []nats.Option{
		nats.CustomReconnectDelay(func(int) time.Duration { return 200 * time.Millisecond }),
	}}
	a, b := start(t, s.ClientURL(), nil), start(t, s.ClientURL(), late)
	ready(t, a, b)
	in := b.dial("x")
	interest(t, s, "parley.ns./.room.x", 1)
	s.Shutdown()
	until(t, "the loss is noticed", func() bool { return a.c.Stats().Gaps == 1 && b.c.Stats().Gaps == 1 })
	for i := range 100 {
		check(t, a.io.To("x").Emit("n", 0, i))
	}
	serve(t, on)
	numbered(t, in, 1, 100)
}

// Connections that are cut come back by themselves, and everything goes on in order.
func TestConnectionsCut(t *testing.T) {
	s := serve(t, nil)
	a, b := start(t, s.ClientURL(), nil), start(t, s.ClientURL(), nil)
	ready(t, a, b)
	there := b.dial("x")
	interest(t, s, "parley.ns./.room.x", 1)
	last, next := -1, 0
	for round := range 10 {
		z, err := s.Connz(nil)
		if err != nil {
			t.Fatal(err)
		}
		gaps := a.c.Stats().Gaps + b.c.Stats().Gaps
		for _, c := range z.Conns {
			if err := s.DisconnectClientByID(c.Cid); err != nil {
				t.Fatal(err)
			}
		}
		until(t, "both are back", func() bool {
			return a.c.Stats().Gaps+b.c.Stats().Gaps == gaps+2 && a.c.Ready(t.Context()) == nil && b.c.Ready(t.Context()) == nil
		})
		interest(t, s, "parley.ns./.room.x", 1)
		for range 100 {
			check(t, a.io.To("x").Emit("n", 0, next))
			next++
		}
		until(t, fmt.Sprint("all of round ", round), func() bool {
			last, _ = there.numbers(last)
			return last == next-1
		})
	}
	ready(t, a, b)
}

// A server that is away from the start: the node serves its own clients, and what it has
// emitted meanwhile reaches the others, in order, as far as the queue can hold it.
func TestServerAway(t *testing.T) {
	at := brokertest.FreePort(t)
	url := fmt.Sprintf("nats://127.0.0.1:%d", at)
	a, b := start(t, url, nil), start(t, url, &natsadapter.Options{Logger: quiet(), QueueBytes: 10_000})
	here, there := a.dial("x"), b.dial("x")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := a.c.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ready: %v", err)
	}
	if _, err := a.io.Nodes(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Nodes: %v", err)
	}
	for i := range 1000 {
		check(t, a.io.To("x").Emit("n", 0, i))
		here.want(fmt.Sprint("n 0 ", i))
	}
	dropped := int64(0)
	for i := range 1000 {
		if err := b.io.To("x").Emit("m", i); errors.Is(err, natsadapter.ErrQueueFull) {
			dropped++
		} else if err != nil {
			t.Error(err)
		}
		there.want(fmt.Sprint("m ", i))
	}
	if st := b.c.Stats(); dropped == 0 || st.Dropped != dropped || st.Waiting > 10_000 {
		t.Errorf("%d dropped; %+v", dropped, st)
	}
	s := serve(t, func(o *server.Options) { o.Port = at })
	ready(t, a, b)
	interest(t, s, "parley.ns./.room.x", 2)
	until(t, "nothing waits", func() bool { return a.c.Stats().Waiting+b.c.Stats().Waiting == 0 })
	check(t, b.io.To("x").Emit("last"))
	last := -1
	for got := range here.got { // a's own have been read; b's that were not dropped come in order
		if got == "last" {
			break
		}
		var i int
		if _, err := fmt.Sscanf(got, "m %d", &i); err != nil || i <= last {
			t.Fatalf("got %q after %d", got, last)
		}
		last = i
	}
	if st := b.c.Stats(); st.Dropped != dropped {
		t.Errorf("more was dropped: %+v", st)
	}
}

// A server that takes nothing does not make anybody wait. What it can't take waits, then is
// dropped and counted; the rest arrives in order.
func TestServerStopped(t *testing.T) {
	s := fork(t, fmt.Sprint("server ", brokertest.FreePort(t)))
	a, b := start(t, s.url, &natsadapter.Options{Logger: quiet(), QueueBytes: 1 << 20}), start(t, s.url, nil)
	ready(t, a, b)
	there := b.dial("x")
	check(t, b.io.In("x").SocketsJoin("known"))
	until(t, "the room is known", func() bool { _ = a.io.To("x").Emit("first"); return len(there.got) > 0 })
	until(t, "nothing waits", func() bool { return a.c.Stats().Waiting == 0 })
	pause(s)
	text := strings.Repeat("x", 10_000)
	emitted, dropped := 0, 0
	slowest := time.Duration(0)
	for dropped < 100 {
		began := time.Now()
		if err := a.io.To("x").Emit("n", emitted, text); err != nil {
			dropped++
		}
		emitted++
		slowest = max(slowest, time.Since(began))
		if emitted > 1_000_000 {
			t.Fatal("nothing is ever dropped")
		}
	}
	if slowest > 5*time.Second {
		t.Errorf("an Emit took %v", slowest)
	}
	joins := make(chan error, 1)
	go func() { joins <- b.io.In("x").SocketsJoin("another") }()
	check(t, <-joins)
	resume(s)
	until(t, "nothing waits", func() bool { return a.c.Stats().Waiting == 0 })
	check(t, a.io.To("x").Emit("last"))
	last, count := -1, 0
	for got := range there.got {
		if got == "first" {
			continue
		}
		if got == "last" {
			break
		}
		var i int
		if _, err := fmt.Sscanf(got, "n %d", &i); err != nil || i <= last {
			t.Fatalf("got %.20q after %d", got, last)
		}
		last = i
		count++
	}
	if st := a.c.Stats(); st.Dropped != int64(dropped) || count != emitted-dropped || st.Gaps > 0 {
		t.Errorf("%d of %d dropped, %d arrived; %+v", dropped, emitted, count, st)
	}
}

// A node that takes nothing is cut off by the server. That is counted, and what comes
// afterwards is in order.
func TestSlowNode(t *testing.T) {
	s := serve(t, func(o *server.Options) { o.MaxPending, o.WriteDeadline = 1<<20, 100*time.Millisecond })
	a, b := start(t, s.ClientURL(), nil), start(t, s.ClientURL(), nil)
	ready(t, a, b)
	there := b.dial("x")
	interest(t, s, "parley.ns./.room.x", 1)
	release := b.c.Hold()
	text := strings.Repeat("x", 10_000)
	next := 0
	for range 4000 {
		check(t, a.io.To("x").Emit("n", 0, next, text))
		next++
		if next%100 == 0 {
			until(t, "it is published", func() bool { return a.c.Stats().Waiting == 0 })
		}
	}
	until(t, "the node is cut off", func() bool { return s.NumSlowConsumers() > 0 })
	release()
	until(t, "the node is back", func() bool { return b.c.Stats().Gaps == 1 && b.c.Ready(t.Context()) == nil })
	interest(t, s, "parley.ns./.room.x", 1)
	check(t, a.io.To("x").Emit("n", 0, next))
	last, count := -1, 0
	until(t, "the last one comes", func() bool {
		newest, n := there.numbers(last)
		last, count = newest, count+n
		return last == next
	})
	t.Logf("%d of %d arrived", count, next+1)
	if st := b.c.Stats(); st.Refused > 0 || st.Gaps != 1 {
		t.Errorf("%+v", st)
	}
}

// A node that is killed while a request waits for it is noticed in a few seconds.
func TestNodeKilled(t *testing.T) {
	s := serve(t, nil)
	a, b := start(t, s.ClientURL(), nil), fork(t, s.ClientURL())
	until(t, "the other node is known", func() bool { n, _ := a.io.Nodes(t.Context()); return n == 2 })
	ended := make(chan error, 1)
	published := a.c.Stats().Published
	go func() {
		_, err := a.io.ServerSideCall(t.Context(), "mute")
		ended <- err
	}()
	until(t, "the request is published", func() bool { return a.c.Stats().Published > published })
	b.kill()
	killed := time.Now()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "left the cluster") {
		t.Errorf("the request: %v", err)
	}
	took := time.Since(killed)
	t.Logf("noticed after %v", took)
	if n, err := a.io.Nodes(t.Context()); n != 1 || err != nil || took > 9*time.Second {
		t.Errorf("%d nodes, %v, after %v", n, err, took)
	}
}

// A request ends after RequestTime if the others do not answer.
func TestRequestTime(t *testing.T) {
	s := fork(t, fmt.Sprint("server ", brokertest.FreePort(t)))
	o := &natsadapter.Options{Logger: quiet(), RequestTime: 100 * time.Millisecond}
	a, b := start(t, s.url, o), start(t, s.url, nil)
	ready(t, a, b)
	pause(s)
	defer resume(s)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	_, err := a.io.FetchSockets(ctx)
	if d := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || d < o.RequestTime || d > 4*time.Second {
		t.Errorf("FetchSockets: %v after %v", err, d)
	}
}
