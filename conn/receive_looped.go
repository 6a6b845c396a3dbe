package conn

import (
	"errors"

	"github.com/parleyws/parley/internal/loop"
)

// errIdle ends a read that would have to wait, if the loop is to wait for it.
var errIdle = errors.New("websocket: idle")

// receiveLooped begins to receive on a loop. The loop has the turn to read until the end.
func (c *Conn) receiveLooped(s *loop.Socket, r Receiver) {
	if err := c.in.begin(connContext{c}); err != nil {
		r.Ended(c, err)
		return
	}
	c.in.parks, c.in.receiver = true, r
	s.Serve((*loopedConn)(c))
}

// A loopedConn is a Conn as its loop sees it.
type loopedConn Conn

// Ring implements alarm.Sleeper, for the keepalive.
func (l *loopedConn) Ring() { (*Conn)(l).in.look() }

// Place implements alarm.Sleeper.
func (l *loopedConn) Place() *int32 { return &l.places.clock }

// Readable implements loop.Reader: it delivers what has come.
func (l *loopedConn) Readable(w *loop.Worker) (again bool) {
	c := (*Conn)(l)
	err := unreturned
	defer c.delivered(&err, &again)
	c.in.borrow()
	c.in.parser.worker = w
	err = c.in.each(connContext{c}, c.in.receiver)
	return // the deferred function sets again
}

// delivered is deferred by Readable, and ends the receiving after any other error than
// errIdle.
func (c *Conn) delivered(returned *error, again *bool) {
	if *returned == errIdle {
		*again = true
		return
	}
	err := recovered(*returned, recover())
	r := c.in.receiver
	c.stream.Looped().Stop()
	c.in.stopReceiving()
	go r.Ended(c, err) // which may wait for what the connection still has to do
}
