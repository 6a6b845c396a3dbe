package conn

import (
	"net"
	"time"

	"github.com/parleyws/parley/frame"
)

// drainTime is the silence after which a stream that is only read to its end is
// closed without having come to it.
const drainTime = time.Second

// end is endWith for an event after which the peer is told nothing.
func (c *Conn) end(e event, cause error) { c.endWith(e, cause, frame.StatusNoStatus, "") }

// endWith moves the connection's life on at e and does what the move asks for. It
// is the one way in which a connection ends, whoever finds the reason. cause
// becomes the connection's if it is the first; code and reason go into our
// Close frame if there is one to send. Called without a mutex held. It returns
// the state before, never waits, and never blocks in a write.
func (c *Conn) endWith(e event, cause error, code frame.StatusCode, reason string) (was state) {
	was, now := c.life.move(e, cause)
	switch {
	case was == now:
	case now == over:
		c.letGo()
	case now == broken:
		c.life.limit(c.settings.CloseTimeout, c.expire)
		c.out.over()
		c.in.inUse() // what was read before does not count
		c.in.interrupt(false)
	case was == open:
		switch {
		case e == readEnd: // there is nobody to tell
			c.out.refuse()
		case cause == ErrQueueFull:
			c.out.dropSent() // it would keep the Close frame from leaving
			fallthrough
		default:
			c.out.sendClose(code, reason)
		}
		c.in.interrupt(cause == errClosed)
		go c.in.finish()
	default: // from closing to closed
		c.out.settle()
	}
	return was
}

// letGo closes the stream, and then what waits for Done goes on, who finds it closed. The stream may
// be anybody's: if its Close takes too long, or panics, they go on all the same.
func (c *Conn) letGo() {
	patience := time.AfterFunc(c.settings.CloseTimeout, c.life.released)
	defer patience.Stop()
	defer c.life.released()
	defer func() {
		c.in.over()
		c.out.over()
		c.settings.loop.leave(c.stream.Looped() != nil)
	}()
	c.stream.Close()
}

// expire is called when the time for the rest of a connection's life has run
// out. What has arrived before a write failed is not lost to an application
// that is still reading it.
func (c *Conn) expire() {
	if c.life.is(broken) && c.in.inUse() {
		c.life.again(c.settings.CloseTimeout)
		return
	}
	c.end(cut, errClosed)
}

// CloseNow closes the stream without a closing handshake and drops what has
// not been sent. Reads and writes that wait return. It returns net.ErrClosed,
// and does nothing, if the connection has ended already; what was written before
// the peer's Close frame, and the answer to that, still goes out then, as Done
// says.
func (c *Conn) CloseNow() error {
	if c.life.is(closed) || c.life.is(over) {
		return errClosed
	}
	c.end(cut, errClosed)
	return nil
}

// Close closes the connection: what is held is written, at the pace that
// Limits.WriteTimeout asks of the peer, then a Close frame with code and reason,
// and the peer's Close frame is awaited, for Limits.CloseTimeout at most (RFC
// 6455, section 7.1.2). Reads return net.ErrClosed at once, and messages that
// still come are discarded.
//
// Close returns nil when the peer's Close frame has come, and an error if it
// did not; the stream is closed in the background, as Done says. There is one
// exception: called while another call is delivering a message, as from the
// callback of Each, it returns nil at once, and the closing handshake goes on
// when that call has returned.
//
// frame.StatusNoStatus sends a Close frame without a code. A code that may not
// be sent is an error, and nothing happens. A reason is cut to frame.MaxReason
// bytes. On a connection that has ended Close returns net.ErrClosed.
func (c *Conn) Close(code frame.StatusCode, reason string) error {
	if !code.Valid() && code != frame.StatusNoStatus {
		return errCode
	}
	switch c.endWith(localEnd, errClosed, code, reason) {
	case open:
	case broken:
		return c.life.err()
	default:
		return errClosed
	}
	if c.in.busy() {
		return nil
	}
	<-c.life.settled()
	if !c.life.answered() {
		return errUnanswered
	}
	return nil
}

// Done returns a channel that is closed when the stream is closed, and the
// connection holds nothing any more; or Limits.CloseTimeout later, if the stream's
// own Close has not returned by then. Reads and writes learn of the connection's
// end at once; then what was written before goes out, as long as the peer takes it
// within Limits.WriteTimeout, and after our Close frame the rest takes
// Limits.CloseTimeout at most. A program that exits waits for Done, so that the
// peer gets what was written.
func (c *Conn) Done() <-chan struct{} { return c.life.gone() }

// giveUp ends the connection for a reason of our own that the peer is told with
// code. It returns false if the connection has ended already.
func (c *Conn) giveUp(cause error, code frame.StatusCode) bool {
	return c.endWith(localEnd, cause, code, "") == open
}

// LocalAddr returns our address on the stream.
func (c *Conn) LocalAddr() net.Addr { return c.stream.NetConn().LocalAddr() }

// RemoteAddr returns the peer's address on the stream: the proxy's, if there is
// one in between.
func (c *Conn) RemoteAddr() net.Addr { return c.stream.NetConn().RemoteAddr() }
