package redisstreams

import (
	"context"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/socketio"
)

// A cutFront is a front whose first node, and whose clients, can be cut off.
type cutFront struct {
	*front
	near, far       *node
	broker, clients *brokertest.Proxy
}

func newCutFront(t *testing.T, o Options) *cutFront {
	server := brokertest.Redis(t)
	f := &cutFront{front: newFront(t, connect(t, server.Addr()), o)}
	f.broker = brokertest.NewProxy(t, server.Addr())
	f.near, f.far = f.nodeOn(connect(t, f.broker.Addr())), f.node()
	f.clients = brokertest.NewProxy(t, f.url[len("http://"):])
	f.url = "http://" + f.clients.Addr()
	f.to.Store(f.near)
	return f
}

// cut cuts the first node off from Redis.
func (f *cutFront) cut() {
	f.t.Helper()
	f.broker.Refuse()
	f.broker.Cut()
	until(f.t, "the loss of Redis", func() bool { return !f.near.log().sp.publisher.Up() })
}

// Events that were delivered while Redis was away do not come again to a client that goes
// to another node, and to a third one, when their entries come at last; others get them.
func TestEarly(t *testing.T) {
	f := newCutFront(t, Options{SurviveKill: true})
	g := f.listen()
	f.joined()
	emit := func(from, to int) {
		for i := from; i <= to; i++ {
			f.near.io.To("room").Emit("n", "near", i)
		}
	}
	emit(1, 5)
	until(t, "the first events", func() bool { return g.has("near") == 5 })
	f.cut()
	emit(6, 10)
	until(t, "early events", func() bool { return g.has("near") == 10 })
	third := f.node()
	for i, n := range []*node{third, f.far} {
		f.to.Store(n)
		f.clients.Cut()
		select {
		case s := <-n.recovered:
			if s.ID() != g.id {
				t.Errorf("id %q, before %q", s.ID(), g.id)
			}
		case <-soon(t).Done():
			t.Fatal("the client has not come back")
		}
		n.io.To("room").Emit("n", "third", i+1)
		until(t, "an event there", func() bool { return g.has("third") == i+1 })
	}
	witness := f.listen()
	f.far.io.To("room").Emit("n", "far", 1)
	until(t, "an event of the other", func() bool { return g.has("far") == 1 && witness.has("far") == 1 })
	if g.has("near") != 10 || witness.has("near") != 0 {
		t.Errorf("the client has %d, the other one %d", g.has("near"), witness.has("near"))
	}
	f.broker.Accept()
	until(t, "what was early", func() bool { return witness.has("near") == 10 })
	emit(11, 11)
	until(t, "the next event", func() bool { return g.has("near") == 11 && witness.has("near") == 11 })
	for _, n := range []*node{third, f.far} {
		l := n.log()
		until(t, "the end of what is remembered", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(l.had) == 0 })
	}
}

// A client comes back to a node whose entries were dropped. It gets those events that it has
// missed, and no other.
func TestDropped(t *testing.T) {
	f := newCutFront(t, Options{QueueBytes: 1000})
	g := f.listen()
	emit := func(from, to int) {
		for i := from; i <= to; i++ {
			if err := f.near.io.To("room").Emit("n", "near", i, strings.Repeat("x", 2000)); err == nil {
				t.Error("there was room in the queue")
			}
		}
	}
	f.near.io.To("room").Emit("n", "near", 1)
	until(t, "the first event", func() bool { return g.has("near") == 1 })
	f.cut()
	emit(2, 4)
	until(t, "early events", func() bool { return g.has("near") == 4 })
	f.clients.Refuse()
	f.clients.Cut()
	until(t, "the loss of the client", func() bool { return f.near.io.Of("/").Count() == 0 })
	emit(5, 6)
	f.broker.Accept()
	until(t, "Redis", f.near.log().sp.publisher.Up)
	f.clients.Accept()
	select {
	case s := <-f.near.recovered:
		if s.ID() != g.id {
			t.Errorf("id %q, before %q", s.ID(), g.id)
		}
	case <-f.near.joined:
		t.Fatal("the client is new")
	case <-soon(t).Done():
		t.Fatal("the client has not come back")
	}
	until(t, "what it has missed", func() bool { return g.has("near") == 6 })
	f.near.io.To("room").Emit("n", "near", 7)
	until(t, "the next event", func() bool { return g.has("near") == 7 })
}

// With Immediate local delivery does not wait for Redis, and other nodes get the events all
// the same.
func TestImmediate(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{Immediate: true})
	a, b := f.node(), f.node()
	f.to.Store(a)
	g := f.listen()
	f.to.Store(b)
	remote := f.listen()
	server.Pause()
	for i := 1; i <= 100; i++ {
		a.io.To("room").Emit("n", "a", i)
	}
	until(t, "local delivery", func() bool { return g.has("a") == 100 })
	l := a.log()
	l.mu.Lock()
	waiting := len(l.waiting)
	l.mu.Unlock()
	if remote.has("a") != 0 || waiting > 0 {
		t.Error("Redis was not paused, or events wait for it")
	}
	server.Resume()
	until(t, "remote delivery", func() bool { return remote.has("a") == 100 })
	until(t, "the end of what is kept", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.ahead == nil && l.size == 0 })
}

// More events than Recovery.EventBytes are not kept: a client that may need one is new.
func TestTooFarAhead(t *testing.T) {
	server := brokertest.Redis(t)
	l := newFront(t, connect(t, server.Addr()), Options{Immediate: true}).node().log()
	l.recovery.EventBytes = 2000
	server.Pause()
	for range 20 {
		if err := l.Append(nobody, socketio.Encoded{Data: []byte(`["e"]`)}, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	l.mu.Lock()
	if l.size > 2000 || l.dropped == 0 || len(l.ahead) == 0 {
		t.Errorf("%d bytes, %d events, up to %d dropped", l.size, len(l.ahead), l.dropped)
	}
	l.mu.Unlock()
	server.Resume()
	until(t, "its entries", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.seen == l.last && l.size == 0 })
	s := socketio.Session{ID: "sid", PID: "pid", Connected: l.reader.done.position()}
	for dropped, want := range map[uint64]error{l.last: nil, l.last + 1: errAhead} {
		l.mu.Lock()
		l.dropped = dropped
		l.mu.Unlock()
		entered := false
		if err := l.Resume(soon(t), s, "", func(iter.Seq[socketio.Missed]) { entered = true }); err != want || entered != (want == nil) {
			t.Errorf("%d of %d dropped: %v, want %v", dropped, l.last, err, want)
		}
	}
}

// A node that has not read yet what a client has received lets it wait: otherwise that
// would come again.
func TestResumeBehind(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{})
	a, l := f.node(), f.node().log()
	l.mu.Lock() // so it reads no event
	unlock := sync.OnceFunc(l.mu.Unlock)
	defer unlock()
	a.io.Emit("n", "a", 1)
	until(t, "the event", func() bool { return a.log().reader.done.position() != origin })
	id := a.log().reader.done.position()
	result := make(chan error)
	s := socketio.Session{ID: "sid", PID: "pid", Connected: id}
	go func() {
		result <- l.Resume(soon(t), s, "", func(missed iter.Seq[socketio.Missed]) {
			if less(l.position, id) {
				t.Errorf("at %s, before %s", l.position, id)
			}
			for m := range missed {
				t.Errorf("missed: %+v", m)
			}
		})
	}()
	until(t, "that it waits", func() bool {
		l.reader.done.mu.Lock()
		defer l.reader.done.mu.Unlock()
		return l.reader.done.next != nil
	})
	unlock()
	if err := <-result; err != nil {
		t.Error(err)
	}
	s.Connected = "99999999999999-0"
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Resume(ctx, s, "", nil); err != context.Canceled {
		t.Errorf("behind for good: %v", err)
	}
	s.Connected = ""
	if err := l.Resume(soon(t), s, "", nil); err != errSession {
		t.Errorf("without any offset: %v", err)
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p progress
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.reach(ctx, "0-1"); err != context.DeadlineExceeded {
			t.Errorf("nothing was read: %v", err)
		}
		reached := false
		go func() {
			if err := p.reach(t.Context(), "2-5"); err != nil {
				t.Error(err)
			}
			reached = true
		}()
		for _, id := range []string{"0-0", "1-9", "2-4"} {
			synctest.Wait()
			p.set(id)
		}
		synctest.Wait()
		if reached {
			t.Error("reached before it was read")
		}
		p.set("10-0")
		synctest.Wait()
		if !reached || p.position() != "10-0" {
			t.Errorf("reached %t, at %s", reached, p.position())
		}
	})
}

func TestOffset(t *testing.T) {
	const uid = "0123456789abcdef"
	for _, s := range []string{"0-0", "1-2", "18446744073709551615-18446744073709551615", "1-2+" + uid + ".1", "1-2+" + uid + ".42"} {
		if o, ok := parseOffset(s); !ok || o.String() != s {
			t.Errorf("%q: %+v, %t", s, o, ok)
		}
	}
	for _, s := range []string{"", "-", "1", "1-", "01-1", "1-1-1", "1-1+", "1-1+" + uid, "1-1+" + uid + ".0", "1-1+" + uid + ".01", "1-1+" + uid + "0.1", "1-1+x.1", "1-1+" + uid + ".-1", "+" + uid + ".1", "18446744073709551616-0"} {
		if o, ok := parseOffset(s); ok {
			t.Errorf("%q: %+v", s, o)
		}
	}
	o, _ := parseOffset("5-0+" + uid + ".7")
	for _, tt := range []struct {
		e    raw
		want bool
	}{
		{raw{id: "5-0"}, true}, {raw{id: "4-9"}, true}, {raw{id: "5-1"}, false},
		{raw{id: "6-0", uid: uid, number: 7}, true}, {raw{id: "6-0", uid: uid, number: 8}, false},
		{raw{id: "6-0", uid: "fedcba9876543210", number: 7}, false}, {raw{id: "6-0", uid: uid}, false},
	} {
		if got := o.covers(&tt.e); got != tt.want {
			t.Errorf("%s covers %+v: %t", o, tt.e, got)
		}
	}
	for _, tt := range [][3]string{{"", "", ""}, {"", "1-0", "1-0"}, {"1-0", "", "1-0"}, {"9-0", "10-0", "10-0"}, {"10-1", "10-0", "10-1"}} {
		if got := later(tt[0], tt[1]); got != tt[2] {
			t.Errorf("the later of %q and %q is %q", tt[0], tt[1], got)
		}
	}
}
