package conn

import (
	"context"
	"encoding/binary"
)

// A pinger knows the Pings that wait for their Pong. Each Ping, be it the
// keepalive's, has a number of its own as its payload. A Pong answers its Ping
// and all that were sent before it: the peer need not answer them one by one
// (RFC 6455, section 5.5.3). outbound.mu guards it.
type pinger struct {
	last pingNumber
	rest *pings // see more
}

// pings are what a pinger needs that knows more than how many Pings were sent.
type pings struct {
	waits map[pingNumber]chan struct{}
	peers bucket // of the peer's Pings
}

// more returns rest, made if need be.
func (p *pinger) more() *pings {
	if p.rest == nil {
		p.rest = &pings{make(map[pingNumber]chan struct{}), bucket{left: bucketSize}}
	}
	return p.rest
}

// A pingNumber counts the Pings of a connection.
type pingNumber uint64

// pingSize is the length of our Pings' payload in bytes.
const pingSize = 8

func (n pingNumber) payload() []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// Ping sends a Ping and waits for its Pong, which a read must receive: some
// goroutine has to be reading. It returns when the Pong comes, ctx ends, or the
// connection does.
func (c *Conn) Ping(ctx context.Context) error {
	if ctx.Err() != nil {
		return c.tooLate("ping", ctx)
	}
	var number pingNumber
	var pong <-chan struct{}
	err := c.out.ping(func() pingNumber {
		number, pong = c.pings.expect()
		return number
	})
	if err != nil {
		return err
	}
	defer c.forgetPing(number)
	select {
	case <-pong:
		return nil
	case <-c.life.left():
		return c.life.writeErr()
	case <-c.done(ctx):
		return c.contextError("ping", ctx)
	}
}

// next returns the number of a new Ping that nobody waits for.
func (p *pinger) next() pingNumber {
	p.last++
	return p.last
}

// expect returns the number of a new Ping and the channel that its Pong closes.
func (p *pinger) expect() (pingNumber, <-chan struct{}) {
	p.last++
	pong := make(chan struct{})
	p.more().waits[p.last] = pong
	return p.last, pong
}

func (c *Conn) forgetPing(n pingNumber) {
	c.out.lock()
	defer c.out.unlock()
	delete(c.pings.rest.waits, n)
}

// answered takes note of a Pong. One that nobody waits for is legal.
func (c *Conn) answered(payload []byte) {
	if len(payload) != pingSize {
		return
	}
	number := pingNumber(binary.BigEndian.Uint64(payload))
	c.out.lock()
	defer c.out.unlock()
	p := &c.pings
	if number > p.last || p.rest == nil {
		return
	}
	for n, pong := range p.rest.waits {
		if n <= number {
			close(pong)
			delete(p.rest.waits, n)
		}
	}
}
