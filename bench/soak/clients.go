package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/socketio"
)

// A client is a connection of the generator. What comes on it goes to its watch.
type client interface {
	// send sends a message that comes back.
	send(n int, at int64) error
	// goodbye ends the connection as a client should, and returns when nothing is left of it.
	goodbye() error
	// abandon ends a client whose sockets were cut.
	abandon()
}

// A kind is a kind of client.
type kind struct {
	name     string
	share    int // of all connections, in percent
	socketIO bool
	// fill are requests whose answers a stopped reader has no room for; nil: it can't stop.
	fill []byte
	dial func(ctx context.Context, address string, w *watch, t *tap) (client, error)
}

// kinds are those whose connections are killed. The shares add up to 100.
var kinds = []kind{
	{name: "WebSocket", share: 45, fill: plainFill, dial: dialPlain(nil)},
	{name: "WebSocket, deflate", share: 20, fill: plainFill, dial: dialPlain(&handshake.DeflateOptions{})},
	{name: "Socket.IO, WebSocket", share: 20, socketIO: true, fill: eventFill, dial: dialSocketIO("websocket")},
	{name: "Socket.IO, polling", share: 8, socketIO: true, dial: dialSocketIO("polling")},
	{name: "Socket.IO, upgraded", share: 7, socketIO: true, fill: eventFill, dial: dialSocketIO("polling", "websocket")},
}

// pad makes messages as long as small ones are, and worth compressing.
var pad = strings.Repeat("a message that is worth compressing; ", 5)

var (
	long      = strings.Repeat("x", 16<<10)
	plainFill = bytes.Repeat(masked(frame.Text, []byte("e 0 0 "+long)), 16)
	eventFill = bytes.Repeat(masked(frame.Text, []byte(`42["echo",{"n":0,"at":0,"pad":"`+long+`"}]`)), 16)
)

// A plain is a client of plain WebSocket.
type plain struct{ c *conn.Conn }

func dialPlain(deflate *handshake.DeflateOptions) func(context.Context, string, *watch, *tap) (client, error) {
	return func(ctx context.Context, address string, w *watch, t *tap) (client, error) {
		o := &conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: &http.Client{Transport: t.transport()}, Deflate: deflate}}
		c, _, err := conn.Dial(ctx, "ws://"+address+"/ws?room="+w.room.name, o)
		if err != nil {
			return nil, err
		}
		go func() {
			err := c.Each(context.Background(), func(m conn.Message) error { return w.message(m.Payload) })
			w.end(err.Error())
			if !errors.Is(err, net.ErrClosed) { // Close still waits for the peer
				c.CloseNow()
			}
		}()
		return plain{c}, nil
	}
}

// message takes a message such as "e 12 34567890 pad": a letter that says whether it is one of
// the connection's own or one to the room, its number, and when it was to be sent.
func (w *watch) message(text []byte) error {
	parts := strings.SplitN(string(text), " ", 4)
	if len(parts) != 4 {
		return fmt.Errorf("an unknown message: %.100q", text)
	}
	n, err1 := strconv.Atoi(parts[1])
	at, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err := errors.Join(err1, err2); err != nil || parts[3] != pad {
		return fmt.Errorf("an unknown message: %.100q: %w", text, err)
	}
	switch parts[0] {
	case "e":
		w.echoed(n, at)
	case "c":
		w.published(n, at)
	default:
		return fmt.Errorf("an unknown message: %.100q", text)
	}
	return nil
}

func (p plain) send(n int, at int64) error {
	return p.c.Write(context.Background(), conn.Text, fmt.Appendf(nil, "e %d %d %s", n, at, pad))
}

func (p plain) goodbye() error {
	err := p.c.Close(frame.StatusNormalClosure, "")
	<-p.c.Done()
	return err
}

func (p plain) abandon() {
	p.c.CloseNow()
	<-p.c.Done()
}

// An events is a client of Socket.IO.
type events struct {
	c         *socketio.Client
	transport *http.Transport
}

func dialSocketIO(transports ...string) func(context.Context, string, *watch, *tap) (client, error) {
	return func(ctx context.Context, address string, w *watch, t *tap) (client, error) {
		transport := t.transport()
		o := &socketio.DialOptions{
			Auth:   map[string]string{"room": w.room.name},
			Engine: engineio.DialOptions{Transports: transports, HTTPClient: &http.Client{Transport: transport}},
			Logger: slog.New(slog.DiscardHandler),
			Setup:  w.register,
		}
		c, err := socketio.Dial(ctx, "http://"+address, o)
		if err != nil {
			transport.CloseIdleConnections()
			return nil, err
		}
		return events{c, transport}, nil
	}
}

// register makes the watch take what comes for c.
func (w *watch) register(c *socketio.Client) {
	socketio.On(c, "echo", func(_ context.Context, n Note) error {
		w.echoed(n.N, n.At)
		return nil
	})
	socketio.On(c, "cast", func(_ context.Context, n Note) error {
		w.published(n.N, n.At)
		return nil
	})
	c.OnEvent("joined", func(*socketio.Event) error {
		w.enter()
		return nil
	})
	c.OnConnect(func() { w.returned(c.Recovered()) })
	c.OnDisconnect(func(reason socketio.Reason, err error) {
		if !w.expected() {
			w.end(fmt.Sprintf("%v: %v", reason, err))
		}
	})
}

func (e events) send(n int, at int64) error { return e.c.Emit("echo", Note{n, at, pad}) }

func (e events) goodbye() error {
	e.c.Close()
	defer e.transport.CloseIdleConnections()
	select {
	case <-e.c.Done():
		return nil
	case <-time.After(patience):
		return errors.New("the client is not done")
	}
}

func (e events) abandon() { e.goodbye() }
