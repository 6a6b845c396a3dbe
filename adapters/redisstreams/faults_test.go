package redisstreams

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/socketio"
)

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

// overrun puts a hundred entries into the stream in one transaction, after which the last twenty are left.
func overrun(t *testing.T, server *brokertest.Server) {
	t.Helper()
	const event = `{"packet":{"type":2,"data":["e"]},"opts":{"rooms":[],"except":[],"flags":{}}}`
	const script = `for i = 1, 100 do redis.call("XADD", KEYS[1], "*", "uid", "x", "nsp", "/", "type", "3", "data", ARGV[1]) end
		redis.call("XTRIM", KEYS[1], "MAXLEN", "20")`
	if _, err := server.Do("EVAL", script, "1", "socket.io", event); err != nil {
		t.Fatal(err)
	}
}

// Entries that are trimmed while a server is too busy to read them are noticed too, whether what
// is left is read at once or not.
func TestOverrun(t *testing.T) {
	for name, o := range map[string]Options{"in parts": {ReadCount: 10}, "at once": {MaxLen: 20}} {
		t.Run(name, func(t *testing.T) {
			server := brokertest.Redis(t)
			s := newSites(t, connect(t, server.Addr()), 1, o, nil)[0]
			g := s.guest("e")
			for range 2 { // the first time nothing was read before, so nothing can be missing
				overrun(t, server)
				for range 20 {
					g.next()
				}
			}
			if n := s.streams.Stats().Gaps; n != 1 {
				t.Errorf("%d gaps", n)
			}
		})
	}
}

// They are noticed before any entry that follows is delivered. So a client whose session was
// found before, and that comes back after, is new rather than without what is missing.
func TestOverrunWhileClientReturns(t *testing.T) {
	server := brokertest.Redis(t)
	n := newFront(t, connect(t, server.Addr()), Options{ReadCount: 10}).node()
	l := n.log()
	overrun(t, server)
	var from string
	until(t, "the first entries", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		from = l.reader.done.position()
		return len(l.tail.list) == 20 && from == l.tail.list[19].id
	})
	s := socketio.Session{ID: "sid", PID: "pid", Connected: from, Lost: from}
	func() {
		l.mu.Lock() // nothing is delivered
		defer l.mu.Unlock()
		overrun(t, server)
		until(t, "the gap", func() bool { return n.streams.Stats().Gaps == 1 })
		if len(l.tail.list) != 20 {
			t.Errorf("%d events are kept", len(l.tail.list))
		}
	}()
	until(t, "the next entries", func() bool { return l.reader.done.position() != from })
	if err := l.Resume(soon(t), s, "", nil); err != errTrimmed {
		t.Errorf("Resume: %v", err)
	}
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

// An entry that is larger than MaxMessage is refused, which the log says, and the next one is taken.
func TestLargeEntry(t *testing.T) {
	client := connect(t, brokertest.Redis(t).Addr())
	log := new(lines)
	small := newSites(t, client, 1, Options{MaxMessage: 10_000, Logger: slog.New(slog.NewTextHandler(log, nil))}, nil)[0]
	large := newSites(t, client, 1, Options{}, nil)[0]
	g := small.guest("e")
	for _, size := range []int{20_000, 1} {
		if err := large.io.Emit("e", strings.Repeat("x", size)); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.next(); len(got) != 2 || got[1] != "x" {
		t.Errorf("%.50v", got)
	}
	if stats := small.streams.Stats(); stats.Refused != 1 || stats.Gaps != 0 {
		t.Errorf("%+v", stats)
	}
	if log.count("was refused") != 1 || log.count(errLarge.Error()) != 1 {
		t.Errorf("the log is %q, want one line that says why", log.text)
	}
}

// A request ends after RequestTime if the others do not answer.
func TestRequestTime(t *testing.T) {
	server := brokertest.Redis(t)
	o := Options{RequestTime: 100 * time.Millisecond}
	a := newSites(t, connect(t, server.Addr()), 2, o, nil)[0]
	until(t, "two servers", func() bool {
		n, err := a.io.Nodes(soon(t))
		return n == 2 && err == nil
	})
	server.Pause()
	defer server.Resume()
	began := time.Now()
	_, err := a.io.FetchSockets(soon(t))
	if d := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || d < o.RequestTime || d > 4*time.Second {
		t.Errorf("FetchSockets: %v after %v", err, d)
	}
}
