package engineio

import "time"

// A moment is a time since the process began, in a third of a time.Time's bytes. The zero
// moment is none.
type moment int64

// processBegan is what moments are counted from.
var processBegan = time.Now().Add(-time.Nanosecond) // so that the first moment is not zero

// momentOf returns the moment of a time.
func momentOf(t time.Time) moment { return moment(t.Sub(processBegan)) }

// time returns the time of a moment.
func (m moment) time() time.Time { return processBegan.Add(time.Duration(m)) }

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

	ping    moment // send the next ping
	beat    moment // the awaited beat is too late
	probe   moment // drop the probing WebSocket
	release moment // answer the waiting GET with a noop
	forget  moment // forget the session, which has ended
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
		h.beat = momentOf(now.Add(h.timeout))
		return
	}
	h.ping, h.beat = momentOf(now.Add(h.interval)), 0
}

// sent takes note of a ping of the server.
func (h *heartbeat) sent(planned moment) { h.ping, h.beat = 0, planned+moment(h.timeout) }

// heard takes note of a beat. One that nobody waits for changes nothing.
func (h *heartbeat) heard(now time.Time) {
	if h.beat != 0 {
		h.start(now)
	}
}

// busy gives the client more time: its beat may come after a message that is
// still being handled.
func (h *heartbeat) busy(now time.Time) { h.beat = momentOf(now.Add(h.timeout)) }

// stop ends everything. The session is forgotten at forget; zero is never.
func (h *heartbeat) stop(forget moment) { *h = heartbeat{forget: forget} }

// next returns the earliest moment, zero if there is none.
func (h *heartbeat) next() moment {
	var first moment
	for _, m := range [...]moment{h.ping, h.beat, h.probe, h.release, h.forget} {
		if m != 0 && (first == 0 || m < first) {
			first = m
		}
	}
	return first
}

// due reports whether the moment m has come.
func due(m moment, now time.Time) bool { return m != 0 && momentOf(now) >= m }
