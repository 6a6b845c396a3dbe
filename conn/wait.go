package conn

import (
	"context"
	"time"

	"github.com/parleyws/parley/frame"
)

// A wait is what is known of the read that waits for octets: it can be woken
// by the end of its ctx and is watched by a timer. Guarded by inbound.mu.
type wait struct {
	on     bool // a read waits
	woken  bool // its deadline has been set into the past
	pinged bool // since the last octet
	ended  bool // the watch

	since    time.Time     // when the wait began
	err      error         // why the connection is to be failed
	quiet    time.Duration // waited before without an octet
	pingedAt time.Duration // what quiet was then
	timer    *time.Timer
}

// beginWait marks the start of a wait, unless there is a reason not to wait.
func (in *inbound) beginWait(ctx context.Context) error {
	now := time.Now()
	in.mu.Lock()
	w := &in.wait
	w.on, w.since = true, now
	err := w.err
	if !in.budget() {
		err = errTrickle
	}
	in.mu.Unlock()
	// Asked after on is set: a ctx that ends from here on wakes us.
	ctxErr := contextError("read", ctx)
	if err == nil && ctxErr == nil {
		return nil
	}
	in.endWait(0)
	switch {
	case err == errDeadPeer:
		in.c.drop(streamEnd, err)
		return in.c.end.err()
	case err != nil:
		return in.fail(err)
	}
	return ctxErr
}

// budget reports whether the message under way may wait for more octets. It
// has MessageTime to wait altogether, and a second for each KiB that comes.
// What the application takes between its reads does not count.
func (in *inbound) budget() bool {
	if !in.feed.underWay() {
		in.slow = false
		return true
	}
	l := in.c.limits
	if !in.slow && l.MessageTime < noTime {
		in.slow, in.spare = true, l.MessageTime
		if in.spare < l.PingInterval { // the watch may come too late for this
			in.watchIn(in.spare)
		}
	}
	return !in.slow || in.spare > 0
}

// endWait marks the end of a wait that brought n octets, and reports whether
// it was woken by us.
func (in *inbound) endWait(n int) (woken bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := &in.wait
	w.on = false
	if in.slow || n <= 0 {
		waited := time.Since(w.since)
		in.spare += time.Duration(n)*(time.Second/1024) - waited
		w.quiet += waited
	}
	if n > 0 {
		w.quiet, w.pinged = 0, false
	}
	if woken = w.woken; woken {
		w.woken = false
		in.c.src.rest()
	}
	return woken
}

// wake makes the read that waits return. Called with mu held.
func (in *inbound) wake() {
	in.wait.woken = true
	if !in.c.src.wake() {
		go in.c.cut()
	}
}

// watchIn makes the watch look after d at the latest.
func (in *inbound) watchIn(d time.Duration) {
	w := &in.wait
	switch {
	case w.ended:
	case w.timer == nil:
		w.timer = time.AfterFunc(d, in.tick)
	default:
		w.timer.Reset(d)
	}
}

// startWatch starts the keepalive.
func (in *inbound) startWatch() {
	if d := in.c.limits.PingInterval; d < noTime {
		if in.c.src.raw != nil {
			setUserTimeout(in.c.src.raw, userTimeout)
		}
		in.mu.Lock()
		in.wait.timer = time.AfterFunc(d, in.tick)
		in.mu.Unlock()
	}
}

// userTimeout is how long TCP may wait for what we sent to be acknowledged.
const userTimeout = 30 * time.Second

// tick is the watch: one timer for everything that a waiting read may run
// into. It looks, acts, and asks for its next turn; a read costs it nothing.
func (in *inbound) tick() {
	l := in.c.limits
	unsent := in.c.Unsent()
	in.mu.Lock()
	w := &in.wait
	if w.ended {
		in.mu.Unlock()
		return
	}
	now := time.Now()
	quiet := w.quiet
	if w.on {
		quiet += now.Sub(w.since)
	}
	ping := false
	next := l.PingInterval - quiet
	switch {
	case w.pinged:
		next = w.pingedAt + l.PingTimeout - quiet
		switch {
		case next > 0 || !w.on:
		case unsent:
			// The Ping lies behind what the peer is still receiving, for which
			// WriteTimeout is the judge.
			w.pingedAt, next = quiet, l.PingTimeout
		default:
			w.err = errDeadPeer
			in.wake()
		}
	case next <= 0 && w.on:
		ping, w.pinged, w.pingedAt = true, true, quiet
		next = l.PingTimeout
	}
	next = min(next, l.PingInterval) // by then a Pong may have come, and the next Ping be due
	if in.slow {
		left := in.spare
		if w.on {
			left -= now.Sub(w.since)
		}
		if left <= 0 && w.on {
			in.wake() // beginWait judges
		}
		next = min(next, left)
	}
	if next <= 0 { // due, but nobody waits
		next = time.Second
	}
	if next < noTime-quiet {
		w.timer.Reset(next)
	}
	in.mu.Unlock()
	if ping {
		in.c.out.control(frame.Ping, nil, false)
	}
}

// over ends the watch and lets go of a ctx.
func (in *inbound) over() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.wait.ended = true
	if in.wait.timer != nil {
		in.wait.timer.Stop()
	}
	in.arm.stopNow()
}

// An armed is the registration of the ctx of reads, so that its end wakes the
// read that waits. It is made only when a read is about to wait, and kept from
// the second read in a row with the same Done channel on: a ctx that is used
// again and again costs one registration. Guarded by inbound.mu.
type armed struct {
	done <-chan struct{} // of the registered ctx; nil: none
	stop func() bool
	last <-chan struct{} // of the last call's ctx
	keep bool
}

// used takes note of the Done channel of a call. The turn is held.
func (a *armed) used(done <-chan struct{}) {
	a.keep = done == a.last
	a.last = done
}

// register sees to it that the end of ctx wakes the read, if now is set, and
// reports whether it does.
func (in *inbound) register(ctx context.Context, now bool) bool {
	done := in.c.done(ctx)
	if done == nil {
		return true
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	a := &in.arm
	switch {
	case done == a.done:
		return true
	case !now:
		return false
	}
	a.stopNow()
	a.done = done
	a.stop = context.AfterFunc(ctx, func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.arm.done == done && in.wait.on {
			in.wake()
		}
	})
	return true
}

// leave ends the registration unless the same ctx is used again and again.
func (a *armed) leave() {
	if !a.keep {
		a.stopNow()
	}
}

func (a *armed) stopNow() {
	if a.stop != nil {
		a.stop()
	}
	a.done, a.stop = nil, nil
}
