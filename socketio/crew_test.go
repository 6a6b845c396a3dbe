package socketio

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// recruits returns sockets of a server that do nothing but tasks.
func recruits(n int) (*crew, []*Socket) {
	server := new(Server)
	list := make([]*Socket, n)
	for i := range list {
		list[i] = &Socket{namespace: &Namespace{server: server}}
		list[i].owner = list[i]
	}
	return &server.work, list
}

func (c *crew) count() (busy, idle int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy, len(c.idle)
}

// Whoever waits again waits for what has begun since.
func TestCrewWaitsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sockets := recruits(1)
		done := 0
		for range 3 {
			sockets[0].dispatch(task{do: func() { time.Sleep(time.Second); done++ }})
			if err := c.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if done != 3 {
			t.Errorf("%d of 3 tasks done", done)
		}
	})
}

// Every socket that has something to do has a goroutine. Some of them wait for
// more when it is done, and go when that does not come.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2 * crewIdle
		c, sockets := recruits(n)
		want := func(busy, idle int) {
			t.Helper()
			synctest.Wait()
			if b, i := c.count(); b != busy || i != idle {
				t.Fatalf("%d busy and %d idle, want %d and %d", b, i, busy, idle)
			}
		}
		for range 3 {
			gate := make(chan struct{})
			for _, s := range sockets {
				s.dispatch(task{do: func() { <-gate }})
			}
			want(n, 0)
			close(gate)
			want(0, crewIdle)
		}
		ran := 0
		for range 10 { // one goroutine is enough for these
			sockets[0].dispatch(task{do: func() { ran++ }})
			time.Sleep(crewRest / 2)
		}
		want(0, 1)
		time.Sleep(2 * crewRest)
		want(0, 0)
		c.mu.Lock()
		if c.timer != nil {
			t.Error("a timer runs for nobody")
		}
		c.mu.Unlock()
		sockets[0].dispatch(task{do: func() { ran++ }})
		want(0, 1)
		if ran != 11 {
			t.Errorf("%d tasks done", ran)
		}
		if err := c.wait(t.Context()); err != nil {
			t.Error(err)
		}
		want(0, 0)
	})
}

// wait waits for handlers, and leaves nobody behind.
func TestCrewWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sockets := recruits(3)
		gate := make(chan struct{})
		sockets[0].dispatch(task{do: func() { <-gate }})
		sockets[1].dispatch(task{do: func() {}})
		sockets[2].dispatch(task{do: func() {}})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := c.wait(ctx); err != context.DeadlineExceeded {
			t.Errorf("wait with a handler that runs: %v", err)
		}
		time.AfterFunc(time.Second, func() { close(gate) })
		if err := c.wait(t.Context()); err != nil {
			t.Error(err)
		}
		if busy, idle := c.count(); busy != 0 || idle != 0 {
			t.Errorf("%d busy and %d idle are left", busy, idle)
		}
	})
}

// All who wait learn of the end.
func TestCrewWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sockets := recruits(1)
		gate := make(chan struct{})
		sockets[0].dispatch(task{do: func() { <-gate }})
		waited := make(chan error, 3)
		for range cap(waited) {
			go func() { waited <- c.wait(t.Context()) }()
			synctest.Wait()
		}
		close(gate)
		for range cap(waited) {
			if err := <-waited; err != nil {
				t.Error(err)
			}
		}
	})
}
