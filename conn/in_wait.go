package conn

import (
	"context"
	"time"
)

// A wait is what is known of the read that waits for bytes: it can be woken,
// and the keepalive looks after it; see in_keepalive.go. Guarded by inbound.mu.
// Times are those of clock.
type wait struct {
	on     bool   // a read waits
	last   bool   // it is the closer's
	woken  bool   // its deadline has been set into the past
	grown  bool   // its goroutine wants to be woken when it has been quiet; see receive_alone.go
	pinged bool   // a Ping has been sent since the last byte
	slow   bool   // a read has waited within the message under way, which
	missed bool   // the keepalive found nobody waiting, and is not set
	ended  bool   // nothing is watched any more
	used   bool   // a read of the application's has begun, or has waited, since inUse was asked
	number uint32 // of the wait

	since time.Duration // when the wait began
	quiet time.Duration // waited since the last byte, or since the Ping after it
}

// wakers are what wakes a goroutine that waits: the timer of the keepalive, and the end of
// a ctx. A read that a loop waits for needs neither. Guarded by inbound.mu.
type wakers struct {
	timer *time.Timer   // of the keepalive; nil: it has never been needed
	due   time.Duration // when it fires, by clock; 0: never yet
	armed
}

// needWakers returns wakers, made if need be. Called with mu held.
func (in *inbound) needWakers() *wakers {
	if in.wakers == nil {
		in.wakers = &wakers{}
	}
	return in.wakers
}

// began is what clock counts from.
var began = time.Now()

// clock returns the time in a third of a time.Time's bytes, and for half of
// what time.Now costs.
func clock() time.Duration { return time.Since(began) }

// beginWait marks the start of a wait, unless there is a reason not to wait. The wait of
// a read that was parked goes on.
func (in *inbound) beginWait(ctx context.Context) error {
	if in.wait.on {
		err := in.mayWait(ctx)
		if err != nil {
			in.endWait(0)
		}
		return err
	}
	in.mu.Lock()
	w := &in.wait
	w.on, w.since, w.grown = true, clock(), in.grown
	w.number++
	// Once the closer reads, nothing is delivered any more.
	w.used = !w.last
	if in.delivering.Load() { // a look costs less than a store
		in.delivering.Store(false)
	}
	slow := !in.budget()
	if w.missed {
		w.missed = false
		in.lookIn(0)
	}
	in.mu.Unlock()
	// Asked after on is set: an end that comes from here on wakes the read.
	err := in.mayWait(ctx)
	if err == nil && !slow {
		return nil
	}
	in.endWait(0)
	if err == nil {
		err = in.fail(errSlow)
	}
	return err
}

// mayWait returns why a read may not wait: nothing will be delivered any more,
// or ctx has ended. The closer waits until its work is done.
func (in *inbound) mayWait(ctx context.Context) error {
	l := &in.c.life
	if in.wait.last {
		if l.is(closing) || l.is(broken) {
			return nil
		}
		return errClosed
	}
	if err := in.ended(ctx); err != nil {
		return err
	}
	return in.c.contextError("read", ctx)
}

// endWait marks the end of a wait that brought n bytes, and reports whether the
// read was woken.
func (in *inbound) endWait(n int) (woken bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := &in.wait
	w.on = false
	if w.slow || n <= 0 {
		in.waited()
	}
	if n > 0 {
		w.quiet, w.pinged = 0, false
		if w.slow {
			in.parser.spare += time.Duration(n) * (time.Second / 1024)
		}
	}
	if woken = w.woken; woken {
		w.woken = false
		in.c.stream.EndWake()
	}
	return woken
}

// park leaves a wait to the loop, which reads on when there is something. It returns false
// if the read was woken instead.
func (in *inbound) park() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.wait.woken {
		return false
	}
	in.lend()
	return true
}

// waited counts the time up to now. Called with mu held.
func (in *inbound) waited() {
	w, now := &in.wait, clock()
	w.quiet += now - w.since
	if w.slow {
		in.parser.spare -= now - w.since
	}
	w.since = now
}

// interrupt makes the read that waits return, because the connection has ended.
// Where the stream can't be woken the read returns with the next bytes. If
// nobody needs those, as after a call of Close, which patient tells, the stream
// is closed instead.
func (in *inbound) interrupt(patient bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.wait.on && (!in.wake() || !in.c.stream.Trusted()) && !patient {
		in.closeIfStuck()
	}
}

// wake is interrupt with mu held. It reports whether it has woken a read.
func (in *inbound) wake() bool {
	w := &in.wait
	if w.on && !w.woken {
		w.woken = in.c.stream.Wake()
	}
	return w.woken
}

// woken reports whether the read that waits has been woken.
func (in *inbound) woken() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.wait.woken
}

// contextEnded makes the read that waits return because its ctx has ended. Where
// the stream has no deadlines, or has some that do nothing, it is closed: a call
// does not outlive its ctx by more than a second.
func (in *inbound) contextEnded() {
	switch {
	case !in.wake():
		go in.c.end(cut, errNoDeadlines)
	case !in.c.stream.Trusted():
		in.closeIfStuck()
	}
}

// closeIfStuck closes the stream unless the read that waits now has returned
// within wakeTime.
func (in *inbound) closeIfStuck() {
	number := in.wait.number
	time.AfterFunc(wakeTime, func() {
		in.mu.Lock()
		stuck := in.wait.on && in.wait.number == number
		in.mu.Unlock()
		if stuck {
			in.c.end(cut, errNoDeadlines)
		}
	})
}

// wakeTime is how long a stream may take to return from a read whose deadline
// has passed.
const wakeTime = time.Second

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

// use takes note of the Done channel of a call. Called with mu held.
func (in *inbound) use(done <-chan struct{}) {
	if in.wakers == nil && done == nil {
		return
	}
	a := &in.needWakers().armed
	if done != a.done { // what was kept is another call's
		a.stopNow()
	}
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
	a := &in.needWakers().armed
	switch {
	case done == a.done, in.wait.ended:
		return true
	case !now:
		return false
	}
	a.done = done // nothing is registered: use has let go of what another call has left
	a.stop = context.AfterFunc(ctx, func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		if a.done == done && in.wait.on {
			in.contextEnded()
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

// over ends the keepalive and lets go of a ctx.
func (in *inbound) over() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopLooking()
	if in.wakers != nil {
		in.wakers.stopNow()
	}
}
