package socketio

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// A Client is a client in one namespace, and comes back by itself when the connection
// is lost. Dial makes it; Of makes others, in other namespaces of the same connection.
// All methods may be called from any goroutine, also from handlers, and none of them
// waits but Flush, and Call.
//
// A Client must be closed, by Close on it or on another one of its connection.
type Client struct {
	actor // its mu guards life
	life  lifeHandlers
	m     *manager
	name  string       // of the namespace
	mute  atomic.Int32 // Disconnects that the queue has not come to: while there are any events are dropped

	// Guarded by m.mu:
	state     clientState
	id        string
	pid       string // identifies the client to a server with recovery
	offset    []byte // of the last event, JSON; nil: none
	recovered bool
	era       uint64         // counts the ends of a connection to the namespace
	leaves    int32          // calls of Disconnect since ask
	unasked   func()         // ends what is done before CONNECT is sent; nil: nothing
	asked     bool           // the server owes an answer to CONNECT
	early     []*packet.Unit // events that have come before that answer, which are not handled yet
	earlySize int            // of all that have come, in bytes
	limit     *time.Timer    // of that answer
	settled   chan error     // tells Dial what has come of the first attempts; nil: nobody waits
	outbox    outbox         // what can't be sent yet
	moved     chan struct{}  // closed when something has left the outbox; nil: nobody waits
	ids       uint64         // the id of the next acknowledgement
}

// A clientState is how far a client is in its namespace.
//
//	         Connect        there is a session   the server agrees
//	aside ------------> away ------------> asking ------------> joined
//	  ^                  ^                    |                    |
//	  |                  +--------------------+--------------------+
//	  |                           the session is lost              |
//	  +------------------------------------------------------------+
//	   Disconnect, the server disconnects or refuses, giving up
type clientState uint8

const (
	aside  clientState = iota // nothing is done until Connect is called
	away                      // the namespace is to be joined once there is a session
	asking                    // CONNECT is sent, or its auth is awaited
	joined
)

// Dial connects to the Socket.IO server at url and joins a namespace. o may be nil.
//
// The forms of url are those of the JavaScript client: the scheme is http, https, ws or
// wss, and https if there is none; the path is the namespace, and where the server is
// that of DialOptions.Path; the query goes along with each request.
//
// Dial waits until the namespace is joined. Attempts that fail are repeated; see
// Reconnection. It returns an error that wraps the last attempt's when ctx ends or
// Reconnection.Attempts have failed, a *ConnectError when the server refuses, and an
// error at once when url or o can't be meant. The Client is closed then. With
// DialOptions.NoWait Dial does not wait. ctx bounds the waiting and has no effect
// afterwards. Handlers run on their own: those of OnConnect may not have been called yet
// when Dial returns.
func Dial(ctx context.Context, url string, o *DialOptions) (*Client, error) {
	m, c, err := newManager(url, o)
	if err != nil {
		return nil, fmt.Errorf("socket.io: dial: %w", err)
	}
	settled := make(chan error, 1)
	if !m.o.NoWait {
		c.settled = settled
	}
	if m.o.Setup != nil {
		m.o.Setup(c)
	}
	c.Connect()
	if m.o.NoWait {
		return c, nil
	}
	select {
	case err = <-settled:
	case <-ctx.Done():
		err = context.Cause(ctx)
		if last := m.lastError(); last != nil {
			err = fmt.Errorf("%w; the last attempt: %w", err, last)
		}
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("socket.io: dial: %w", err)
	}
	return c, nil
}

// Of returns the client in another namespace of the same connection, or c's own. A
// namespace is not joined before Connect is called on its Client, so that handlers can
// be registered first. A name without a slash gets one; it must have no comma.
func (c *Client) Of(namespace string) *Client {
	need(!strings.Contains(namespace, ","), "Of: namespace has a comma")
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	return c.m.of(namespace)
}

// Connect joins the namespace, if the Client has left it, was refused or has given up,
// and dials if there is no connection. It does not wait. It is called by Dial; the
// Clients that Of has made need it.
func (c *Client) Connect() { c.m.connect(c) }

// Disconnect leaves the namespace, and closes the connection if no other Client of it
// is left. The Client comes back when Connect is called. Events that wait to be sent
// are kept until then, and those that were received and not handled yet are dropped.
func (c *Client) Disconnect() { c.m.disconnect(c) }

// Close leaves all namespaces of the connection, and closes it for good. Events that
// were emitted while the namespace was connected are still sent; use Flush before to
// wait for that and for the others. Close does not wait; Done tells.
func (c *Client) Close() { c.m.close() }

// Done returns a channel that is closed after Close, once nothing is left of the
// connection: no goroutine, no handler that runs, no socket; see engineio.Client.Done.
// A handler must not wait for it.
func (c *Client) Done() <-chan struct{} { return c.m.done }

// Context returns the ctx of the Client's handlers. It ends with Close, and not with a
// connection that is lost; its cause is ErrClosed then.
func (c *Client) Context() context.Context { return c.m.ctx }

// Namespace returns the name of the namespace.
func (c *Client) Namespace() string { return c.name }

// ID returns the id that the server knows the Client by, a new one after each
// connection that is not Recovered; "" while the namespace is not joined.
func (c *Client) ID() string {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return c.id
}

// Connected reports whether the namespace is joined.
func (c *Client) Connected() bool {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return c.state == joined
}

// Active reports whether the Client has joined the namespace, or is about to by itself.
// If it is not active, Connect makes it so.
func (c *Client) Active() bool {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return c.state != aside
}

// Recovered reports whether the server has given back what the Client had before it
// was away: its id and rooms, and the events that it had missed; see Recovery.
func (c *Client) Recovered() bool {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return c.recovered
}

// Transport returns the transport that carries the packets: "polling" or "websocket";
// "" while there is no connection.
func (c *Client) Transport() string {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.conn == nil {
		return ""
	}
	return c.m.conn.session.Transport()
}

// A Client owns its actor.
func (c *Client) side() *side      { return &c.m.side }
func (c *Client) deaf() bool       { return c.mute.Load() > 0 }
func (c *Client) handled(size int) { c.m.waiting.handled(size) }
func (c *Client) fail()            {} // as if the event had been handled

func (c *Client) cork() engineio.Cork {
	c.m.mu.Lock()
	conn := c.m.conn
	c.m.mu.Unlock()
	if conn == nil {
		return engineio.Cork{}
	}
	return conn.session.Cork()
}

func (c *Client) place() (namespace, id string) { return c.name, c.ID() }

func (c *Client) answer(a *emission, era uint64) error {
	c.m.mu.Lock()
	defer c.m.unlock()
	if c.state != joined || c.era != era { // ids of acknowledgements may begin anew in each era
		return ErrDisconnected
	}
	return c.m.conn.session.Send(a.messages...)
}
