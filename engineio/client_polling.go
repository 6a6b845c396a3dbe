package engineio

import (
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/parleyws/parley/engineio/internal/packet"
)

// A client that polls has one goroutine that sends one GET after the other. While
// something is queued it has another one, which sends one POST after the other. Both
// end when the requests pause for the move to WebSocket; whichever is the last one
// moves.

// resume starts the goroutines that should run. Called with mu held.
func (c *Client) resume() {
	if c.state < probed && !c.getting && c.receiver != nil {
		c.getting = true
		c.start(c.poll)
	}
	if c.mayPost() && !c.posting {
		c.posting = true
		c.start(c.post)
	}
}

// mayPost reports whether a POST is to be sent. Called with mu held.
func (c *Client) mayPost() bool {
	return len(c.queue) > 0 && (c.state < probed || c.leaving)
}

// queueUp queues messages for a POST, or ends the session if they are too many. Called
// with mu held.
func (c *Client) queueUp(ms ...*Message) error {
	c.enqueue(ms...)
	if c.queued > c.web.o.Limits.QueueBytes {
		c.end(queueOverrun)
		return ErrQueueFull
	}
	c.resume()
	return nil
}

// enqueue queues messages. Called with mu held.
func (c *Client) enqueue(ms ...*Message) {
	for _, m := range ms {
		c.queued += m.size()
	}
	c.queue = append(c.queue, ms...)
	c.sent += uint64(len(ms))
}

// poll sends GETs.
func (c *Client) poll() {
	if body := c.first; body != nil {
		c.first = nil
		c.handleBody(body)
	}
	for c.mayGet() {
		body, err := c.web.get(c.ctx, c.open.sid)
		if err != nil {
			c.lose(lostBy(err))
			continue
		}
		c.handleBody(body)
	}
}

// mayGet reports whether the next GET is to be sent.
func (c *Client) mayGet() bool {
	c.mu.Lock()
	defer c.unlock()
	c.getting = c.state < probed
	c.moveIfQuiet()
	return c.getting
}

// lostBy returns the cause of an end by a GET that failed.
func lostBy(err error) *cause {
	if e, long := errors.AsType[*http.MaxBytesError](err); long {
		return failed(fmt.Errorf("body of a response exceeds Limits.MaxPayload of %d bytes: %w", e.Limit, err))
	}
	return failed(err)
}

// handleBody handles the packets in the body of a response.
func (c *Client) handleBody(body []byte) {
	c.delivery.Lock()
	defer c.delivery.Unlock()
	form := packet.V4.Text
	if !utf8.Valid(body) {
		c.lose(parseFailed(broken("body of a response is not UTF-8")))
		return
	}
	for p, err := range form.Packets(body) {
		if err != nil {
			c.lose(parseFailed(notPackets(body, err)))
			return
		}
		if !c.handle(p) {
			return
		}
	}
}

// post sends POSTs while something is queued.
func (c *Client) post() {
	for batch := c.batch(); batch != nil; batch = c.batch() {
		body, _ := payload(packet.V4, batch)
		err := c.web.post(c.ctx, c.open.sid, body, c.open.interval+c.open.timeout)
		c.posted(len(batch), err)
	}
}

// batch takes what the next POST carries out of the queue; nil: none is to be sent.
func (c *Client) batch() []*Message {
	c.mu.Lock()
	defer c.unlock()
	if !c.mayPost() {
		c.posting = false
		if c.leaving {
			c.gone()
		}
		c.moveIfQuiet()
		return nil
	}
	most := c.open.maxPayload
	if most == 0 {
		most = DefaultMaxPayload // what servers take that don't say
	}
	n := fitting(c.queue, most)
	batch := c.queue[:n:n]
	c.queue = c.queue[n:]
	for _, m := range batch {
		c.queued -= m.size()
	}
	return batch
}

// posted takes note of the answer to a POST of n messages.
func (c *Client) posted(n int, err error) {
	c.mu.Lock()
	defer c.unlock()
	switch {
	case err == nil:
		c.left += uint64(n)
		c.wake()
	case c.leaving:
		c.gone()
	default:
		c.end(failed(err))
	}
}
