package cluster

import (
	"context"
	"sync"
)

// Users counts those who use what is closed in the end: a socketio.Local. The zero value is
// ready. Its methods may be called from any goroutine.
type Users struct {
	mu     sync.Mutex
	busy   int
	calls  int // of these, those that have come by EnterCall
	closed bool
	idle   chan struct{} // closed when busy is 0; nil: nobody waits for that
}

// Enter counts one more user, until Leave. It returns false if there may be none.
func (u *Users) Enter() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return false
	}
	u.busy++
	return true
}

// EnterCall is Enter for one who waits, until LeaveCall, unless that many wait already.
func (u *Users) EnterCall(most int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || u.calls >= most {
		return false
	}
	u.busy++
	u.calls++
	return true
}

// Leave is the end of Enter.
func (u *Users) Leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.leave()
}

// LeaveCall is the end of EnterCall.
func (u *Users) LeaveCall() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls--
	u.leave()
}

func (u *Users) leave() {
	if u.busy--; u.busy == 0 && u.idle != nil {
		close(u.idle)
		u.idle = nil
	}
}

// Close lets nobody in any more, and waits until all have left. If ctx ends first it
// returns the error of ctx.
func (u *Users) Close(ctx context.Context) error {
	u.mu.Lock()
	u.closed = true
	if u.busy == 0 {
		u.mu.Unlock()
		return nil
	}
	if u.idle == nil {
		u.idle = make(chan struct{})
	}
	idle := u.idle
	u.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
