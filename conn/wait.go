package conn

import (
	"context"
	"time"
)

// A wait is what is known of the read that waits for octets: it can be woken
// by the end of its ctx, and it is watched; see watch.go. Guarded by
// inbound.mu. Times are those of clock.
type wait struct {
	on     bool // a read waits
	woken  bool // its deadline has been set into the past
	pinged bool // since the last octet
	dead   bool // the peer has not answered that Ping in time
	slow   bool // a read has waited within the message under way, which
	ended  bool // the watch

	spare time.Duration // may wait so much longer
	since time.Duration // when the wait began
	quiet time.Duration // waited since the last octet, or since the Ping behind it
	due   time.Duration // when the watch looks next; noTime: never
	timer *time.Timer   // of the watch, where the stream has no deadlines
}

// began is what clock counts from.
var began = time.Now()

// clock returns the time as a third of a time.Time's octets, and for half of
// what time.Now costs.
func clock() time.Duration { return time.Since(began) }

// beginWait marks the start of a wait, unless there is a reason not to wait.
func (in *inbound) beginWait(ctx context.Context) error {
	in.mu.Lock()
	w := &in.wait
	w.on, w.since = true, clock()
	dead, slow := w.dead, !in.budget()
	in.mu.Unlock()
	// Asked after on is set: a ctx that ends from here on wakes us.
	err := contextError("read", ctx)
	if err == nil && !dead && !slow {
		return nil
	}
	in.endWait(0, nil)
	switch {
	case dead:
		in.c.drop(streamEnd, errDeadPeer)
		return in.c.end.err()
	case slow:
		return in.fail(errTrickle)
	}
	return err
}

// budget reports whether the message under way may wait for more octets. It
// has MessageTime to wait altogether, and a second for each KiB that comes.
// What the application takes between its reads does not count.
func (in *inbound) budget() bool {
	w := &in.wait
	if !in.parser.UnderWay() {
		w.slow = false
		return true
	}
	if t := in.c.limits.MessageTime; !w.slow && t < noTime {
		w.slow, w.spare = true, t
		if at := w.since + t; at < w.due {
			in.watchAt(at)
		}
	}
	return !w.slow || w.spare > 0
}

// endWait marks the end of a wait that brought n octets or err, and reports
// whether we ended it: it was woken, or its watch is due.
func (in *inbound) endWait(n int, err error) (ours bool) {
	in.mu.Lock()
	w := &in.wait
	w.on = false
	if w.slow || n <= 0 {
		now := clock()
		w.waited(now)
		ours = n <= 0 && now >= w.due && isTimeout(err)
	}
	if n > 0 {
		w.quiet, w.pinged = 0, false
		w.spare += time.Duration(n) * (time.Second / 1024)
	}
	ours = ours || w.woken
	w.woken = false
	in.mu.Unlock()
	if ours {
		in.lookApart()
	}
	return ours
}

// waited counts the time up to now.
func (w *wait) waited(now time.Duration) {
	w.quiet += now - w.since
	w.spare -= now - w.since
	w.since = now
}

// wake makes the read that waits return. Called with mu held.
func (in *inbound) wake() {
	in.wait.woken = true
	if !in.c.src.Wake() {
		go in.c.cut()
	}
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

// use takes note of the Done channel of a call. Called with mu held.
func (in *inbound) use(done <-chan struct{}) {
	if in.arm == nil {
		if done == nil {
			return
		}
		in.arm = &armed{}
	}
	in.arm.keep = done == in.arm.last
	in.arm.last = done
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
	a := in.arm
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
		if a.done == done && in.wait.on {
			in.wake()
		}
	})
	return true
}

// leave ends the registration unless the same ctx is used again and again.
func (a *armed) leave() {
	if a != nil && !a.keep {
		a.stopNow()
	}
}

func (a *armed) stopNow() {
	if a == nil {
		return
	}
	if a.stop != nil {
		a.stop()
	}
	a.done, a.stop = nil, nil
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
