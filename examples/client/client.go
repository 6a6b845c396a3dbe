package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/parleyws/parley/socketio"
)

// A message is a text for the others in a room.
type message struct {
	Room    string `json:"room"`
	Message string `json:"message"`
}

// A client is a member of a room, whenever it is connected.
type client struct {
	io   *socketio.Client
	room string
	over chan struct{} // closed when the server does not want us

	printing  sync.Mutex
	out, errs io.Writer

	mu     sync.Mutex
	joined string        // the id under which "join-room" was sent
	lines  []string      // what was typed since the last connection
	sent   chan struct{} // closed when there are none; nil: nobody waits
}

// register adds the handlers, which run one after the other.
func (c *client) register(io *socketio.Client) {
	c.io = io // Dial has not returned yet
	io.OnConnect(func() {
		c.print("connected %s", io.ID())
		c.join()
	})
	io.OnDisconnect(func(reason socketio.Reason, _ error) {
		c.print("disconnected %v", reason)
		if reason == socketio.IOServerDisconnect {
			close(c.over)
		}
	})
	io.OnConnectError(func(err error) {
		c.complain(err)
		if _, refused := errors.AsType[*socketio.ConnectError](err); refused {
			close(c.over)
		}
	})
	socketio.On(io, "receive-message", func(_ context.Context, text string) error {
		c.print("received %s", escaped(text))
		return nil
	})
}

// join joins the room and sends what was typed while we were away.
func (c *client) join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.io.ID()
	if !c.emit("join-room", c.room) {
		return // lost again: join is called after the next connection
	}
	for i, line := range c.lines {
		if !c.emit("message", message{c.room, line}) {
			c.lines = slices.Delete(c.lines, 0, i)
			return
		}
	}
	c.joined, c.lines = id, nil
	if c.sent != nil {
		close(c.sent)
		c.sent = nil
	}
}

// maxLines is how many lines may wait for the connection.
const maxLines = 10_000

// errTooMany is said of a line for which there is no room.
var errTooMany = fmt.Errorf("more than %d lines wait for the connection: one is dropped", maxLines)

// say sends a line, now or after the next join. The id tells whether the room was joined
// on this connection: the handlers may not have heard of its beginning yet.
func (c *client) say(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := c.io.ID(); id != "" && id == c.joined && c.emit("message", message{c.room, line}) {
		return
	}
	if len(c.lines) == maxLines {
		c.complain(errTooMany)
		return
	}
	c.lines = append(c.lines, line)
}

// emit sends an event if there is a connection. An event that can't be sent at all
// counts as sent.
func (c *client) emit(event string, arg any) (sent bool) {
	err := c.io.Emit(event, arg)
	if errors.Is(err, socketio.ErrBufferFull) {
		return false
	}
	if err != nil && !errors.Is(err, socketio.ErrClosed) {
		c.complain(err)
	}
	return true
}

// flush waits until all lines are sent, or ctx ends.
func (c *client) flush(ctx context.Context) {
	c.mu.Lock()
	if len(c.lines) > 0 {
		sent := make(chan struct{})
		c.sent = sent
		c.mu.Unlock()
		select {
		case <-sent:
		case <-ctx.Done():
		case <-c.over:
		}
		c.mu.Lock()
	}
	unsent := len(c.lines)
	c.mu.Unlock()
	err := c.io.Flush(ctx)
	if unsent > 0 {
		c.complain(fmt.Errorf("%d lines were not sent", unsent))
	} else if err != nil {
		c.complain(err)
	}
}

func (c *client) print(format string, args ...any) {
	c.printing.Lock()
	defer c.printing.Unlock()
	fmt.Fprintf(c.out, format+"\n", args...)
}

func (c *client) complain(err error) {
	c.printing.Lock()
	defer c.printing.Unlock()
	fmt.Fprintln(c.errs, "client:", err)
}
