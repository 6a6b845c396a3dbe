// Package faulttest tries what becomes of events while the broker of an adapter fails: two nodes
// emit numbered events all the time, and clients on both count what they get. It also cuts the
// conversations of an adapter with Redis wherever that is possible, in bubbles with a Redis in
// memory: RunCuts.
package faulttest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

const (
	patience = 30 * time.Second // how long a test waits for what must come
	back     = 5 * time.Second  // how long nodes may take until they are together again
	pace     = time.Millisecond // between two events of a node
	tooLate  = 5 * time.Second  // after which a client must have what its own node has emitted
)

// A Node is what the package of an adapter offers for one server.
type Node struct {
	Adapter      func(*socketio.Local) (socketio.Adapter, error)
	Ready, Close func(context.Context) error
	Stats        func() Stats
	// Handed is set if Published counts what was handed to the broker's client, messages of the
	// adapter's own among them, and Dropped what was not; otherwise the broker has answered.
	Handed bool
}

// Stats are the counters of a Node.
type Stats struct{ Published, Dropped, Gaps int64 }

// traffic is two nodes that emit to a room, in which each has a client.
type traffic struct {
	t      *testing.T
	sites  [2]*site
	begin  time.Time
	quiet  delays
	during delays
	fault  atomic.Bool // delays go to during
	stop   chan struct{}
	work   sync.WaitGroup
}

// A site is a node of the traffic.
type site struct {
	node    Node
	io      *socketio.Server
	emitted atomic.Int64
	failed  int64  // of these: Emit has returned an error
	heard   [2]ear // by the emitting site
	slowest time.Duration
}

// An ear is what a client has heard of a site: numbers from 0 on. Guarded by mu.
type ear struct {
	mu    sync.Mutex
	last  int64 // -1: nothing
	count int64
}

func (e *ear) state() (last, count int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last, e.count
}

// start starts the traffic on two nodes, and returns when it has flown for a second.
func start(t *testing.T, a, b Node) *traffic {
	t.Helper()
	tr := &traffic{t: t, begin: time.Now(), stop: make(chan struct{})}
	for i, n := range []Node{a, b} {
		tr.sites[i] = tr.serve(i, n)
	}
	t.Cleanup(tr.halt)
	for i, s := range tr.sites {
		tr.work.Go(func() { tr.emit(i, s) })
	}
	tr.flow()
	<-time.After(time.Second)
	return tr
}

// serve starts a server with a client.
func (tr *traffic) serve(i int, n Node) *site {
	t := tr.t
	t.Helper()
	s := &site{node: n}
	for j := range s.heard {
		s.heard[j].last = -1
	}
	quiet := slog.New(slog.DiscardHandler)
	io, err := socketio.NewServer(&socketio.Options{Adapter: n.Adapter, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s.io = io
	io.OnConnect(func(s *socketio.Socket) {
		s.Join("room")
		s.Emit("joined")
	})
	web := httptest.NewServer(io)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := io.Shutdown(ctx); err != nil {
			t.Error("Shutdown:", err)
		}
		if err := n.Close(ctx); err != nil {
			t.Error("Close:", err)
		}
		web.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	joined := make(chan struct{})
	client, err := socketio.Dial(ctx, web.URL, &socketio.DialOptions{
		Engine: engineio.DialOptions{Transports: []string{"websocket"}}, Logger: quiet,
		Setup: func(c *socketio.Client) {
			c.OnEvent("joined", func(*socketio.Event) error { close(joined); return nil })
			socketio.On2(c, "n", func(_ context.Context, from int, at [2]int64) error {
				tr.hear(i, from, at[0], time.Duration(at[1]))
				return nil
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	<-joined
	if err := n.Ready(ctx); err != nil {
		t.Fatal("Ready:", err)
	}
	return s
}

// hear notes an event that the client of a site has got.
func (tr *traffic) hear(to, from int, number int64, sent time.Duration) {
	e := &tr.sites[to].heard[from]
	e.mu.Lock()
	defer e.mu.Unlock()
	if number <= e.last {
		tr.t.Errorf("client %d: event %d of node %d after %d", to, number, from, e.last)
	}
	e.last = number
	e.count++
	switch {
	case to != from:
	case tr.fault.Load():
		tr.during.note(time.Since(tr.begin) - sent)
	default:
		tr.quiet.note(time.Since(tr.begin) - sent)
	}
}

// emit emits until the traffic is stopped.
func (tr *traffic) emit(i int, s *site) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-tr.stop:
			return
		case <-tick.C:
			began := time.Since(tr.begin)
			if s.io.To("room").Emit("n", i, [2]int64{s.emitted.Load(), int64(began)}) != nil {
				s.failed++
			}
			s.emitted.Add(1)
			s.slowest = max(s.slowest, time.Since(tr.begin)-began)
		}
	}
}

// halt stops the traffic.
func (tr *traffic) halt() {
	select {
	case <-tr.stop:
	default:
		close(tr.stop)
	}
	tr.work.Wait()
}

// through calls f, while the delays of the clients of the own node are noted apart.
func (tr *traffic) through(f func()) {
	tr.fault.Store(true)
	defer tr.fault.Store(false)
	f()
}

// Back waits until what each node emits from now on has reached the other one. Longer than 5 s
// is a failure.
func (tr *traffic) Back() {
	tr.t.Helper()
	began := time.Now()
	tr.flow()
	if took := time.Since(began); took > back {
		tr.t.Errorf("together again after %v", took)
	}
}

// flow is Back without the limit of time: what has gathered for long takes its time.
func (tr *traffic) flow() {
	tr.t.Helper()
	for from, s := range tr.sites {
		now := s.emitted.Load()
		until(tr.t, fmt.Sprintf("events of node %d to come", from), func() bool {
			last, _ := tr.sites[1-from].heard[from].state()
			return last >= now
		})
	}
}

// A count says what has become of the events of one node.
type count struct {
	Emitted int64
	Came    int64 // to the other node
	Stats
}

// End stops the traffic. It checks what always holds: the clients of the own node have got
// everything, at once; nothing has come twice or out of order; every event is published or
// dropped in the counters, and at least those that are missing without a gap are dropped.
func (tr *traffic) End() (counts [2]count) {
	t := tr.t
	t.Helper()
	tr.flow()
	tr.halt()
	for from, s := range tr.sites {
		// The last events may be lost, and say nothing then. One that comes settles it.
		for {
			number := s.emitted.Load()
			if s.io.To("room").Emit("n", from, [2]int64{number, int64(time.Since(tr.begin))}) != nil {
				s.failed++
			}
			s.emitted.Add(1)
			if within(time.Second, func() bool { last, _ := tr.sites[1-from].heard[from].state(); return last == number }) {
				break
			}
		}
		until(t, "own events", func() bool { _, n := s.heard[from].state(); return n == s.emitted.Load() })
		until(t, "every event to be published or dropped", func() bool {
			now := s.node.Stats()
			if s.node.Handed {
				return now.Dropped == s.failed
			}
			return now.Published+now.Dropped == s.emitted.Load() && now.Dropped >= s.failed
		})
		_, came := tr.sites[1-from].heard[from].state()
		counts[from] = count{s.emitted.Load(), came, s.node.Stats()}
		c := counts[from]
		if c.Came < c.Emitted-c.Dropped && c.Gaps == 0 || s.slowest > tooLate {
			t.Errorf("%+v; the slowest Emit has taken %v", c, s.slowest)
		}
		t.Logf("node %d: %+v, slowest Emit %v", from, c, s.slowest)
	}
	if d := tr.during.quantile(0.99); d > tooLate {
		t.Errorf("clients of the own node waited %v", d)
	}
	t.Logf("own clients, median and p99: %v, %v; during the fault %v, %v",
		tr.quiet.quantile(0.5), tr.quiet.quantile(0.99), tr.during.quantile(0.5), tr.during.quantile(0.99))
	return counts
}

// whole checks that nothing was lost.
func whole(t *testing.T, counts [2]count) {
	t.Helper()
	for i, c := range counts {
		if c.Came != c.Emitted || c.Dropped != 0 {
			t.Errorf("node %d: %+v", i, c)
		}
	}
}

// delays counts durations, in steps of 0.1 ms.
type delays struct {
	mu    sync.Mutex
	count int64
	steps [60_000]int64 // the last one is for all that is longer
}

const step = 100 * time.Microsecond

func (d *delays) note(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	d.steps[min(int(delay/step), len(d.steps)-1)]++
}

// quantile returns a duration that the given part does not exceed; 0 if there are none.
func (d *delays) quantile(part float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := int64(part * float64(d.count))
	for i, n := range d.steps {
		if left -= n; left < 0 {
			return time.Duration(i+1) * step
		}
	}
	return 0
}

// until waits for a condition, which it tries every few milliseconds.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	if !within(patience, f) {
		t.Fatalf("%s: not within %v", what, patience)
	}
}

func within(d time.Duration, f func() bool) bool {
	end := time.After(d)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-end:
			return f()
		}
	}
	return true
}
