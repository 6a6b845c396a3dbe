package socketio

import (
	"errors"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// With DialOptions.Retries the outbox holds an event until it is acknowledged. The oldest
// one is on its way, or about to be.
//
//	        sendFirst              confirmed
//	waits ------------> on its way ----------> gone
//	  ^                     |
//	  +---------------------+----------------> given up
//	   again: the time is over, or the Client was disconnected

// sendFirst sends the oldest event in the outbox, with retries, unless it is on its way.
// Called with m.mu held.
func (c *Client) sendFirst() {
	for p := c.outbox.first(); p != nil && !p.away && c.state == joined; p = c.outbox.first() {
		p.tries++
		err := c.send(p)
		switch {
		case err == nil:
			p.away = true
			try := p.tries
			p.timer = time.AfterFunc(p.timeout, func() { c.late(p, try) })
		case errors.Is(err, engineio.ErrClosed): // lost is about to be called
			p.tries--
			return
		case errors.Is(err, engineio.ErrQueueFull) && p.tries <= c.m.o.Retries:
			return // the session ends for it, and the next one gets p
		default:
			c.outbox.remove(p)
			c.wake()
			c.giveBack(p, err)
		}
	}
}

// late is called when the acknowledgement of p has not come in time after a try.
func (c *Client) late(p *parcel, try int) {
	c.m.mu.Lock()
	defer c.m.unlock()
	if p.tries == try {
		c.unexpect(p.id)
		c.again(p, errNotAcked)
	}
}

// confirmed takes the acknowledgement of p.
func (c *Client) confirmed(p *parcel, u *packet.Unit) {
	c.m.mu.Lock()
	defer c.m.unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if !c.outbox.remove(p) || p.reply == nil { // late has given up, or nobody waits
		release(u)
	} else {
		c.m.later = append(c.m.later, func() { p.reply(u, nil) })
	}
	c.wake()
	c.sendFirst()
}

// again sends p, which was on its way, once more, or gives it up because of err. Called with
// m.mu held.
func (c *Client) again(p *parcel, err error) {
	p.away = false
	p.timer.Stop()
	if p.tries > c.m.o.Retries && c.outbox.remove(p) {
		c.wake()
		c.giveBack(p, err)
	}
	c.sendFirst()
}
