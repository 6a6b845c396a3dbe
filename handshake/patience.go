package handshake

import (
	"crypto/tls"
	"net"
	"os"
	"time"
)

// keepsDeadlines reports whether nc is known to keep its deadlines, which a socket
// does, and TLS on a socket. Any other type may ignore them even if its methods
// return nil, so nothing may depend on its deadlines alone.
func keepsDeadlines(nc net.Conn) bool {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// abort closes the connection without waiting. Close of a *tls.Conn would first
// send an alert, which blocks for as long as the peer does not read: for 5 s, or
// for ever if the stream below ignores deadlines.
func abort(nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	nc.Close()
}

// A guard bounds the time of reads and writes of a connection. It sets the
// connection's deadline if that is known to work. Otherwise a timer closes the
// connection.
type guard struct {
	nc    net.Conn
	timer *time.Timer // nil if the deadline does it, or there is no limit
}

// guarded returns a guard that has started. Any deadline that nc had is replaced.
// A negative limit is none.
func guarded(nc net.Conn, limit time.Duration) guard {
	g := guard{nc: nc}
	var at time.Time
	keeps := keepsDeadlines(nc)
	if keeps && limit >= 0 {
		at = time.Now().Add(limit)
	}
	if err := nc.SetDeadline(at); limit >= 0 && (err != nil || !keeps) {
		g.timer = time.AfterFunc(limit, func() { abort(nc) })
	}
	return g
}

// stop ends the guard. err is the outcome of what was guarded; stop returns it, or
// os.ErrDeadlineExceeded if the timer has closed the connection. If the result is
// nil the connection has no deadline.
func (g guard) stop(err error) error {
	if g.timer != nil && !g.timer.Stop() {
		return os.ErrDeadlineExceeded
	}
	if err == nil {
		g.nc.SetDeadline(time.Time{})
	}
	return err
}
