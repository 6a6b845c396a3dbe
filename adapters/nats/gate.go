package natsadapter

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// A gate is where all messages of a connection arrive, in the order in which the server
// has sent them. nats.go has three ways to hand out messages. A callback for each
// subscription loses the order between subscriptions, and takes a goroutine for each
// room. A channel keeps the order, but when it is full messages are dropped. So the gate
// is one channel for all subscriptions, and the connection is not read while the channel
// might get full: the messages wait in the server, which ends the connection, and thus
// tells us of the loss, if they get too many.
//
// Whoever reads from the connection passes the gate before each read. What one read
// brings is less than the reserve of the channel.
type gate struct {
	messages chan *nats.Msg
	drained  chan struct{} // what the reader waits for
	waiting  atomic.Bool   // the reader waits

	read atomic.Int64 // bytes since the channel was last seen empty; written by the reader
}

const (
	gateMessages = 16 << 10
	gateBytes    = 16 << 20 // of messages that wait, beside those of one read
	// gateReserve is more messages than a read brings: nats.go reads at most 32 KiB at
	// once, TLS twice that, and the shortest message takes more than 16 bytes.
	gateReserve = 8 << 10
)

func newGate() *gate {
	return &gate{messages: make(chan *nats.Msg, gateMessages), drained: make(chan struct{}, 1)}
}

// taken is called after each message that has been taken from the channel and handled.
func (g *gate) taken() {
	if g.waiting.Load() && len(g.messages) == 0 && g.waiting.Swap(false) {
		select {
		case g.drained <- struct{}{}:
		default:
		}
	}
}

// pass returns when there is room for what the next read brings, or when the connection
// is closed.
func (g *gate) pass(closed <-chan struct{}) {
	waiting := len(g.messages)
	if waiting == 0 {
		g.read.Store(0)
		return
	}
	if waiting <= gateMessages-gateReserve && g.read.Load() <= gateBytes {
		return
	}
	for {
		g.waiting.Store(true)
		if len(g.messages) == 0 {
			g.waiting.Store(false)
			g.read.Store(0)
			return
		}
		select {
		case <-g.drained:
		case <-closed:
			return
		}
	}
}

// watch puts the gate before the reads of a connection that is made with o.
func (g *gate) watch(o *nats.Options) {
	if o.InProcessServer != nil {
		o.InProcessServer = gatedServer{g, o.InProcessServer}
	}
	dial := o.CustomDialer
	if dial == nil {
		dialer := net.Dialer{Timeout: o.Timeout}
		if o.Dialer != nil {
			dialer = *o.Dialer
		}
		if o.AllowMultipathTCP != nil {
			dialer.SetMultipathTCP(*o.AllowMultipathTCP)
		}
		dial = &dialer
	}
	o.CustomDialer = gatedDialer{g, dial}
}

type gatedServer struct {
	gate   *gate
	server nats.InProcessConnProvider
}

// InProcessConn implements nats.InProcessConnProvider.
func (s gatedServer) InProcessConn() (net.Conn, error) { return s.gate.wrap(s.server.InProcessConn()) }

type gatedDialer struct {
	gate *gate
	dial nats.CustomDialer
}

// Dial implements nats.CustomDialer.
func (d gatedDialer) Dial(network, address string) (net.Conn, error) {
	return d.gate.wrap(d.dial.Dial(network, address))
}

// SkipTLSHandshake tells nats.go what the dialer that was given says.
func (d gatedDialer) SkipTLSHandshake() bool {
	s, ok := d.dial.(interface{ SkipTLSHandshake() bool })
	return ok && s.SkipTLSHandshake()
}

func (g *gate) wrap(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return &gatedConn{Conn: c, gate: g, closed: make(chan struct{})}, nil
}

// A gatedConn is a connection before whose reads stands a gate.
type gatedConn struct {
	net.Conn
	gate   *gate
	once   sync.Once
	closed chan struct{}
}

func (c *gatedConn) Read(p []byte) (int, error) {
	c.gate.pass(c.closed)
	n, err := c.Conn.Read(p)
	c.gate.read.Add(int64(n))
	return n, err
}

func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
