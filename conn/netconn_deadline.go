package conn

import (
	"context"
	"os"
	"sync"
	"time"
)

// A deadline is a ctx that ends at a time that can be moved. As long as it is
// not it stays the same ctx.
type deadline struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func newDeadline() *deadline {
	d := &deadline{}
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
	return d
}

// context returns the ctx of a call, or the error of one that would be late.
func (d *deadline) context() (context.Context, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return nil, context.Cause(d.ctx)
	}
	return d.ctx, nil
}

// set moves the deadline; calls that wait follow it.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.ctx.Err() != nil {
		d.ctx, d.cancel = context.WithCancelCause(context.Background())
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.cancel(os.ErrDeadlineExceeded)
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timer == timer { // else it was moved when the timer had fired
			d.cancel(os.ErrDeadlineExceeded)
		}
	})
	d.timer = timer
}
