package conn

import "errors"

// errNoFunction is a Handle that has returned nil.
var errNoFunction = errors.New("conn.Server: Handle has returned no function")

// receive calls f, which Handle returned, with each message of c.
//
// A stack that f has grown to 4 KiB does not shrink while its goroutine waits:
// the runtime halves one of which less than a quarter is in use, and a wait uses
// more than that. So a fresh goroutine, with 2 KiB, goes on: after the first
// message, since many peers have one to send and are silent then, and after
// others when the keepalive finds a silence, which is at most once in
// Limits.PingInterval. A goroutine for each wait would keep nothing at all, and
// costs a third of an echo.
func (s *Server) receive(c *Conn, f func(Message) error, first bool) {
	err := unreturned
	defer s.ended(c, &err)
	err = c.Each(connContext{c}, func(m Message) error {
		if err := f(m); err != nil {
			return err
		}
		if first {
			return errMoved
		}
		c.in.grown = true
		return nil
	})
	if err == errMoved {
		go s.receive(c, f, false)
	}
}

// errMoved ends an Each that goes on in another goroutine.
var errMoved = errors.New("websocket: moved")
