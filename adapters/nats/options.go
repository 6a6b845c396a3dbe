package natsadapter

import (
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// Options configure a Broker. nil and the zero value are right for most. New keeps a
// copy.
type Options struct {
	// Prefix is what all subjects begin with: one or more tokens of letters and
	// digits, separated by dots. Nodes with the same prefix belong together. Default
	// "parley".
	Prefix string
	// QueueBytes is how much may wait until NATS takes it, in bytes. Default 16 MiB.
	QueueBytes int
	// RequestTime is how long FetchSockets, Nodes and ServerSideCall wait for other
	// nodes, if their ctx says nothing shorter. Default 5 s.
	RequestTime time.Duration
	// SocketRooms subscribes to the rooms of sockets' ids too. An event for one socket of
	// another node then goes to that node alone. Without, it goes to all nodes, of which
	// those that don't have the socket spend about a microsecond on it: that costs less
	// in most cases, since each subscription takes about 0.7 KB in every NATS server of
	// a cluster, and each socket that comes and goes changes them all. All nodes must have
	// the same value. What has the length of a socket's id, 20 bytes, counts as such.
	SocketRooms bool
	// JetStream makes clients come back to any node, if socketio.Options.Recovery is set. nil:
	// they come back to their own node alone.
	JetStream *JetStream
	// NATS are options of the connection: credentials, TLS, names. What keeps the
	// connection alive, its buffers, and whether it hears its own messages is set by
	// New. Callbacks are called as usual.
	NATS []nats.Option
	// Logger records when the connection, or JetStream, is lost and comes back, and nothing
	// else. nil is slog's default logger.
	Logger *slog.Logger
}

var (
	errPrefix  = errors.New("natsadapter: Prefix is not made of tokens")
	errNumbers = errors.New("natsadapter: negative number in Options")
)

// resolve returns a copy of o with every default filled in. A nil o is all defaults.
func (o *Options) resolve() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Prefix == "" {
		c.Prefix = "parley"
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 16 << 20
	}
	if c.RequestTime == 0 {
		c.RequestTime = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.QueueBytes < 0 || c.RequestTime < 0 {
		return c, errNumbers
	}
	if !validPrefix(c.Prefix) {
		return c, errPrefix
	}
	var err error
	c.JetStream, err = c.JetStream.resolve()
	return c, err
}

// Times of the connection, unless Options.NATS says otherwise.
const (
	pingTime     = 10 * time.Second // a server that answers none of two pings is given up
	flushTime    = 10 * time.Second // a server that takes nothing for that long is given up
	firstRetry   = 50 * time.Millisecond
	greatestWait = time.Second // between two rounds of attempts to connect
)

// connection returns the options of the connection.
func (c *Broker) connection(url string) (nats.Options, error) {
	o := nats.GetDefaultOptions()
	o.Url = url
	o.PingInterval, o.FlusherTimeout = pingTime, flushTime
	o.CustomReconnectDelayCB = func(round int) time.Duration {
		return min(firstRetry<<min(max(round-1, 0), 10), greatestWait)
	}
	for _, set := range c.o.NATS {
		if set == nil {
			continue
		}
		if err := set(&o); err != nil {
			return o, err
		}
	}
	o.AllowReconnect, o.MaxReconnect, o.RetryOnFailedConnect, o.IgnoreAuthErrorAbort = true, -1, true, true
	o.ReconnectBufSize = -1 // the queue is the one place where messages wait
	o.NoEcho = true
	c.gate.watch(&o)
	c.listen(&o)
	return o, nil
}

// listen makes the connection tell c of its changes, and whoever wants to know them too.
func (c *Broker) listen(o *nats.Options) {
	connected, reconnected, disconnected, closed, failed := o.ConnectedCB, o.ReconnectedCB, o.DisconnectedErrCB, o.ClosedCB, o.AsyncErrorCB
	then := func(f nats.ConnHandler, nc *nats.Conn) {
		if f != nil {
			f(nc)
		}
	}
	o.ConnectedCB = func(nc *nats.Conn) { c.connected(nc); then(connected, nc) }
	o.ReconnectedCB = func(nc *nats.Conn) { c.connected(nc); then(reconnected, nc) }
	o.ClosedCB = func(nc *nats.Conn) { c.lost(nil); then(closed, nc) }
	o.DisconnectedErrCB = func(nc *nats.Conn, err error) {
		c.lost(err)
		if disconnected != nil {
			disconnected(nc, err)
		}
	}
	o.AsyncErrorCB = func(nc *nats.Conn, s *nats.Subscription, err error) {
		c.failed(nc, err)
		if failed != nil {
			failed(nc, s, err)
		}
	}
}
