package adaptertest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/socketio"
)

// A client is connected to a node by WebSocket. It notes the events that it gets.
type client struct {
	*socketio.Client
	name   string
	node   *node
	id     string // that of its socket
	socket *socketio.Socket
	bytes  atomic.Int64 // those that have come
	web    *http.Transport

	mu     sync.Mutex
	events []string        // as line writes them, without those of settle
	probes map[string]bool // those of settle
	ended  socketio.Reason
	isOver bool // ended is set
	answer func(*socketio.Event)
}

// probe is the name of the events of settle.
const probe = "adaptertest: settle"

// dial connects a client, whose socket joins rooms.
func (n *node) dial(name, namespace string, rooms ...string) *client {
	c := n.c
	c.Helper()
	cl := n.newClient(name)
	ctx, cancel := c.ctx()
	defer cancel()
	dialed, err := socketio.Dial(ctx, "http://example.com"+namespace+"?name="+name+"&x=1&x=2", &socketio.DialOptions{
		Setup: cl.listen,
		Auth:  map[string]any{"name": name, "list": []int{1, 2}},
		Engine: engineio.DialOptions{
			Transports: []string{"websocket"}, HTTPClient: &http.Client{Transport: cl.web}, Deflate: new(handshake.DeflateOptions),
			Header: http.Header{"X-Name": {name}}, Limits: engineio.DialLimits{MaxPayload: 64 << 20},
		},
		Reconnection: socketio.Reconnection{Off: true},
		Limits:       socketio.ClientLimits{Attachments: 64},
		Logger:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		c.Fatalf("%s dials %s: %v", name, n.name, err)
	}
	return cl.begin(dialed, namespace, rooms)
}

// of joins another namespace on the connection of a client.
func (cl *client) of(name, namespace string, rooms ...string) *client {
	c := cl.node.c
	c.Helper()
	if !dynamic.MatchString(namespace) {
		cl.node.io.Of(namespace)
	}
	other := cl.node.newClient(name)
	dialed := cl.Of(namespace)
	other.listen(dialed)
	dialed.Connect()
	eventually(c.T, c.patience, name+" to join "+namespace, func() error {
		if !dialed.Connected() {
			return errIs("disconnected", "connected")
		}
		return nil
	})
	return other.begin(dialed, namespace, rooms)
}

func (n *node) newClient(name string) *client {
	cl := &client{name: name, node: n, probes: make(map[string]bool)}
	cl.web = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := n.net.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &counted{conn, &cl.bytes}, nil
	}}
	return cl
}

// begin makes the client one of the cluster's. It is closed at the end.
func (cl *client) begin(dialed *socketio.Client, namespace string, rooms []string) *client {
	c := cl.node.c
	c.Helper()
	cl.Client, cl.id = dialed, dialed.ID()
	c.Cleanup(cl.close)
	s, ok := cl.node.io.Of(namespace).Socket(cl.id)
	if !ok {
		c.Fatalf("%s has no socket", cl.name)
	}
	cl.socket = s
	c.ok(s.Join(rooms...))
	c.clients = append(c.clients, cl)
	return cl
}

// close ends the client, and waits until nothing is left of it.
func (cl *client) close() {
	cl.Close()
	<-cl.Done()
	cl.web.CloseIdleConnections()
}

// leave makes a client leave its namespace, and waits until its node knows that.
func (c *cluster) leave(cl *client) {
	c.Helper()
	cl.Disconnect()
	c.clients = slices.DeleteFunc(c.clients, func(o *client) bool { return o == cl })
	select {
	case <-cl.socket.Context().Done():
	case <-c.Context().Done():
	}
}

// listen is the Setup of a client.
func (cl *client) listen(s *socketio.Client) {
	s.OnAny(cl.note)
	s.OnDisconnect(func(r socketio.Reason, _ error) {
		cl.mu.Lock()
		defer cl.mu.Unlock()
		cl.ended, cl.isOver = r, true
	})
}

// note notes an event, and answers it if it asks for that.
func (cl *client) note(e *socketio.Event) {
	args, err := e.Args()
	if err != nil {
		args = []any{err.Error()}
	}
	if is := cl.node.c.IsOffset; is != nil && len(args) > 0 {
		if last, ok := args[len(args)-1].(string); ok && is(last) {
			args = args[:len(args)-1]
		}
	}
	cl.mu.Lock()
	if e.Name() == probe && len(args) == 1 {
		token, _ := args[0].(string)
		cl.probes[token] = true
		cl.mu.Unlock()
		return
	}
	cl.events = append(cl.events, line(e.Name(), args...))
	answer := cl.answer
	cl.mu.Unlock()
	switch {
	case !e.WantsAck():
	case answer != nil:
		answer(e)
	default:
		e.Ack(cl.name)
	}
}

// answers makes the client answer events by f, instead of with its name.
func (cl *client) answers(f func(*socketio.Event)) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.answer = f
}

// has reports whether a probe has come.
func (cl *client) has(token string) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.probes[token]
}

// seen returns the events that have come.
func (cl *client) seen() []string {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return slices.Clone(cl.events)
}

// forget forgets the events and probes that have come.
func (cl *client) forget() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.events = nil
	clear(cl.probes)
}

// over returns why the client was disconnected.
func (cl *client) over() (socketio.Reason, bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.ended, cl.isOver
}

// A counted counts what is read.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}
