// Package alarm lets many wait for a moment each with one timer of the runtime, which takes
// some 150 bytes: a Clock takes 28.
package alarm

import (
	"sync"
	"time"
)

// A Sleeper waits for a moment.
type Sleeper interface {
	// Ring is called when the moment has come, once. It must not block: others wait. It
	// may set the Clock again. No lock is held.
	Ring()
	// Place returns a number of the Sleeper's that belongs to the Clock. It begins as zero.
	Place() *int32
}

// A Clock rings when the moments of its Sleepers have come. The zero value is ready. All
// methods may be called from any goroutine.
type Clock struct {
	mu    sync.Mutex
	queue queue
	timer *time.Timer   // nil: it was never needed
	next  time.Duration // when the timer fires; 0: it does not
}

// Moments are counted from here, in a third of a time.Time's bytes.
var began = time.Now()

// Set makes the Clock ring for s after d, and at no other moment.
func (c *Clock) Set(s Sleeper, d time.Duration) {
	at := time.Since(began) + d
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue.set(s, at)
	c.arm()
}

// SetBy is Set, unless the Clock rings for s before that.
func (c *Clock) SetBy(s Sleeper, d time.Duration) {
	at := time.Since(began) + d
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.queue.rings(s, at) {
		c.queue.set(s, at)
		c.arm()
	}
}

// Stop makes the Clock not ring for s. Ring may be on its way.
func (c *Clock) Stop(s Sleeper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue.remove(s)
	if len(c.queue) == 0 && c.timer != nil {
		c.timer.Stop()
		c.next = 0
	}
}

// arm sets the timer to the first moment, unless it fires before: to fire too early costs
// less than to set it again. Called with mu held.
func (c *Clock) arm() {
	if len(c.queue) == 0 {
		return
	}
	first := c.queue[0].at
	if c.next != 0 && c.next <= first {
		return
	}
	c.next = first
	d := first - time.Since(began)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.fire)
	} else {
		c.timer.Reset(d)
	}
}

// fire rings for all whose moments have come.
func (c *Clock) fire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = 0
	now := time.Since(began)
	for len(c.queue) > 0 && c.queue[0].at <= now {
		s := c.queue[0].sleeper
		c.queue.remove(s)
		c.mu.Unlock()
		s.Ring()
		c.mu.Lock()
	}
	c.arm()
}

// An entry is a Sleeper's moment.
type entry struct {
	at      time.Duration
	sleeper Sleeper
}

// A queue is a binary heap of moments: none comes before its parent, which is at half its index. The place
// of a Sleeper is its index and one.
type queue []entry

// put puts e at index i.
func (q queue) put(i int, e entry) {
	q[i] = e
	*e.sleeper.Place() = int32(i + 1)
}

// fix moves the entry at index i to where it belongs.
func (q queue) fix(i int) {
	e := q[i]
	for i > 0 && e.at < q[(i-1)/2].at {
		q.put(i, q[(i-1)/2])
		i = (i - 1) / 2
	}
	for {
		child := 2*i + 1
		if child+1 < len(q) && q[child+1].at < q[child].at {
			child++
		}
		if child >= len(q) || e.at <= q[child].at {
			break
		}
		q.put(i, q[child])
		i = child
	}
	q.put(i, e)
}

// set sets the moment of s.
func (q *queue) set(s Sleeper, at time.Duration) {
	i := int(*s.Place()) - 1
	if i < 0 {
		i = len(*q)
		*q = append(*q, entry{})
	}
	(*q)[i] = entry{at, s}
	q.fix(i)
}

// rings reports whether the moment of s is set, and not after at.
func (q queue) rings(s Sleeper, at time.Duration) bool {
	i := int(*s.Place()) - 1
	return i >= 0 && q[i].at <= at
}

// remove removes s, which may not be there.
func (q *queue) remove(s Sleeper) {
	i, last := int(*s.Place())-1, len(*q)-1
	if i < 0 {
		return
	}
	e := (*q)[last]
	(*q)[last] = entry{}
	*q = (*q)[:last]
	*s.Place() = 0
	if i < last {
		(*q)[i] = e
		q.fix(i)
	}
}
