package engineio

import "time"

// A heartbeat holds the moments at which something is due in a session. It is
// pure: the time comes with each call. A zero moment is none. One timer a
// session wakes up for the earliest; a request that comes later than it finds
// done what was due all the same.
type heartbeat struct {
	interval, timeout time.Duration // Limits.PingInterval, Limits.PingTimeout

	ping    time.Time // the next ping is to be sent
	pong    time.Time // the awaited pong is too late
	probe   time.Time // the probing WebSocket is dropped
	release time.Time // the waiting GET is answered with a noop
	forget  time.Time // the session that has ended is forgotten
}

// start begins the heartbeat of a session that opens.
func (h *heartbeat) start(now time.Time) { h.ping = now.Add(h.interval) }

// sent takes note of a ping.
func (h *heartbeat) sent(now time.Time) { h.ping, h.pong = time.Time{}, now.Add(h.timeout) }

// answered takes note of a pong. One that nobody waits for changes nothing.
func (h *heartbeat) answered(now time.Time) {
	if !h.pong.IsZero() {
		h.ping, h.pong = now.Add(h.interval), time.Time{}
	}
}

// busy puts the judgement off: the pong may wait behind a message that is
// being handled.
func (h *heartbeat) busy(now time.Time) { h.pong = now.Add(h.timeout) }

// stop ends everything but the moment at which the session is forgotten, zero
// for none.
func (h *heartbeat) stop(forget time.Time) { *h = heartbeat{forget: forget} }

// next returns the earliest moment, zero if there is none.
func (h *heartbeat) next() time.Time {
	var first time.Time
	for _, t := range [...]time.Time{h.ping, h.pong, h.probe, h.release, h.forget} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// due reports whether the moment t has come.
func due(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }
