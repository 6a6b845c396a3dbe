package alarm

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A sleeper notes when it was rung for.
type sleeper struct {
	place int32
	mu    sync.Mutex
	rang  []time.Time
	then  func()
}

func (s *sleeper) Place() *int32 { return &s.place }

func (s *sleeper) Ring() {
	s.mu.Lock()
	s.rang = append(s.rang, time.Now())
	s.mu.Unlock()
	if s.then != nil {
		s.then()
	}
}

// inBubble runs f in a bubble, in whose time moments are counted: before the program has begun they
// would be negative.
func inBubble(t *testing.T, f func(t *testing.T)) {
	defer func(before time.Time) { began = before }(began)
	synctest.Test(t, func(t *testing.T) {
		began = time.Now()
		f(t)
	})
}

// However moments are set, moved and stopped, the Clock rings for each at its moment and at no
// other.
func TestClock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(14, 1))
		var c Clock
		sleepers := make([]*sleeper, 50)
		want := make([][]time.Time, len(sleepers))
		due := make([]time.Time, len(sleepers)) // zero: none
		for i := range sleepers {
			sleepers[i] = &sleeper{}
		}
		pass := func(until time.Time) {
			for i, at := range due {
				if !at.IsZero() && !at.After(until) {
					want[i], due[i] = append(want[i], at), time.Time{}
				}
			}
		}
		for range 5000 {
			i := random.IntN(len(sleepers))
			switch random.IntN(5) {
			case 0:
				c.Stop(sleepers[i])
				due[i] = time.Time{}
			case 1:
				time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
				synctest.Wait()
				pass(time.Now())
			default:
				d := time.Duration(1+random.IntN(1000)) * time.Millisecond
				at := time.Now().Add(d)
				if random.IntN(2) == 0 {
					c.Set(sleepers[i], d)
					due[i] = at
				} else {
					c.SetBy(sleepers[i], d)
					if due[i].IsZero() || due[i].After(at) {
						due[i] = at
					}
				}
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		pass(time.Now())
		for i, s := range sleepers {
			if len(s.rang) != len(want[i]) {
				t.Fatalf("sleeper %d: rung for %d times, want %d", i, len(s.rang), len(want[i]))
			}
			for n := range s.rang {
				if !s.rang[n].Equal(want[i][n]) {
					t.Fatalf("sleeper %d: rung for at %v, want %v", i, s.rang[n], want[i][n])
				}
			}
		}
		if len(c.queue) != 0 || c.next != 0 {
			t.Errorf("%d moments are left, the timer fires at %v", len(c.queue), c.next)
		}
	})
}

// Ring may set the Clock again, and stop others.
func TestRingSets(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var c Clock
		again, stopped := &sleeper{}, &sleeper{}
		again.then = func() {
			c.Stop(stopped)
			if len(again.rang) < 3 {
				c.Set(again, time.Second)
			}
		}
		start := time.Now()
		c.Set(again, time.Second)
		c.Set(stopped, time.Second+1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(again.rang) != 3 || again.rang[2].Sub(start) != 3*time.Second || len(stopped.rang) != 0 {
			t.Errorf("rung for %v and %v", again.rang, stopped.rang)
		}
	})
}

// A Clock that nobody waits for has no timer running, so that it can be forgotten.
func TestIdleClock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var c Clock
		s := &sleeper{}
		c.Stop(s)
		c.Set(s, time.Hour)
		c.Stop(s)
		c.Stop(s)
		if c.timer.Stop() {
			t.Error("its timer runs")
		}
		c.Set(s, time.Minute)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(s.rang) != 1 {
			t.Errorf("rung for %d times after it had been stopped and set again", len(s.rang))
		}
		c.Set(s, time.Minute)
		c.Stop(s)
		c.Set(s, time.Hour) // later than the timer was for
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(s.rang) != 2 {
			t.Errorf("rung for %d times after it had been stopped and set to later", len(s.rang))
		}
	})
}

// Setting moments allocates nothing once there are as many.
func BenchmarkSet(b *testing.B) {
	var c Clock
	sleepers := make([]*sleeper, 10_000)
	for i := range sleepers {
		sleepers[i] = &sleeper{}
		c.Set(sleepers[i], time.Hour+time.Duration(i)*time.Millisecond)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Set(sleepers[i%len(sleepers)], 2*time.Hour)
	}
}
