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

// earliest returns the first of some moments, zero if there is none.
func earliest(moments ...moment) moment {
	var first moment
	for _, m := range moments {
		if m != 0 && (first == 0 || m < first) {
			first = m
		}
	}
	return first
}

// A rhythm says how a heart is to beat. Either the server pings and awaits pongs, or it
// awaits the client's pings: beats, in either case.
type rhythm struct {
	interval time.Duration // from a beat to the server's next ping; zero: the client pings
	timeout  time.Duration // how long the client has for the beat that is awaited
}

// rhythmOf returns the rhythm of a session, whose client pings or is pinged.
// A client that pings does so PingInterval after the server's last answer.
func rhythmOf(l *Limits, clientPings bool) rhythm {
	if clientPings {
		return rhythm{timeout: l.PingInterval + l.PingTimeout}
	}
	return rhythm{interval: l.PingInterval, timeout: l.PingTimeout}
}

// A heartbeat holds the moments of a session's heartbeat; a zero moment is none. It is
// pure: each call brings the time, and the rhythm.
type heartbeat struct {
	ping moment // send the next ping
	beat moment // the awaited beat is too late
}

// start begins the heartbeat of a session that opens.
func (h *heartbeat) start(now time.Time, r rhythm) {
	if r.interval == 0 {
		h.beat = momentOf(now.Add(r.timeout))
		return
	}
	h.ping, h.beat = momentOf(now.Add(r.interval)), 0
}

// sent takes note of a ping of the server. However late it is, the client has its time for
// the pong.
func (h *heartbeat) sent(now time.Time, r rhythm) { h.ping, h.beat = 0, momentOf(now.Add(r.timeout)) }

// heard takes note of a beat. One that nobody waits for changes nothing.
func (h *heartbeat) heard(now time.Time, r rhythm) {
	if h.beat != 0 {
		h.start(now, r)
	}
}

// busy gives the client more time: its beat may come after a message that is
// still being handled.
func (h *heartbeat) busy(now time.Time, r rhythm) { h.beat = momentOf(now.Add(r.timeout)) }

// stop ends the heartbeat.
func (h *heartbeat) stop() { *h = heartbeat{} }

// due reports whether the moment m has come.
func due(m moment, now time.Time) bool { return m != 0 && momentOf(now) >= m }
