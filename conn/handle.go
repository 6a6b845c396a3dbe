package conn

import (
	"errors"

	"github.com/parleyws/parley/frame"
)

// receive calls f, which Handle returned, with each message of c.
//
// A stack that f has grown to 4 KiB does not shrink while its goroutine waits:
// the runtime halves one of which less than a quarter is in use, and a wait
// uses more than that. So a fresh goroutine goes on, with 2 KiB: behind the
// first message, since many peers have one to send and are silent then, and
// behind others when the watch looks after a silence, which is at most once in
// PingInterval. A goroutine for each wait would keep nothing at all, and costs
// a third of an echo.
func (s *Server) receive(c *Conn, f func(Message) error, first bool) {
	moved := false
	defer s.ended(c, &moved)
	err := c.Each(connContext{c}, func(m Message) error {
		if err := f(m); err != nil {
			return err
		}
		if first {
			return errMoved
		}
		c.in.grown = true
		return nil
	})
	if moved = err == errMoved; moved {
		go s.receive(c, f, false)
		return
	}
	c.Close(frame.StatusNormalClosure, "")
}

// errMoved ends an Each that goes on in another goroutine.
var errMoved = errors.New("websocket: moved")
