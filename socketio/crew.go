package socketio

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A crew is the goroutines on which the actors of a server, or of a client, run their
// handlers. A goroutine that has nothing left to do waits a while for another actor. Handling
// an event takes more stack than a new goroutine has, and growing that stack for
// each event would cost as much as the library's part of handling it.
//
// An actor never waits for a goroutine: the crew has as many as there are handlers
// that run.
type crew struct {
	mu    sync.Mutex
	busy  int           // goroutines that run an actor, or are about to end
	idle  []chan worker // goroutines that wait for an actor; the last one has waited the shortest
	least int           // the least length of idle since thin was called
	timer *time.Timer   // calls thin; if it is nil no goroutine is idle and least is 0
	empty chan struct{} // closed when no goroutine is left; nil: nobody waits for that
}

// A worker is what a goroutine of the crew runs: an actor, or the serverEvents of a
// namespace.
type worker interface{ run() }

const (
	// crewIdle is how many goroutines may wait for an actor. Handlers that don't
	// block need one for each processor.
	crewIdle = 32
	// crewRest is how often the goroutines that were not needed are ended.
	crewRest = time.Second
)

// run calls a.run on a goroutine of the crew.
func (c *crew) run(a worker) {
	c.mu.Lock()
	c.busy++
	n := len(c.idle) - 1
	if n < 0 {
		c.mu.Unlock()
		go c.work(a)
		return
	}
	next := c.idle[n]
	c.idle = c.idle[:n]
	c.least = min(c.least, n)
	c.mu.Unlock()
	next <- a // there is room
}

// borrow counts a goroutine of somebody else's, which calls done at its end.
func (c *crew) borrow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy++
}

// work is what a goroutine of the crew does. A handler may end the goroutine by
// runtime.Goexit.
func (c *crew) work(a worker) {
	defer c.done()
	next := make(chan worker, 1)
	for a != nil {
		a.run()
		if !c.rest(next) {
			return
		}
		a = <-next
	}
}

// rest makes a goroutine idle. Its next actor will come by the channel next, or
// nil to end it. rest returns false if enough goroutines are idle.
func (c *crew) rest(next chan worker) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= crewIdle || c.empty != nil {
		return false
	}
	c.busy--
	c.idle = append(c.idle, next)
	if c.timer == nil {
		c.timer = time.AfterFunc(crewRest, c.thin)
	}
	return true
}

// thin ends the goroutines that were not needed since its last call.
func (c *crew) thin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dismiss(c.least)
	c.least = len(c.idle)
	if c.timer = nil; c.least > 0 {
		c.timer = time.AfterFunc(crewRest, c.thin)
	}
}

// dismiss ends the n goroutines that have been idle longest. Called with mu held.
func (c *crew) dismiss(n int) {
	for _, next := range c.idle[:n] {
		next <- nil
	}
	c.busy += n
	c.idle = slices.Delete(c.idle, 0, n)
	c.least = min(c.least, len(c.idle))
}

// done is called at the end of a goroutine.
func (c *crew) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	if c.busy == 0 && c.empty != nil {
		close(c.empty)
		c.empty = nil
	}
}

// wait waits until all goroutines have ended. If ctx ends first it returns the
// error of ctx.
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
