package conn_test

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parleyws/parley/conn"
)

var (
	livesFlag = flag.Int("lives", 0, "how many lives of a connection to live; 0 is as many as take a few seconds")
	seedFlag  = flag.Uint64("seed", 0, "the seed of the one life to live, and to print, -lives times or until it goes wrong")
)

// TestLives lives many lives: whatever the application, the peer and the stream
// do, what ARCHITECTURE.md says of a connection's life holds. A life that goes
// wrong is made as short as it can be and printed.
func TestLives(t *testing.T) {
	if *seedFlag != 0 {
		liveSeed(t, *seedFlag, max(1, *livesFlag))
		return
	}
	lives := *livesFlag
	if lives == 0 {
		lives = 8000
		if testing.Short() || conn.RaceEnabled {
			lives = 500
		}
	}
	var next, failed atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for failed.Load() < 5 {
				seed := next.Add(1)
				if seed > int64(lives) {
					return
				}
				s := newLifeScript(uint64(seed))
				if _, faults := liveOnce(t, s); len(faults) > 0 {
					failed.Add(1)
					t.Errorf("seed %d, shortened:\n%s", seed, report(shorten(t, s, faults)))
				}
			}
		})
	}
	workers.Wait()
}

// liveSeed lives one life so many times, or until it goes wrong, and prints it.
func liveSeed(t *testing.T, seed uint64, times int) {
	for n := range times {
		l, faults := liveOnce(t, newLifeScript(seed))
		if len(faults) > 0 || n == times-1 {
			t.Log(report(l, faults))
		}
		if len(faults) > 0 {
			t.Fatal("it went wrong")
		}
	}
}

// report prints a life.
func report(l *life, faults []string) string {
	var b strings.Builder
	fmt.Fprintln(&b, l.script)
	for _, a := range l.actors {
		for _, r := range a.calls {
			if r.op == opPart && r.err == nil && r.end == r.start {
				continue
			}
			fmt.Fprintf(&b, "  goroutine %d: %v\n", a.id, r)
		}
	}
	if p := l.peer; p != nil {
		fmt.Fprintf(&b, "  left open %s, closed the stream %s; reads ended %s (%v), writes %s; in %v out %v\n", at(l.left), at(l.gone),
			at(l.stream.readEnd), l.stream.readErr, at(l.stream.writeEnd), l.stream.in, l.stream.out)
		fmt.Fprintf(&b, "  the peer sent %d bytes, messages %v, Close frame to %d, garbage to %d; had our Close frame %s\n",
			p.sent, p.messages, p.closeEnd, p.badEnd, at(p.closing))
	}
	for _, f := range faults {
		fmt.Fprintf(&b, "FAULT %s\n", f)
	}
	return b.String()
}

// at puts a moment in words.
func at(m moment) string {
	if m == never {
		return "never"
	}
	return "at " + m.String()
}

// tries is how often a shorter script is lived before it counts as one that goes
// well: goroutines that meet at one moment go in any order.
const tries = 30

// shorten drops all of a script that need not be there for it to go wrong.
func shorten(t *testing.T, s *lifeScript, faults []string) (*life, []string) {
	var l *life
	fails := func(s *lifeScript) bool {
		for range tries {
			if lived, f := liveOnce(t, s); len(f) > 0 {
				l, faults = lived, f
				return true
			}
		}
		return false
	}
	if !fails(s) {
		return &life{script: s}, append(faults, "it did not go wrong again")
	}
	for again := true; again; {
		again = false
		for _, shorter := range s.shorter() {
			if fails(shorter) {
				s, again = shorter, true
				break
			}
		}
	}
	return l, faults
}

// shorter returns scripts with a little less in them.
func (s *lifeScript) shorter() (all []*lifeScript) {
	with := func(change func(*lifeScript)) {
		c := *s
		c.actors = append([][]lifeCall{}, s.actors...)
		c.events = append([]lifeEvent{}, s.events...)
		change(&c)
		all = append(all, &c)
	}
	for i := range s.actors {
		if len(s.actors[i]) > 0 {
			with(func(c *lifeScript) { c.actors[i] = nil })
		}
	}
	for i := range s.events {
		with(func(c *lifeScript) { c.events = append(c.events[:i:i], c.events[i+1:]...) })
	}
	for i, calls := range s.actors {
		for n := range calls {
			with(func(c *lifeScript) { c.actors[i] = append(calls[:n:n], calls[n+1:]...) })
		}
	}
	if s.deflate != nil {
		with(func(c *lifeScript) {
			c.deflate = nil
			for i := range c.events {
				c.events[i].compressed = false
			}
		})
	}
	for i, e := range s.events {
		if e.pieces > 1 || e.fragments > 1 {
			with(func(c *lifeScript) { c.events[i].pieces, c.events[i].fragments = 1, 1 })
		}
	}
	return all
}
