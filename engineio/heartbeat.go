package engineio

import "time"

// A heartbeat holds the moments at which something is due in a session; a zero
// moment is none. It is pure: each call brings the time. The session has one
// timer, which fires at the earliest moment. A request that comes after that
// moment but before the timer has run does what is due first.
type heartbeat struct {
	interval, timeout time.Duration // Limits.PingInterval, Limits.PingTimeout

	ping    time.Time // send the next ping
	pong    time.Time // the awaited pong is too late
	probe   time.Time // drop the probing WebSocket
	release time.Time // answer the waiting GET with a noop
	forget  time.Time // forget the session, which has ended
}

// start begins the heartbeat of a session that opens.
func (h *heartbeat) start(now time.Time) { h.ping = now.Add(h.interval) }

// sent takes note of a ping.
func (h *heartbeat) sent(now time.Time) { h.ping, h.pong = time.Time{}, now.Add(h.timeout) }

// answered takes note of a pong. A pong that nobody waits for changes nothing.
func (h *heartbeat) answered(now time.Time) {
	if !h.pong.IsZero() {
		h.ping, h.pong = now.Add(h.interval), time.Time{}
	}
}

// busy gives the client more time: its pong may come after a message that is
// still being handled.
func (h *heartbeat) busy(now time.Time) { h.pong = now.Add(h.timeout) }

// stop ends everything. The session is forgotten at forget; zero is never.
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
