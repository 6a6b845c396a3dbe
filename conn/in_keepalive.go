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

// lookIn makes the keepalive look after d, or not again if that is noTime. Called with mu
// held.
func (in *inbound) lookIn(d time.Duration) {
	looped := in.c.stream.Looped()
	switch {
	case in.wait.ended:
	case looped == nil:
		in.needWakers().set(d, in.look)
	case d < noTime:
		looped.Clock().Set((*loopedConn)(in.c), d)
	}
}

// lookBy is lookIn, unless the keepalive looks before. Called with mu held.
func (in *inbound) lookBy(d time.Duration) {
	looped := in.c.stream.Looped()
	switch {
	case in.wait.ended:
	case looped != nil:
		looped.Clock().SetBy((*loopedConn)(in.c), d)
	case !in.needWakers().comesBy(clock() + d):
		in.lookIn(d)
	}
}

// set makes the timer call look after d, or not again if that is noTime.
func (w *wakers) set(d time.Duration, look func()) {
	w.due = noTime
	if d == noTime {
		return
	}
	w.due = clock() + d
	if w.timer == nil {
		w.timer = time.AfterFunc(d, look)
	} else {
		w.timer.Reset(d)
	}
}

// comesBy reports whether the timer fires at t or before.
func (w *wakers) comesBy(t time.Duration) bool { return w.due != 0 && w.due <= t }

// stopLooking ends the keepalive. Called with mu held.
func (in *inbound) stopLooking() {
	in.wait.ended = true
	if in.wakers != nil && in.wakers.timer != nil {
		in.wakers.timer.Stop()
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
		w.slow, in.parser.spare = true, t
		in.lookBy(t)
	}
	return !w.slow || in.parser.spare > 0
}

// look judges the connection, does what the verdict asks for, and sets the
// timer anew. It runs on the timer's goroutine.
func (in *inbound) look() {
	c := in.c
	idle, _ := c.out.isIdle()
	in.mu.Lock()
	w := &in.wait
	if !w.on {
		w.missed = true // the next wait begins with a look
		in.mu.Unlock()
		return
	}
	in.waited()
	next, verdict := in.judge(!idle)
	in.lookIn(next)
	if w.grown && verdict != peerDead && verdict != messageSlow {
		in.wake()
	}
	in.mu.Unlock()
	switch verdict {
	case peerQuiet:
		c.out.ping(c.pings.next)
	case peerDead: // on a goroutine: close(2) waits if the user has set SO_LINGER, and the loop's clock must not
		go c.end(cut, errDeadPeer)
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
func (in *inbound) judge(unsent bool) (next time.Duration, v verdict) {
	w, l := &in.wait, &in.c.settings.Limits
	if w.slow && in.parser.spare <= 0 {
		return noTime, messageSlow
	}
	next = noTime
	if l.PingInterval < noTime {
		next, v = w.judgePeer(l, unsent)
	}
	if w.slow {
		next = min(next, in.parser.spare)
	}
	return next, v
}

// judgePeer is judge for what the peer lets hear of itself.
func (w *wait) judgePeer(l *Limits, unsent bool) (next time.Duration, v verdict) {
	switch {
	case !w.pinged && w.quiet < l.PingInterval:
		return l.PingInterval - w.quiet, peerAlive
	case !w.pinged:
		w.pinged, w.quiet, next, v = true, 0, l.PingTimeout, peerQuiet
	case w.quiet < l.PingTimeout:
		next = l.PingTimeout - w.quiet
	case unsent: // the Ping lies after what the peer is still receiving, of which WriteTimeout is the judge
		w.quiet, next = 0, l.PingTimeout
	default:
		return noTime, peerDead
	}
	return min(next, l.PingInterval), v // by then a Pong may have come, and the next Ping be due
}
