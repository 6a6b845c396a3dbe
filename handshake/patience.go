package handshake

import (
	"crypto/tls"
	"net"
	"os"
	"time"
)

// keepsDeadlines reports whether nc is known to keep to its deadlines: it is a
// socket, or TLS over one. Any other type may ignore them, whatever its methods
// return, so that a timer has to do what a deadline should.
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

// abort closes the connection without waiting. To close a *tls.Conn is to send
// an alert first, which a peer that does not read, and a stream that does not
// keep to deadlines, would hold up.
func abort(nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	nc.Close()
}

// A guard ends the reads and writes of a connection when their time is up: by
// the connection's deadline where that is sure to work, and by closing the
// connection where it is not.
type guard struct {
	nc    net.Conn
	timer *time.Timer // nil: the deadline does it, or there is no limit
}

// guarded starts a guard, in place of any deadline that nc has. A negative time
// is no limit.
func guarded(nc net.Conn, limit time.Duration) guard {
	g := guard{nc: nc}
	var at time.Time
	keeps := limit < 0 || keepsDeadlines(nc)
	if keeps && limit >= 0 {
		at = time.Now().Add(limit)
	}
	if nc.SetDeadline(at) != nil || !keeps {
		if limit >= 0 {
			g.timer = time.AfterFunc(limit, func() { abort(nc) })
		}
	}
	return g
}

// stop ends the guard and leaves the connection without a deadline. It returns
// the error that the guarded work has ended with, or os.ErrDeadlineExceeded if
// the guard has closed the connection.
func (g guard) stop(err error) error {
	if g.timer != nil && !g.timer.Stop() {
		return os.ErrDeadlineExceeded
	}
	if err == nil {
		g.nc.SetDeadline(time.Time{})
	}
	return err
}
