package engineio

import "time"

// A heartbeat holds the moments at which something is due in a session; a zero
// moment is none. It is pure: each call brings the time. The session has one
// timer, which fires at the earliest moment. A request that comes after that
// moment but before the timer has run does what is due first.
//
// Either the server pings and awaits pongs, or it awaits the client's pings: beats,
// in either case.
type heartbeat struct {
	interval time.Duration // from a beat to the server's next ping; zero: the client pings
	timeout  time.Duration // how long the client has for the beat that is awaited

	ping    time.Time // send the next ping
	beat    time.Time // the awaited beat is too late
	probe   time.Time // drop the probing WebSocket
	release time.Time // answer the waiting GET with a noop
	forget  time.Time // forget the session, which has ended
}

// newHeartbeat returns the heartbeat of a session, whose client pings or is pinged.
// A client that pings does so PingInterval after the server's last answer.
func newHeartbeat(l *Limits, clientPings bool) heartbeat {
	if clientPings {
		return heartbeat{timeout: l.PingInterval + l.PingTimeout}
	}
	return heartbeat{interval: l.PingInterval, timeout: l.PingTimeout}
}

// start begins the heartbeat of a session that opens.
func (h *heartbeat) start(now time.Time) {
	if h.interval == 0 {
		h.beat = now.Add(h.timeout)
		return
	}
	h.ping, h.beat = now.Add(h.interval), time.Time{}
}

// sent takes note of a ping of the server.
func (h *heartbeat) sent(now time.Time) { h.ping, h.beat = time.Time{}, now.Add(h.timeout) }

// heard takes note of a beat. One that nobody waits for changes nothing.
func (h *heartbeat) heard(now time.Time) {
	if !h.beat.IsZero() {
		h.start(now)
	}
}

// busy gives the client more time: its beat may come after a message that is
// still being handled.
func (h *heartbeat) busy(now time.Time) { h.beat = now.Add(h.timeout) }

// stop ends everything. The session is forgotten at forget; zero is never.
func (h *heartbeat) stop(forget time.Time) { *h = heartbeat{forget: forget} }

// next returns the earliest moment, zero if there is none.
func (h *heartbeat) next() time.Time {
	var first time.Time
	for _, t := range [...]time.Time{h.ping, h.beat, h.probe, h.release, h.forget} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// due reports whether the moment t has come.
func due(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }
