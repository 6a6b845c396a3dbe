package natsadapter

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

// A Broker is this node's connection with the other nodes, for one socketio.Server. Its
// methods may be called from any goroutine.
type Broker struct {
	o        Options
	subjects subjects
	link     string // the name of this connection
	nc       *nats.Conn
	gate     *gate
	queue    queue
	counters counters
	logging  *logging // nil: without JetStream

	uids       atomic.Uint64
	maxPayload atomic.Int64  // of a message, as the server says
	greeting   atomic.Bool   // the writer is to say Hello in all namespaces
	beating    atomic.Bool   // the writer is to send a heartbeat
	saidLacks  bool          // by the last heartbeat; the writer's
	holding    atomic.Bool   // the queue may have to wait for the other nodes
	back       chan struct{} // there is a connection again

	heartbeats, unheard *nats.Subscription // of all links; what the server says of silent ones

	done    chan struct{}   // closed when the reader is to end
	closing context.Context // ends with done
	stop    context.CancelFunc
	all     sync.WaitGroup

	mu         sync.RWMutex
	up         chan struct{} // closed while there is a connection
	subs       map[*nats.Subscription]*namespace
	namespaces map[*namespace]struct{}
	members    map[string]*member // by link
	since      time.Time          // when the last connection was made
	gap        bool               // something was lost on it, which is counted
	told       string             // the error that was logged last
}

type counters struct{ published, received, dropped, refused, gaps, unlogged atomic.Int64 }

// Stats says what a Broker has done since it was made.
type Stats struct {
	Published int64 // messages handed to NATS
	Received  int64 // messages of other nodes
	Dropped   int64 // messages for other nodes that were not handed to NATS: the queue was full, or the message larger than NATS allows
	Refused   int64 // messages of other nodes that break a rule, or for which there is no room
	Unlogged  int64 // events of this node of which JetStream has not said that it keeps them
	Gaps      int64 // times that messages may have been lost, to this node or from it: the connection was lost
	Nodes     int   // other nodes of which is known that they are there
	Waiting   int64 // bytes that wait until NATS takes them
}

// New connects with a NATS server, or with one of several whose URLs are separated by
// commas. It returns without an error also if no server can be reached: the Broker then
// goes on trying, and Ready tells when it has succeeded.
func New(url string, o *Options) (*Broker, error) {
	resolved, err := o.resolve()
	if err != nil {
		return nil, err
	}
	c := &Broker{
		o: resolved, subjects: subjects{resolved.Prefix}, link: cluster.NewUID(), gate: newGate(),
		queue: queue{limit: resolved.QueueBytes, wake: make(chan struct{}, 1)},
		back:  make(chan struct{}, 1), done: make(chan struct{}), up: make(chan struct{}),
		subs: make(map[*nats.Subscription]*namespace), namespaces: make(map[*namespace]struct{}), members: make(map[string]*member),
	}
	c.closing, c.stop = context.WithCancel(context.Background())
	c.maxPayload.Store(math.MaxInt64)
	c.holding.Store(true)
	options, err := c.connection(url)
	if err != nil {
		return nil, err
	}
	if c.nc, err = options.Connect(); err != nil {
		c.stop()
		return nil, err
	}
	if err := c.start(); err != nil {
		c.stop()
		c.nc.Close()
		return nil, err
	}
	return c, nil
}

// start subscribes to what concerns links, and starts the reader and the writer.
func (c *Broker) start() (err error) {
	if c.heartbeats, err = c.nc.ChanSubscribe(c.subjects.links(), c.gate.messages); err != nil {
		return err
	}
	if c.unheard, err = c.nc.ChanSubscribe(c.subjects.gone(c.link, "*"), c.gate.messages); err != nil {
		return err
	}
	// Nobody needs what comes here: that somebody hears it is the answer.
	if _, err = c.nc.ChanSubscribe(c.subjects.link(c.link), c.gate.messages); err != nil {
		return err
	}
	if c.o.JetStream != nil {
		if c.logging, err = newLogging(c); err != nil {
			return err
		}
		c.all.Go(c.logging.run)
	}
	c.all.Go(c.read)
	c.all.Go(c.write)
	return nil
}

// batchMessages is how many messages of other nodes may be handled before what they bring
// leaves for the clients.
const batchMessages = 256

// read is the reader, the goroutine that handles what comes.
func (c *Broker) read() {
	var d decoder
	var b socketio.Batch
	defer b.Flush()
	for i := 0; ; i++ {
		select {
		case m := <-c.gate.messages:
			more := len(c.gate.messages) > 0
			b.More(more)
			c.handle(&d, &b, m)
			if !more || i%batchMessages == 0 {
				b.Flush()
			}
			c.gate.taken()
		case <-c.done:
			return
		}
	}
}

func (c *Broker) handle(d *decoder, b *socketio.Batch, m *nats.Msg) {
	c.mu.RLock()
	n := c.subs[m.Sub]
	c.mu.RUnlock()
	if n == nil {
		if !c.logging.receive(m) {
			c.linkMessage(m)
		}
		return
	}
	sequence := sequenceOf(m)
	if sequence > 0 && len(m.Data) == 0 && n.events != nil {
		n.events.pass(sequence)
		return
	}
	message, err := d.decode(m.Data)
	if err == nil && sequence > 0 && message.UID == n.node.UID() {
		return // JetStream's answer says where it is
	}
	c.counters.received.Add(1)
	switch {
	case err != nil:
	case sequence > 0 && n.events != nil:
		err = n.events.receive(b, sequence, message, d.number)
	default:
		err = n.receive(b, message)
	}
	if err != nil {
		c.counters.refused.Add(1)
	}
}

// connected is called when there is a connection, the first or a new one.
func (c *Broker) connected(nc *nats.Conn) {
	c.maxPayload.Store(nc.MaxPayload())
	c.mu.Lock()
	c.since, c.gap, c.told = time.Now(), false, ""
	if !isClosed(c.up) {
		close(c.up)
	}
	c.mu.Unlock()
	c.o.Logger.Info("socket.io: connected with NATS", "server", nc.ConnectedUrlRedacted())
	select {
	case c.back <- struct{}{}:
	default:
	}
	c.greet()
}

// lost is called when the connection is lost, or closed.
func (c *Broker) lost(err error) {
	c.mu.Lock()
	was := isClosed(c.up)
	if was {
		c.up = make(chan struct{})
		c.holding.Store(true)
		c.lose()
	}
	c.mu.Unlock()
	if was && c.logging != nil {
		c.logging.lost()
	}
	if was && !isClosed(c.done) {
		c.o.Logger.Warn("socket.io: connection with NATS lost", "error", err)
	}
}

// lose counts that something may have been lost on the connection. Called with mu held.
func (c *Broker) lose() {
	if !c.gap && !isClosed(c.done) {
		c.gap = true
		c.counters.gaps.Add(1)
	}
}

// failed is called with errors of the connection.
func (c *Broker) failed(nc *nats.Conn, err error) {
	c.mu.Lock()
	fresh := c.told != err.Error() && !isClosed(c.done)
	c.told = err.Error()
	if isClosed(c.up) {
		c.lose()
	}
	c.mu.Unlock()
	if fresh {
		c.o.Logger.Warn("socket.io: NATS", "error", err)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		// What could not be written in time is lost, and nats.go goes on. The server
		// may be another one's by now.
		_ = nc.ForceReconnect()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// isUp reports whether there is a connection.
func (c *Broker) isUp() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return isClosed(c.up)
}

// Ready waits until there is a connection. It returns the error of ctx if that ends first.
func (c *Broker) Ready(ctx context.Context) error {
	c.mu.RLock()
	up := c.up
	c.mu.RUnlock()
	if isClosed(up) && !isClosed(c.done) {
		return nil
	}
	select {
	case <-up:
		return nil
	case <-c.done:
		return errClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stats says what c has done so far.
func (c *Broker) Stats() Stats {
	c.mu.RLock()
	nodes := len(c.members)
	c.mu.RUnlock()
	n := &c.counters
	return Stats{
		Published: n.published.Load(), Received: n.received.Load(), Dropped: n.dropped.Load(),
		Refused: n.refused.Load(), Unlogged: n.unlogged.Load(), Gaps: n.gaps.Load(), Nodes: nodes, Waiting: c.queue.bytes.Load(),
	}
}

// Close ends the connection, after the Shutdown of the Server. What was published before
// still leaves. If ctx ends first Close drops what is left, and returns the error of ctx.
func (c *Broker) Close(ctx context.Context) error {
	last := op{action: end, done: make(chan struct{})}
	if c.queue.add(last) != nil {
		<-c.done
		return nil
	}
	var err error
	select {
	case <-last.done:
		if c.logging != nil {
			c.logging.part(ctx)
		}
		err = c.flush(ctx)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	close(c.done)
	c.stop()
	c.nc.Close()
	c.all.Wait()
	return err
}
