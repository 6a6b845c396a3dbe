package socketio

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A crew is the goroutines of a server's sockets. One that has nothing left to
// do waits a while for another socket, since handling an event takes more stack
// than a goroutine begins with: to grow it for each event anew costs as much as
// the library's part of handling it.
//
// A socket never waits for a goroutine: there are as many as there are handlers
// that run.
type crew struct {
	mu    sync.Mutex
	busy  int            // goroutines that have a socket, or are about to end
	idle  []chan *Socket // those that wait, the last one to have worked at the end
	least int            // of idle since thin was called
	timer *time.Timer    // calls thin; nil while nobody is idle
	empty chan struct{}  // closed when nobody is left; nil: that is not awaited
}

const (
	// crewIdle is how many goroutines may wait for a socket. Those whose
	// handlers don't block need one for each processor.
	crewIdle = 32
	// crewRest is how often those that were not needed are sent away.
	crewRest = time.Second
)

// run has s.run called on a goroutine of the crew.
func (c *crew) run(s *Socket) {
	c.mu.Lock()
	c.busy++
	n := len(c.idle) - 1
	if n < 0 {
		c.mu.Unlock()
		go c.work(s)
		return
	}
	next := c.idle[n]
	c.idle = c.idle[:n]
	c.least = min(c.least, n)
	c.mu.Unlock()
	next <- s // there is room
}

// work is a goroutine of the crew. A handler may end it by runtime.Goexit.
func (c *crew) work(s *Socket) {
	defer c.done()
	next := make(chan *Socket, 1)
	for s != nil {
		s.run()
		if !c.rest(next) {
			return
		}
		s = <-next
	}
}

// rest makes a goroutine idle, whose next socket, or nil for its end, will come
// by next; unless there are enough of those.
func (c *crew) rest(next chan *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= crewIdle || c.empty != nil {
		return false
	}
	c.busy--
	c.idle = append(c.idle, next)
	if c.timer == nil {
		c.least = 0
		c.timer = time.AfterFunc(crewRest, c.thin)
	}
	return true
}

// thin sends those away that were not needed since it was called before.
func (c *crew) thin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dismiss(c.least)
	c.least = len(c.idle)
	if c.timer = nil; c.least > 0 {
		c.timer = time.AfterFunc(crewRest, c.thin)
	}
}

// dismiss sends n of those away that wait, who have waited longest.
func (c *crew) dismiss(n int) {
	for _, next := range c.idle[:n] {
		next <- nil
	}
	c.busy += n
	c.idle = slices.Delete(c.idle, 0, n)
	c.least = min(c.least, len(c.idle))
}

// done is the end of a goroutine.
func (c *crew) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	if c.busy == 0 && c.empty != nil {
		close(c.empty)
		c.empty = nil
	}
}

// wait waits until all have ended, or ctx.
func (c *crew) wait(ctx context.Context) error {
	c.mu.Lock()
	c.dismiss(len(c.idle))
	if c.busy == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.empty == nil {
		c.empty = make(chan struct{})
	}
	empty := c.empty
	c.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
