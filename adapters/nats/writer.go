package natsadapter

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/parleyws/parley/adapters/internal/cluster"
)

// JoinTime is how long events for a room go to all nodes after sockets of other nodes
// were made to join it: the nodes where these are get it from the subject of the room
// only when the NATS server knows so.
const JoinTime = 2 * time.Second

// maxJoined is how many rooms of a namespace are remembered for JoinTime. If there are
// more all events go to all nodes meanwhile.
const maxJoined = 10_000

const (
	holdTime = 1500 * time.Millisecond // how long other nodes are awaited when there is a connection again
	holdTick = 50 * time.Millisecond   // how often to look
)

// retryTime is after how long the writer tries again what could not be published, if
// nobody says that the connection is back.
const retryTime = 100 * time.Millisecond

// write is the writer, the goroutine that uses the connection: nats.go may keep those who
// publish or subscribe waiting while the server does not read.
func (c *Broker) write() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var ops []op
	for {
		select {
		case <-c.queue.wake:
		case <-ticker.C:
			c.beat(false)
		}
		for {
			c.attend()
			if ops = c.queue.take(ops[:0]); len(ops) == 0 {
				break
			}
			for i := range ops {
				if c.do(&ops[i]); ops[i].action == end {
					return
				}
			}
			clear(ops)
			if cap(ops) > maxOps {
				ops = nil
			}
			select {
			case <-ticker.C:
				c.beat(false)
			default:
			}
		}
	}
}

// maxOps is how many ops the queue has memory for when it is empty.
const maxOps = 4096

// do does what an op says.
func (c *Broker) do(o *op) {
	n := o.namespace
	switch o.action {
	case publish, toRoom, toJoined:
		c.send(o)
	case open:
		c.open(n)
	case mark:
		c.mark(o)
	case missing:
		n.events.lack()
		c.confess(n.events)
	case keep:
		c.keep(o)
	case shut:
		if o.message != nil && c.transmit(o, n.all) == nil { // without a connection nobody needs to know
			c.counters.published.Add(1)
		}
		c.queue.bytes.Add(-int64(o.size()))
		o.release()
		c.shut(n)
		close(o.done)
	case probe:
		c.beat(true)
	case end:
		close(o.done)
	}
}

// send publishes the message of an op. While there is no connection it waits.
func (c *Broker) send(o *op) {
	defer c.queue.bytes.Add(-int64(o.size()))
	defer o.release()
	for !o.namespace.dropped.Load() {
		if c.holding.Load() && c.hold() {
			c.await(holdTick)
			continue
		}
		if o.logged && c.logging.busy() {
			c.await(holdTick)
			continue
		}
		err := c.transmit(o, c.subjectOf(o))
		switch {
		case err == nil:
			c.counters.published.Add(1)
			return
		case errors.Is(err, nats.ErrReconnectBufExceeded):
			c.await(retryTime)
			continue
		case !errors.Is(err, nats.ErrMaxPayload) && !errors.Is(err, nats.ErrConnectionClosed):
			// The server takes nothing: what nats.go had gathered is lost.
			c.failed(c.nc, err)
		}
		break
	}
	c.counters.dropped.Add(1)
	if o.logged {
		o.namespace.events.lack()
	}
}

// await waits until it is worth trying again to publish.
func (c *Broker) await(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.back:
	case <-c.queue.wake:
	case <-timer.C:
	}
	c.attend()
}

// attend does what does not wait for its turn in the queue: it says that the node is there
// when there is a new connection, and subscribes to rooms that were opened. So rooms are
// subscribed to before what is in the queue at the time is published.
func (c *Broker) attend() {
	if c.greeting.Swap(false) {
		c.beat(false)
		c.mu.RLock()
		all := slices.Collect(maps.Keys(c.namespaces))
		c.mu.RUnlock()
		for _, n := range all {
			c.hello(n)
		}
	}
	c.confessAll()
	if c.beating.Swap(false) {
		c.beat(false)
	}
	c.subscribe()
}

// hold reports whether what is in the queue had better wait: there is no connection, or
// there is one again but not yet with all nodes that were there before. They would miss it.
func (c *Broker) hold() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !isClosed(c.done) {
		if !isClosed(c.up) {
			return true
		}
		if time.Since(c.since) < holdTime {
			for _, m := range c.members {
				if m.heard.Before(c.since) {
					return true
				}
			}
		}
	}
	c.holding.Store(false)
	return false
}

// subjectOf returns the subject of an op's message.
func (c *Broker) subjectOf(o *op) string {
	n := o.namespace
	switch o.action {
	case toJoined:
		until := time.Now().Add(JoinTime)
		if len(n.joined)+len(o.rooms) > maxJoined {
			clear(n.joined)
			n.joinedAny = until
			return n.all
		}
		if n.joined == nil {
			n.joined = make(map[string]time.Time)
		}
		for _, room := range o.rooms {
			n.joined[room] = until
		}
		return n.all
	case toRoom:
		if n.hasJoined(o.to) {
			return n.all
		}
		if s := n.rooms[o.to]; s != nil {
			return s.Subject
		}
		if n.lastRoom != o.to || n.lastSubject == "" {
			n.lastRoom, n.lastSubject = o.to, n.room+token(o.to)
		}
		return n.lastSubject
	}
	return o.to
}

// hasJoined reports whether sockets of other nodes were made to join a room just now.
func (n *namespace) hasJoined(room string) bool {
	if len(n.joined) == 0 && n.joinedAny.IsZero() {
		return false
	}
	now := time.Now()
	if now.Before(n.joinedAny) {
		return true
	}
	n.joinedAny = time.Time{}
	until, ok := n.joined[room]
	if ok && !now.Before(until) {
		delete(n.joined, room)
		return false
	}
	return ok
}

// open subscribes a namespace.
func (c *Broker) open(n *namespace) {
	c.mu.Lock()
	c.namespaces[n] = struct{}{}
	c.mu.Unlock()
	subjects := []string{n.all, n.to + n.node.UID()}
	if n.events != nil {
		subjects = append(subjects, c.subjects.hole(n.node.Local().Name()))
	}
	for _, subject := range subjects {
		if s := c.listenTo(n, subject); s != nil {
			n.subscribed = append(n.subscribed, s)
		}
	}
	c.hello(n)
}

// hello says that this node has a namespace. What it can't say now it says when the
// connection is back.
func (c *Broker) hello(n *namespace) {
	message, err := appendMessage(nil, &cluster.Message{Type: cluster.Hello, UID: n.node.UID()})
	if err != nil || c.nc.Publish(n.all, message) != nil {
		return
	}
	if !n.greeted {
		n.greeted = true
		time.AfterFunc(settleTime, func() { close(n.settled) })
	}
}

// shut ends the subscriptions of a namespace.
func (c *Broker) shut(n *namespace) {
	c.mu.Lock()
	delete(c.namespaces, n)
	if n.events != nil {
		c.logging.remember(n.events)
	}
	c.mu.Unlock()
	for _, s := range n.subscribed {
		c.unlisten(s)
	}
	for _, s := range n.rooms {
		c.unlisten(s)
	}
	n.subscribed, n.rooms = nil, nil
}

// subscribe subscribes to rooms that were opened, and ends the subscriptions of those that
// were closed.
func (c *Broker) subscribe() {
	for _, change := range c.queue.changes() {
		n := change.namespace
		if n.rooms == nil {
			continue // it is shut
		}
		for room, opened := range change.rooms {
			s := n.rooms[room]
			switch {
			case opened && s == nil:
				if s = c.listenTo(n, n.room+token(room)); s != nil {
					n.rooms[room] = s
				}
			case !opened && s != nil:
				c.unlisten(s)
				delete(n.rooms, room)
			}
		}
	}
}

// listenTo subscribes to a subject, whose messages are for n. It fails only if the
// connection was closed.
func (c *Broker) listenTo(n *namespace, subject string) *nats.Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.nc.ChanSubscribe(subject, c.gate.messages)
	if err != nil {
		return nil
	}
	c.subs[s] = n
	return s
}

func (c *Broker) unlisten(s *nats.Subscription) {
	c.mu.Lock()
	delete(c.subs, s)
	c.mu.Unlock()
	_ = s.Unsubscribe() // it fails if the connection was closed
}

// flush waits until the server has got what was published.
func (c *Broker) flush(ctx context.Context) error {
	if !c.nc.IsConnected() {
		return nil
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flushTime)
		defer cancel()
	}
	if err := c.nc.FlushWithContext(ctx); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return err
	}
	return nil
}
