package redisstreams

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/socketio"
)

// A sequence takes numbered events of several senders, each of which must come in order,
// and none twice.
type sequence struct {
	t    testing.TB
	mu   sync.Mutex
	last map[string]int
	seen map[string]int
}

// follow makes g count the events "n" (sender, number).
func (s *site) follow(room string) *sequence {
	q := &sequence{t: s.t, last: map[string]int{}, seen: map[string]int{}}
	g := s.guest("", room)
	socketio.On2(g.Client, "n", func(_ context.Context, sender string, n int) error {
		q.mu.Lock()
		defer q.mu.Unlock()
		if last, ok := q.last[sender]; ok && n <= last {
			q.t.Errorf("%s: %d after %d", sender, n, last)
		}
		q.last[sender] = n
		q.seen[sender]++
		return nil
	})
	return q
}

func (q *sequence) of(sender string) (last, seen int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.last[sender], q.seen[sender]
}

// A sender emits numbered events.
type sender struct {
	s       *site
	name    string
	n       int
	slowest time.Duration
}

func (e *sender) emit(count int) {
	for range count {
		e.n++
		begin := time.Now()
		e.s.io.To("room").Emit("n", e.name, e.n)
		e.slowest = max(e.slowest, time.Since(begin))
	}
}

// fault has two servers emit while something happens to Redis, and returns how many events
// of each have come to the other. All events must come to clients of the same server, and
// no event may wait for Redis.
func fault(t *testing.T, sites []*site, happen func(emit func(count int))) (senders []*sender, remote []int) {
	var guests []*sequence
	for i, s := range sites {
		guests = append(guests, s.follow("room"))
		senders = append(senders, &sender{s: s, name: string(rune('a' + i))})
	}
	emit := func(count int) {
		var all sync.WaitGroup
		for _, e := range senders {
			all.Go(func() { e.emit(count) })
		}
		all.Wait()
	}
	emit(1000)
	happen(emit)
	// Events that come prove that all that was before has come or is lost.
	for i, e := range senders {
		other := guests[1-i]
		until(t, "events come again", func() bool {
			e.emit(1)
			last, _ := other.of(e.name)
			return last >= e.n-100
		})
	}
	for i, e := range senders {
		until(t, "the last event", func() bool { last, _ := guests[1-i].of(e.name); return last == e.n })
		until(t, "local events", func() bool { _, seen := guests[i].of(e.name); return seen == e.n })
		_, seen := guests[1-i].of(e.name)
		remote = append(remote, seen)
		if e.slowest > 500*time.Millisecond {
			t.Errorf("an event has waited %v", e.slowest)
		}
	}
	return senders, remote
}

// A Redis that is killed, with all that it knows, loses what it had not handed out. That
// is counted. Everybody is back within 5 s.
func TestKilled(t *testing.T) {
	server := brokertest.Redis(t)
	sites := newSites(t, connect(t, server.Addr()), 2, Options{}, nil)
	const kills = 5
	senders, remote := fault(t, sites, func(emit func(int)) {
		for range kills {
			emit(500)
			server.Kill()
			emit(500)
			server.Restart()
			up := time.Now()
			for _, s := range sites {
				until(t, "publishing and subscribed again", func() bool {
					before := s.streams.Stats().Published
					emit(1)
					return s.streams.subscriber.Generation() > 0 && s.streams.Stats().Published > before
				})
			}
			if d := time.Since(up); d > 5*time.Second {
				t.Errorf("back after %v", d)
			}
		}
	})
	for i, e := range senders {
		stats := e.s.streams.Stats()
		if stats.Published+stats.Dropped != int64(e.n) || stats.Gaps < kills {
			t.Errorf("%s: %d events, %+v", e.name, e.n, stats)
		}
		t.Logf("%s: %d of %d have come; %+v", e.name, remote[i], e.n, stats)
	}
}

// A Redis that stops for 10 s loses nothing.
func TestPaused(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	server := brokertest.Redis(t)
	sites := newSites(t, connect(t, server.Addr()), 2, Options{}, nil)
	senders, remote := fault(t, sites, func(emit func(int)) {
		server.Pause()
		end := time.After(10 * time.Second)
		for running := true; running; {
			emit(10)
			select {
			case <-end:
				running = false
			case <-time.After(50 * time.Millisecond):
			}
		}
		server.Resume()
	})
	whole(t, senders, remote, 0)
}

// whole checks that nothing was lost.
func whole(t *testing.T, senders []*sender, remote []int, gaps int64) {
	for i, e := range senders {
		until(t, "all is published", func() bool { return e.s.streams.Stats().Published == int64(e.n) })
		if stats := e.s.streams.Stats(); remote[i] != e.n || stats.Dropped != 0 || stats.Gaps != gaps {
			t.Errorf("%s: %d of %d have come; %+v", e.name, remote[i], e.n, stats)
		}
	}
}

// A Redis that is far away is no obstacle.
func TestSlow(t *testing.T) {
	proxy := brokertest.NewProxy(t, brokertest.Redis(t).Addr())
	proxy.Delay(50 * time.Millisecond)
	sites := newSites(t, connect(t, proxy.Addr()), 2, Options{MaxLen: 100_000}, nil)
	senders, remote := fault(t, sites, func(emit func(int)) { emit(5000) })
	whole(t, senders, remote, 0)
}

// Connections that are cut cost at most what was under way to Redis: a stream is read on
// where it was.
func TestCut(t *testing.T) {
	proxy := brokertest.NewProxy(t, brokertest.Redis(t).Addr())
	sites := newSites(t, connect(t, proxy.Addr()), 2, Options{}, nil)
	const cuts = 5
	senders, remote := fault(t, sites, func(emit func(int)) {
		for range cuts {
			emit(500)
			proxy.Cut()
			emit(500)
			for _, s := range sites {
				until(t, "subscribed again", func() bool { return s.streams.subscriber.Generation() > 0 })
			}
		}
	})
	for i, e := range senders {
		stats := e.s.streams.Stats()
		lost := int64(e.n - remote[i])
		if stats.Published+stats.Dropped != int64(e.n) || lost > stats.Dropped || stats.Gaps == 0 {
			t.Errorf("%s: %d of %d have come; %+v", e.name, remote[i], e.n, stats)
		}
	}
}

// While nobody can read, a stream may be trimmed or forgotten. Then there is a gap.
func TestGaps(t *testing.T) {
	for _, tt := range []struct {
		name     string
		commands [][]string
	}{
		{"trimmed", [][]string{{"XADD", "socket.io", "*", "x", "y"}, {"XTRIM", "socket.io", "MAXLEN", "1"}}},
		{"forgotten", [][]string{{"DEL", "socket.io"}}},
		{"older", [][]string{{"DEL", "socket.io"}, {"XADD", "socket.io", "1-1", "x", "y"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := brokertest.Redis(t)
			near, far := brokertest.NewProxy(t, server.Addr()), connect(t, server.Addr())
			a := newSites(t, connect(t, near.Addr()), 1, Options{}, nil)[0]
			b := newSites(t, far, 1, Options{}, nil)[0]
			g := a.guest("e")
			b.io.Emit("e", 1)
			g.next()
			near.Refuse()
			near.Cut()
			for _, command := range append([][]string{{"XADD", "socket.io", "*", "x", "y"}}, tt.commands...) {
				if _, err := server.Do(command...); err != nil {
					t.Fatal(err)
				}
			}
			near.Accept()
			until(t, "gap", func() bool { return a.streams.Stats().Gaps == 2 }) // one of the subscriptions
			for i := 0; len(g.got) == 0; i++ {                                  // the id of an entry is a time
				if i > 1000 {
					t.Fatal("nothing comes")
				}
				b.io.Emit("e", 2)
				until(t, "published", func() bool { return b.streams.Stats().Published == int64(i+2) })
			}
			if n := a.streams.Stats().Gaps; n != 2 {
				t.Errorf("%d gaps", n)
			}
		})
	}
}

// Entries that are trimmed while a server is too busy to read them are noticed too.
func TestOverrun(t *testing.T) {
	server := brokertest.Redis(t)
	sites := newSites(t, connect(t, server.Addr()), 1, Options{ReadCount: 10}, nil)
	s := sites[0]
	g := s.guest("e")
	event := `{"packet":{"type":2,"data":["e"]},"opts":{"rooms":[],"except":[],"flags":{}}}`
	// One transaction: the reader sees what is left of a hundred entries.
	script := `for i = 1, 100 do redis.call("XADD", KEYS[1], "*", "uid", "x", "nsp", "/", "type", "3", "data", ARGV[1]) end
		redis.call("XTRIM", KEYS[1], "MAXLEN", "20")`
	for range 2 { // the first time nothing was read before, so nothing can be missing
		if _, err := server.Do("EVAL", script, "1", "socket.io", event); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			g.next()
		}
	}
	until(t, "gap", func() bool { return s.streams.Stats().Gaps == 1 })
}

// What does not fit the queue while Redis is away is dropped, counted and said.
func TestQueue(t *testing.T) {
	server := brokertest.Redis(t)
	sites := newSites(t, connect(t, server.Addr()), 1, Options{QueueBytes: 5_000}, nil)
	s := sites[0]
	g := s.guest("e")
	server.Stop()
	failed := 0
	for range 200 {
		if s.io.Emit("e", 1) != nil {
			failed++
		}
	}
	for range 200 {
		g.next()
	}
	if stats := s.streams.Stats(); failed < 100 || stats.Dropped < int64(failed) {
		t.Errorf("%d have failed, %+v", failed, stats)
	}
}
