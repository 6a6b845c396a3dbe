package natsadapter

import (
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// What the writer publishes on the subjects of JetStream's streams.

// busy reports whether what is for the stream of events has to wait.
func (g *logging) busy() bool {
	if isClosed(g.c.done) {
		return false
	}
	state := g.state.Load()
	return state == asking || state == ready && g.stored.full()
}

// transmit publishes the message of an op, whose subject without JetStream is given.
func (c *Broker) transmit(o *op, subject string) error {
	if !o.logged {
		return c.nc.Publish(subject, *o.message)
	}
	n := o.namespace
	if c.logging.state.Load() != ready {
		if o.number > 0 {
			n.events.lack()
			if !c.saidLacks { // who misses it has heard that it is missing
				c.beat(false)
			}
		}
		err := c.nc.Publish(subject, *o.message)
		if err == nil && o.number > 0 {
			c.counters.unlogged.Add(1)
		}
		return err
	}
	c.confess(n.events)
	return c.store(n.log+subject[len(n.all)-len(allToken):], *o.message, eventAnswer{n.events, o.number}, &n.events.pending)
}

// store publishes a message on a subject of the stream of events. waiting counts those whose
// answers have not come; to counts it down.
func (c *Broker) store(subject string, message []byte, to answered, waiting *atomic.Int32) error {
	a := &c.logging.stored
	waiting.Add(1)
	err := c.nc.PublishRequest(subject, a.add(to), message)
	if err != nil && a.retract() {
		waiting.Add(-1)
	}
	return err
}

// The last tokens of subjects.
const (
	allToken  = "all"  // messages for all nodes
	markToken = "mark" // a mark: where is the end of the stream?
	holeToken = "hole" // says that events are missing at the place
)

// mark puts a mark into the stream.
func (c *Broker) mark(o *op) {
	l := o.namespace.events
	if o.round != nil {
		l.mu.Lock()
		o.round.closed = true
		l.mu.Unlock()
		for c.holding.Load() && c.hold() { // it is not known yet of which nodes events are missing
			c.await(holdTick)
		}
		c.subscribe() // to the rooms of all that have come to the round
	}
	c.awaitLog()
	to := location{l, o.round}
	var marks atomic.Int32 // nobody asks
	if c.logging.state.Load() != ready || c.store(o.namespace.log+markToken, nil, to, &marks) != nil {
		to.failed(0, false)
	}
}

// awaitLog waits until it is known whether JetStream is there, and reports that.
func (c *Broker) awaitLog() bool {
	for c.logging.state.Load() == asking && !isClosed(c.done) {
		c.await(holdTick)
	}
	return c.logging.state.Load() == ready
}

// confess says in the stream that events of this node are missing, if that is so: at once, and
// again after a second if JetStream has refused it.
func (c *Broker) confess(l *eventLog) {
	if !l.hole.Load() {
		return
	}
	if c.logging.state.Load() != ready || time.Since(l.said) < askAgain {
		c.logging.lacks.Store(true)
		return
	}
	l.said = time.Now()
	l.saying.Add(1) // so that l lacks all the while
	l.hole.Store(false)
	if c.store(l.n.log+holeToken, nil, holeAnswer{l}, &l.saying) != nil {
		l.hole.Store(true)
		c.logging.lacks.Store(true)
	}
	l.saying.Add(-1)
}

// confessAll does so for all namespaces.
func (c *Broker) confessAll() {
	g := c.logging
	if g == nil || g.state.Load() != ready || !g.lacks.Swap(false) {
		return
	}
	for _, l := range g.owing() {
		c.confess(l)
	}
}

// keep writes the session of a client. Without JetStream it is written when that is back.
func (c *Broker) keep(o *op) {
	defer c.queue.bytes.Add(-int64(o.size()))
	defer o.release()
	k, a := o.kept, &c.logging.kept
	if !c.awaitLog() {
		k.put()
		return
	}
	m := nats.Msg{Subject: o.to, Reply: a.add(k), Header: k.header(), Data: *o.message}
	if c.nc.PublishMsg(&m) != nil {
		a.retract()
		k.failed(0, false)
	}
}
