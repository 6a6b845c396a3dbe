package pipe

import (
	"sync"
	"time"
)

// A deadline is the time after which calls of one direction fail. The mutex of its
// stream guards it.
type deadline struct {
	passed bool
	timer  *time.Timer // nil unless the deadline is in the future
}

// set moves the deadline to t, or removes it if t is zero. When the deadline
// passes, changed is broadcast, so that waiting calls look again.
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
		if d.timer == timer { // otherwise set or stop was called in the meantime
			d.passed = true
			changed.Broadcast()
		}
	})
	d.timer = timer
}

// stop stops the timer, if there is one.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
