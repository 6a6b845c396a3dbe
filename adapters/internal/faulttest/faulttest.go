package faulttest

import (
	"runtime"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
)

// A Broker is a process that can fail. *brokertest.Server is one.
type Broker interface {
	Addr() string // "127.0.0.1:PORT"
	Kill()
	Restart() // on the same port, and waits until it answers
	Pause()   // by SIGSTOP
	Resume()
}

// A Suite is an adapter and its broker.
type Suite struct {
	Broker func(t *testing.T) Broker
	// Node makes a node. wait is how long its requests take without an answer, and its client
	// waits for a reply; 0 is the default of each.
	Node func(t *testing.T, addr string, wait time.Duration) Node
	// Gaps is how many gaps are counted when the broker is killed, and when its connections
	// are cut.
	Gaps struct{ Kill, Cut int64 }
	// Keeps is set if events are kept, so that only what is dropped can be lost by a cut.
	Keeps bool
}

// The faults.
const (
	kills  = 20
	cuts   = 5
	outage = 100 * time.Millisecond // between an end and the next beginning
	stop   = 10 * time.Second
	delay  = 50 * time.Millisecond // in each direction
	slow   = 3 * time.Second
)

// Run tries every fault. Those that look at what is in use run alone, the others, which take
// their time, at once.
func Run(t *testing.T, s Suite) {
	t.Run("killed", s.killed)
	t.Run("cut", s.cut)
	t.Run("requests", func(t *testing.T) { t.Parallel(); s.requests(t) })
	t.Run("stopped", func(t *testing.T) { t.Parallel(); s.stopped(t) })
	t.Run("slow", func(t *testing.T) { t.Parallel(); s.slow(t) })
}

// killed kills the broker and starts it again, with nothing that it knew.
func (s *Suite) killed(t *testing.T) {
	broker := s.Broker(t)
	tr := start(t, s.Node(t, broker.Addr(), 0), s.Node(t, broker.Addr(), 0))
	var before use
	tr.through(func() {
		for i := range kills {
			broker.Kill()
			<-time.After(outage)
			broker.Restart()
			tr.together()
			if i == 1 {
				before = used()
			}
		}
	})
	used().check(t, before)
	for i, c := range tr.End() {
		if c.Gaps != kills*s.Gaps.Kill {
			t.Errorf("node %d: %d gaps", i, c.Gaps)
		}
	}
}

// stopped makes the broker stand still. What is emitted meanwhile comes later.
func (s *Suite) stopped(t *testing.T) {
	broker := s.Broker(t)
	tr := start(t, s.Node(t, broker.Addr(), 0), s.Node(t, broker.Addr(), 0))
	tr.through(func() {
		broker.Pause()
		<-time.After(stop)
		broker.Resume()
	})
	counts := tr.End()
	whole(t, counts)
	for i, c := range counts {
		if c.Gaps != 0 {
			t.Errorf("node %d: %d gaps", i, c.Gaps)
		}
	}
}

// cut cuts all connections.
func (s *Suite) cut(t *testing.T) {
	proxy := brokertest.NewProxy(t, s.Broker(t).Addr())
	tr := start(t, s.Node(t, proxy.Addr(), 0), s.Node(t, proxy.Addr(), 0))
	var before use
	tr.through(func() {
		for i := range cuts {
			proxy.Cut()
			tr.together()
			if i == 1 {
				before = used()
			}
		}
	})
	used().check(t, before)
	for i, c := range tr.End() {
		if c.Gaps != cuts*s.Gaps.Cut {
			t.Errorf("node %d: %d gaps", i, c.Gaps)
		}
		if s.Keeps && c.Came < c.Emitted-c.Dropped {
			t.Errorf("node %d: %+v", i, c)
		}
	}
}

// slow puts the broker far away.
func (s *Suite) slow(t *testing.T) {
	proxy := brokertest.NewProxy(t, s.Broker(t).Addr())
	proxy.Delay(delay)
	tr := start(t, s.Node(t, proxy.Addr(), 0), s.Node(t, proxy.Addr(), 0))
	tr.through(func() { <-time.After(slow) })
	counts := tr.End()
	whole(t, counts)
}

// Failover makes another Redis server the master, first while both run and then because the
// master is killed.
func Failover(t *testing.T, f *brokertest.Failover, a, b Node) {
	tr := start(t, a, b)
	tr.through(func() {
		f.Switch(t)
		tr.Back()
		f.KillMaster(t)
		tr.Back()
	})
	for i, c := range tr.End() {
		if c.Gaps < 2 {
			t.Errorf("node %d: %d gaps", i, c.Gaps)
		}
	}
}

// together waits until all connections that were lost are there again, and events come.
func (tr *traffic) together() {
	tr.t.Helper()
	for _, s := range tr.sites {
		if err := s.node.Ready(tr.t.Context()); err != nil {
			tr.t.Fatal("Ready:", err)
		}
	}
	tr.Back()
}

// use is what is in use.
type use struct {
	goroutines int
	bytes      uint64
}

func used() use {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return use{runtime.NumGoroutine(), m.HeapInuse + m.StackInuse}
}

// check fails if more is in use than before.
func (u use) check(t *testing.T, before use) {
	t.Helper()
	if u.goroutines > before.goroutines+5 || u.bytes > before.bytes+8<<20 {
		t.Errorf("%d goroutines and %d bytes, after %d and %d", u.goroutines, u.bytes, before.goroutines, before.bytes)
	}
}
