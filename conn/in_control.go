package conn

import (
	"time"

	"github.com/parleyws/parley/conn/internal/message"
	"github.com/parleyws/parley/frame"
)

// control deals with a control frame (RFC 6455, section 5.5). more tells that
// bytes lie after it. An error ends the read.
func (in *inbound) control(e message.Event, more bool) error {
	c := in.c
	switch e.Opcode {
	case frame.Ping: // section 5.5.2
		if !c.mayPing() {
			return in.fail(errPings)
		}
		c.out.control(frame.Pong, e.Payload, more)
	case frame.Pong: // section 5.5.3
		c.answered(e.Payload)
	case frame.Close: // section 5.5.1
		code, reason, err := frame.ParseClose(e.Payload)
		if err != nil {
			return in.fail(err)
		}
		// The answer repeats the code; the reason is the peer's own business.
		c.endWith(peerClose, &CloseError{code, reason}, code, "")
		return c.life.err()
	}
	return nil
}

// mayPing counts a Ping of the peer's, and reports whether it may send as many.
func (c *Conn) mayPing() bool {
	c.out.lock()
	defer c.out.unlock()
	return c.pings.more().peers.take(time.Now())
}

// A bucket bounds how many Pings are answered: so many at once, and so many a
// second for good. It is pure: the time comes with each call.
type bucket struct {
	left float64
	at   time.Time
}

const (
	bucketSize = 1000
	bucketRate = 100 // a second
)

// take takes one out of the bucket, at a time that is not before that of the
// last call. It returns false when the bucket is empty.
func (b *bucket) take(now time.Time) bool {
	b.left = min(bucketSize, b.left+now.Sub(b.at).Seconds()*bucketRate)
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
