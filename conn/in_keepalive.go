package conn

import (
	"time"

	"github.com/parleyws/parley/conn/internal/message"
)

// The keepalive looks after a read that waits: it asks for a sign of life when
// nothing has come for Limits.PingInterval, gives up a peer that does not answer
// within Limits.PingTimeout, and fails a message that comes too slowly
// (Limits.MessageTime). A connection is judged only while a read waits: a
// handler that is busy for a minute is no sign of a dead peer.
//
// It is a timer, or the loop's clock, that is not moved when bytes come, so that they cost
// nothing here. When it fires it sees for how long it has been quiet, and is set anew.

// userTimeout is how long TCP may wait for what we sent to be acknowledged.
const userTimeout = 30 * time.Second

// startKeepalive starts the keepalive of a new connection.
func (in *inbound) startKeepalive() {
	d := in.c.settings.PingInterval
	if d == noTime {
		return
	}
	in.c.stream.SetUserTimeout(userTimeout)
	in.mu.Lock()
	in.lookIn(d)
	in.mu.Unlock()
}

// lookIn makes the keepalive look after d. Called with mu held.
func (in *inbound) lookIn(d time.Duration) {
	w := &in.wait
	w.due = clock() + d
	looped := in.c.stream.Looped()
	switch {
	case w.ended:
	case looped != nil:
		looped.Clock().Set((*loopedConn)(in.c), d)
	case w.timer == nil:
		w.timer = time.AfterFunc(d, in.look)
	default:
		w.timer.Reset(d)
	}
}

// stopLooking ends the keepalive. Called with mu held.
func (in *inbound) stopLooking() {
	w := &in.wait
	w.ended = true
	if w.timer != nil {
		w.timer.Stop()
	}
	if looped := in.c.stream.Looped(); looped != nil {
		looped.Clock().Stop((*loopedConn)(in.c))
	}
}

// budget reports whether the message under way may wait for more bytes. It has
// MessageTime to wait altogether, and a second for each KiB that comes. What the
// application takes between its reads does not count.
func (in *inbound) budget() bool {
	w := &in.wait
	waits := in.parser.UnderWay() && !w.last
	if in.whole || !waits {
		w.slow, in.whole = false, false // what it was set for is not under way any more
	}
	if !waits {
		return true
	}
	if t := in.c.settings.MessageTime; !w.slow && t < noTime && in.parser.Mode() != message.Stream {
		w.slow, w.spare = true, t
		if w.due == 0 || w.since+t < w.due {
			in.lookIn(t)
		}
	}
	return !w.slow || w.spare > 0
}

// look judges the connection, does what the verdict asks for, and sets the
// timer anew. It runs on the timer's goroutine.
func (in *inbound) look() {
	c := in.c
	idle, _ := c.out.isIdle()
	in.mu.Lock()
	w := &in.wait
	if !w.on || w.ended {
		w.missed = !w.ended // the next wait begins with a look
		in.mu.Unlock()
		return
	}
	w.waited(clock())
	next, verdict := w.judge(&c.settings.Limits, !idle)
	if w.due = noTime; next < noTime {
		in.lookIn(next)
	}
	if w.grown && verdict != peerDead && verdict != messageSlow {
		in.wake()
	}
	in.mu.Unlock()
	switch verdict {
	case peerQuiet:
		c.out.ping(c.pings.next)
	case peerDead: // on a goroutine: close(2) waits if the user has set SO_LINGER, and the loop's clock must not
		go c.end(cut, errDeadPeer, 0, "")
	case messageSlow:
		in.fail(errSlow)
	}
}

// A verdict is what the keepalive finds.
type verdict uint8

const (
	peerAlive   verdict = iota
	peerQuiet           // a Ping is due
	peerDead            // the Ping was not answered in time
	messageSlow         // the message under way has used up its time
)

// judge returns the verdict on a read that waits, and when to look next. unsent
// tells that bytes of ours are on their way.
func (w *wait) judge(l *Limits, unsent bool) (next time.Duration, v verdict) {
	if w.slow && w.spare <= 0 {
		return noTime, messageSlow
	}
	next = noTime
	if l.PingInterval < noTime {
		next, v = w.judgePeer(l, unsent)
	}
	if w.slow {
		next = min(next, w.spare)
	}
	return next, v
}

// judgePeer is judge for what the peer lets hear of itself.
func (w *wait) judgePeer(l *Limits, unsent bool) (next time.Duration, v verdict) {
	switch {
	case !w.pinged && w.quiet < l.PingInterval:
		return l.PingInterval - w.quiet, peerAlive
	case !w.pinged:
		w.pinged, w.quiet, v = true, 0, peerQuiet
		next = l.PingTimeout
	case w.quiet < l.PingTimeout:
		next = l.PingTimeout - w.quiet
	case unsent: // the Ping lies after what the peer is still receiving, of which WriteTimeout is the judge
		w.quiet, next = 0, l.PingTimeout
	default:
		return noTime, peerDead
	}
	return min(next, l.PingInterval), v // by then a Pong may have come, and the next Ping be due
}
