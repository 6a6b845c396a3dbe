package engineio

import (
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
)

// Close ends the session: its receiver is told ForcedClose, and every call returns
// ErrClosed from then on. What is queued is still sent, and then that the session
// ends. Close does not wait for that; Done tells.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.unlock()
	onPolling := c.state < upgraded
	queue, queued := c.queue, c.queued
	if !c.end(leftHere) || !onPolling {
		return
	}
	c.leaving = true
	c.queue, c.queued = queue, queued
	c.enqueue(closeMessage)
	c.forget = momentOf(time.Now().Add(closeTime))
	c.arm()
	c.resume()
}

// end ends the session: it closes the transport and drops what is queued. It returns
// false if the session was over already. Called with mu held; unlock tells the
// receiver.
func (c *Client) end(why *cause) bool {
	ws, probing := c.ws.Load(), c.probing
	if c.state.follow(&clientTransitions, end) != closeSession {
		return false
	}
	c.why, c.probing = why, nil
	c.queue, c.queued = nil, 0
	c.beat.stop()
	c.probe = 0
	c.arm()
	c.wake()
	for _, x := range [...]*conn.Conn{ws, probing} {
		if x != nil {
			c.start(func() {
				x.Close(why.closeCode(), "")
				<-x.Done()
			})
		}
	}
	return true
}

// lose ends the session.
func (c *Client) lose(why *cause) {
	c.mu.Lock()
	defer c.unlock()
	c.end(why)
}

// start runs f on a goroutine that Done waits for. Called with mu held.
func (c *Client) start(f func()) {
	c.running++
	go func() {
		defer c.stop() // also if a Receiver has ended the goroutine
		f()
	}()
}

// stop is called at the end of a goroutine.
func (c *Client) stop() {
	c.mu.Lock()
	defer c.unlock()
	c.running--
}

// unlock unlocks mu. If the session has ended meanwhile it tells the receiver, and if
// nothing is left of it those who wait for Done: nobody is ever called with a lock
// held.
func (c *Client) unlock() {
	tell := c.untold()
	if tell {
		c.running++
	}
	if c.state == closed && !c.leaving {
		c.cancel()
	}
	over := c.state == closed && c.running == 0 && c.begun && !c.over
	var release func()
	if over {
		c.over, release = true, c.web.release(c.why.err)
	}
	c.mu.Unlock()
	if tell {
		defer c.stop()
		c.tell()
	}
	if over {
		release()
		close(c.done)
	}
}

// untold reports whether the end is to be told. The caller has to do it, once it has
// unlocked mu: the next call returns false.
func (c *Client) untold() bool {
	if c.state != closed || c.told || c.receiver == nil {
		return false
	}
	c.told = true
	return true
}

// tell tells the receiver of the end. Called without any lock.
func (c *Client) tell() {
	returned := false
	defer caught(c.web.o.Logger, &returned)
	c.receiver.Closed(c.why.reason)
	returned = true
}

// expire does what is due. Called with mu held.
func (c *Client) expire(now time.Time) {
	switch {
	case !due(c.beat.beat, now):
	case c.delivering:
		c.beat.busy(now, c.rhythm)
	default:
		c.end(serverSilent)
	}
	if due(c.probe, now) {
		c.dropProbe(errProbeTime)
	}
	if due(c.forget, now) { // what is queued has had its time
		c.gone()
	}
	c.arm()
}

// gone ends the time after Close in which what is queued is posted. Called with mu
// held.
func (c *Client) gone() {
	c.leaving = false
	c.queue = nil
	c.forget = 0
	c.arm()
}

// arm sets the alarm to the next moment. Called with mu held.
func (c *Client) arm() {
	c.alarm.set(earliest(c.beat.ping, c.beat.beat, c.probe, c.forget), &c.clock, (*sleepingClient)(c))
}

// A sleepingClient is a Client as its clock sees it.
type sleepingClient Client

// Ring implements alarm.Sleeper.
func (c *sleepingClient) Ring() { (*Client)(c).tick() }

// Place implements alarm.Sleeper.
func (c *sleepingClient) Place() *int32 { return &c.place }

// tick does what is due.
func (c *Client) tick() {
	c.mu.Lock()
	defer c.unlock()
	c.alarm.rang()
	c.expire(time.Now())
}

// parseFailed returns the cause of an end by bytes that are no packet.
func parseFailed(err error) *cause { return violation(ParseError, err) }

// parse reads the packet in a message of the WebSocket.
func parse(m conn.Message) (packet.Packet, error) {
	return packet.V4.Parse(m.Payload, m.Type == conn.Binary)
}
