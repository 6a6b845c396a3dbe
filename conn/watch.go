package conn

import (
	"errors"
	"net"
	"time"

	"github.com/parleyws/parley/frame"
)

// The watch looks after a read that waits: it asks for a sign of life, gives
// up a peer that does not answer and a message that comes too slowly. It is
// the read deadline of the stream, which takes no memory that is not there
// already: when it passes the read returns, the connection is looked at, and
// reading goes on. It is not moved when octets come, so that they cost nothing
// here; the look is in vain then, and sees how long it has been quiet. If
// nobody reads when it passes the next read has a look.
//
// A stream that has no deadlines is watched by a timer.

// userTimeout is how long TCP may wait for what we sent to be acknowledged.
const userTimeout = 30 * time.Second

// startWatch starts the keepalive.
func (in *inbound) startWatch() {
	in.wait.due = noTime
	if d := in.c.limits.PingInterval; d < noTime {
		in.c.src.SetUserTimeout(userTimeout)
		in.mu.Lock()
		in.watchAt(clock() + d)
		in.mu.Unlock()
	}
}

// watchAt makes the watch look at a time of clock; noTime is never. Called with
// mu held.
func (in *inbound) watchAt(at time.Duration) {
	w := &in.wait
	w.due = at
	d := at - clock() // asked for first: a deadline before at would be none of ours
	switch {
	case w.ended:
	case at == noTime:
		in.c.src.NetConn().SetReadDeadline(time.Time{})
	case w.timer != nil:
		w.timer.Reset(d)
	case in.c.src.NetConn().SetReadDeadline(time.Now().Add(d)) != nil:
		w.timer = time.AfterFunc(d, in.tick)
	}
}

// tick is what the timer calls.
func (in *inbound) tick() {
	in.mu.Lock()
	w := &in.wait
	on := w.on
	if on {
		w.waited(clock())
	} else { // nobody is judged
		in.watchAt(clock() + time.Second)
	}
	in.mu.Unlock()
	if on {
		in.look()
	}
}

// lookApart is look for the goroutine that reads, whose stack setting a
// deadline, let alone a Ping, would grow to 4 KiB: for good.
func (in *inbound) lookApart() {
	done := make(chan struct{})
	go func() {
		in.look()
		close(done)
	}()
	<-done
}

// look judges the connection, whose read waits or is about to go on, and asks
// for the next look.
func (in *inbound) look() {
	unsent := in.c.Unsent()
	in.mu.Lock()
	w := &in.wait
	next, ping := w.judge(in.c.limits, unsent)
	switch {
	case next <= 0 && w.on:
		in.wake() // beginWait tells why
	case in.c.limits.PingInterval < noTime || w.slow:
		in.watchAt(clock() + next)
	default:
		in.watchAt(noTime)
	}
	in.mu.Unlock()
	if ping {
		in.c.out.control(frame.Ping, nil, false)
	}
}

// judge says when to look next, not in the future if the connection is to be
// failed, and whether to send a Ping. unsent: octets of ours are on their way.
func (w *wait) judge(l *Limits, unsent bool) (next time.Duration, ping bool) {
	next = l.PingInterval - w.quiet
	switch {
	case w.pinged && w.quiet < l.PingTimeout:
		next = l.PingTimeout - w.quiet
	case w.pinged && unsent:
		// The Ping lies behind what the peer is still receiving, for which
		// WriteTimeout is the judge.
		w.quiet, next = 0, l.PingTimeout
	case w.pinged:
		w.dead, next = true, 0
	case next <= 0:
		w.pinged, w.quiet, next, ping = true, 0, l.PingTimeout, true
	}
	next = min(next, l.PingInterval) // by then a Pong may have come, and the next Ping be due
	if w.slow {
		next = min(next, w.spare)
	}
	return next, ping
}

// isTimeout reports whether err tells of a deadline that has passed.
func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
