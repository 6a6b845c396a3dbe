package natsadapter

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/parleyws/parley/socketio"
)

// A logging is what a Broker has if Options.JetStream is set.
type logging struct {
	c                *Broker
	o                *JetStream
	js               jetstream.JetStream
	events, sessions string // names of streams
	stored, kept     answers
	storedSub        *nats.Subscription
	keptSub          *nats.Subscription

	state atomic.Int32           // below
	lacks atomic.Bool            // there may be a log whose hole is set
	past  map[*eventLog]struct{} // of namespaces that are closed, while something is to be said of them; guarded by Broker.mu
	stir  chan struct{}          // something has changed that the keeper looks at
	begun chan struct{}          // closed when there is a namespace whose clients may come back

	// Set before begun is closed:
	once       sync.Once
	age        time.Duration // of events
	sessionAge time.Duration
	refresh    time.Duration // after which the session of a connected client is written again

	stream atomic.Pointer[jetstream.Stream] // of events
	places atomic.Pointer[jetstream.Stream] // of sessions
	told   string                           // the error that was logged last; the keeper's
}

// States of JetStream.
const (
	asking = iota // it is not known whether it is there: what is for the streams waits
	ready         // it is there
	away          // it is not: events go to the other nodes without it
)

const (
	askTime   = 2 * time.Second // that JetStream gets to say that the streams are there
	askAgain  = time.Second     // between two attempts
	checkTick = 250 * time.Millisecond
)

var errAway = errors.New("natsadapter: JetStream is not there")

func newLogging(c *Broker) (*logging, error) {
	g := &logging{
		c: c, o: c.o.JetStream, events: streamName(c.o.Prefix, "events"), sessions: streamName(c.o.Prefix, "sessions"),
		stir: make(chan struct{}, 1), begun: make(chan struct{}), past: make(map[*eventLog]struct{}),
	}
	g.stored.prefix, g.kept.prefix = c.subjects.answers(c.link, "event"), c.subjects.answers(c.link, "session")
	var err error
	if g.js, err = jetstream.New(c.nc); err != nil {
		return nil, err
	}
	if g.storedSub, err = c.nc.ChanSubscribe(g.stored.prefix+"*", c.gate.messages); err != nil {
		return nil, err
	}
	if g.keptSub, err = c.nc.ChanSubscribe(g.kept.prefix+"*", c.gate.messages); err != nil {
		return nil, err
	}
	return g, nil
}

// begin is called for each namespace whose clients may come back. The first one says for
// how long.
func (g *logging) begin(r socketio.Recovery) {
	g.once.Do(func() {
		g.age, g.sessionAge = g.o.ages(r)
		g.refresh = g.sessionAge / refreshes
		close(g.begun)
	})
	g.wake()
}

func (g *logging) wake() {
	select {
	case g.stir <- struct{}{}:
	default:
	}
}

// run is the keeper, the goroutine that makes the streams, and that looks after what takes
// too long.
func (g *logging) run() {
	select {
	case <-g.begun:
	case <-g.c.done:
		return
	}
	ticker := time.NewTicker(min(checkTick, max(g.refresh/4, 10*time.Millisecond)))
	defer ticker.Stop()
	var tried time.Time
	for {
		if g.state.Load() != ready && time.Since(tried) > askAgain || g.state.Load() == asking {
			if g.c.isUp() {
				tried = time.Now()
				g.ask()
			}
		}
		g.check()
		select {
		case <-g.stir:
		case <-ticker.C:
		case <-g.c.done:
			return
		}
	}
}

// ask makes the streams, if they are not there.
func (g *logging) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	defer context.AfterFunc(g.c.closing, cancel)()
	was := g.state.Load()
	logs := g.logs()
	// No number is used twice, also if the clock has gone back.
	first := uint64(time.Now().UnixMicro())
	for _, l := range logs {
		first = max(first, l.reached()+1)
	}
	s, _, err := g.ensure(ctx, g.eventStream(first))
	var sessions jetstream.Stream
	made := false
	if err == nil {
		sessions, made, err = g.ensure(ctx, g.sessionStream(first))
	}
	if err != nil {
		g.fail(err)
		return
	}
	last := s.CachedInfo().State.LastSeq
	g.stream.Store(&s)
	g.places.Store(&sessions)
	for _, l := range logs {
		l.found(last)
	}
	if !g.state.CompareAndSwap(was, ready) {
		g.wake() // the connection was lost meanwhile
		return
	}
	g.told = ""
	g.c.o.Logger.Info("socket.io: events are kept in JetStream", "stream", g.events)
	for _, l := range logs {
		l.sessions.rewrite(made)
		l.locate()
	}
	g.c.queue.stir()
}

// fail takes note that JetStream is not there.
func (g *logging) fail(err error) {
	if g.state.Load() == asking && !g.c.isUp() || g.c.closing.Err() != nil {
		return
	}
	g.state.Store(away)
	if text := err.Error(); text != g.told {
		g.told = text
		g.c.o.Logger.Warn("socket.io: JetStream is not there: clients can't come back to other nodes", "error", err)
	}
	g.c.queue.stir()
}

// doubt makes the keeper ask again.
func (g *logging) doubt() {
	if g.state.CompareAndSwap(ready, asking) {
		g.wake()
	}
}

// lost is called when the connection is lost: what has not been answered may be lost.
func (g *logging) lost() {
	g.state.Store(asking)
	fail(g.stored.late(0))
	fail(g.kept.late(0))
}

// check looks after what takes too long, and what is due.
func (g *logging) check() {
	if len(g.c.gate.messages) == 0 { // otherwise answers may be among those
		if late := g.stored.late(answerTime); len(late) > 0 {
			fail(late)
			g.doubt()
		}
		fail(g.kept.late(answerTime))
	}
	for _, l := range g.logs() {
		l.check()
	}
	g.tidy()
}

// logs returns the logs of all namespaces that have one.
func (g *logging) logs() (list []*eventLog) {
	g.c.mu.RLock()
	defer g.c.mu.RUnlock()
	for n := range g.c.namespaces {
		if n.events != nil {
			list = append(list, n.events)
		}
	}
	return list
}

// lacking reports whether events of this node are missing, and the stream does not say so yet.
func (g *logging) lacking() bool {
	return g != nil && slices.ContainsFunc(g.owing(), (*eventLog).lacks)
}

// owing returns the logs of which something may be to be said: logs, and those of namespaces
// that are closed.
func (g *logging) owing() []*eventLog {
	list := g.logs()
	g.c.mu.RLock()
	defer g.c.mu.RUnlock()
	return slices.AppendSeq(list, maps.Keys(g.past))
}

// maxPast is how many logs of closed namespaces are looked after: there are more only if so many
// were closed while JetStream was away.
const maxPast = 10_000

// remember looks after a log whose namespace is closed. Called with Broker.mu held.
func (g *logging) remember(l *eventLog) {
	if len(g.past) < maxPast {
		g.past[l] = struct{}{}
	}
}

// tidy forgets logs of closed namespaces of which nothing is to be said any more.
func (g *logging) tidy() {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	maps.DeleteFunc(g.past, func(l *eventLog, _ struct{}) bool { return !l.lacks() && l.pending.Load() == 0 })
}

// part waits until it is known whether all events are stored, when nothing is published any
// more, and tells the other nodes if some are not: they say so in the stream.
func (g *logging) part(ctx context.Context) {
	for g.state.Load() == ready && !g.stored.isEmpty() && pause(ctx, lateTick) {
	}
	if g.lacking() || !g.stored.isEmpty() {
		_ = g.c.nc.Publish(g.c.subjects.links(), []byte(g.c.link+lackMark)) // without a connection nobody hears it
	}
}

// receive takes JetStream's answers. It returns false for another message. Called by the
// reader.
func (g *logging) receive(m *nats.Msg) bool {
	switch {
	case g == nil:
		return false
	case m.Sub == g.storedSub:
		if !g.stored.receive(m) {
			g.doubt()
		}
		if g.stored.freed() {
			g.c.queue.stir()
		}
	case m.Sub == g.keptSub:
		if !g.kept.receive(m) {
			g.doubt()
		}
	default:
		return false
	}
	return true
}
