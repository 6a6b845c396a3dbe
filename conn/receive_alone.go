package conn

import "errors"

// receiveAlone receives on a goroutine of the connection's own: the caller's, at first.
//
// A stack that a handler has grown to 4 KiB does not shrink while its goroutine waits:
// the runtime halves one of which less than a quarter is in use, and a wait uses
// more than that. So a fresh goroutine, with 2 KiB, goes on: after the first
// message, since many peers have one to send and are silent then, and after
// others when the keepalive finds a silence, which is at most once in
// Limits.PingInterval, or when Quiet is called. A goroutine for each wait would keep
// nothing at all, and costs a third of an echo.
func (c *Conn) receiveAlone(r Receiver, first bool) {
	err := unreturned
	defer c.received(r, &err)
	ctx := connContext{c}
	if err = c.in.begin(ctx); err != nil {
		return
	}
	defer c.in.stopReceiving()
	err = unreturned
	c.in.quiet = first
	err = c.in.each(ctx, alone{r})
}

// received is deferred by receiveAlone.
func (c *Conn) received(r Receiver, returned *error) {
	switch err := recovered(*returned, recover()); err {
	case errMoved:
		go c.receiveAlone(r, false)
	default:
		r.Ended(c, err)
	}
}

// errMoved ends an Each that goes on in another goroutine.
var errMoved = errors.New("websocket: moved")

// alone is a Receiver whose goroutine is to be left when it has handled a message.
type alone struct{ Receiver }

func (a alone) Message(c *Conn, m Message) error {
	if err := a.Receiver.Message(c, m); err != nil {
		return err
	}
	if c.in.quiet {
		return errMoved
	}
	c.in.grown = true
	return nil
}
