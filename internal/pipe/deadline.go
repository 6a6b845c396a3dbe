package pipe

import (
	"sync"
	"time"
)

// A deadline is a moment after which calls of one direction fail. It is
// guarded by the mutex of its stream.
type deadline struct {
	passed bool
	timer  *time.Timer // nil unless one is set in the future
}

// set moves the deadline to t, or takes it away if t is zero, and wakes
// through changed whoever has to look again.
func (d *deadline) set(changed *sync.Cond, t time.Time) {
	d.stop()
	d.passed = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		changed.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		changed.L.Lock()
		defer changed.L.Unlock()
		if d.timer == timer { // else another deadline has been set meanwhile
			d.passed = true
			changed.Broadcast()
		}
	})
	d.timer = timer
}

// stop forgets a timer that runs.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
