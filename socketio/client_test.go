package socketio_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// modes are the ways in which a session can be carried.
var modes = map[string]engineio.DialOptions{
	"websocket": {Transports: []string{"websocket"}},
	"polling":   {Transports: []string{"polling"}},
	"upgrade":   {},
}

// dialOptions returns o for a site, with a mode.
func (s *site) dialOptions(mode string, o socketio.DialOptions) *socketio.DialOptions {
	limits := o.Engine.Limits
	o.Engine = modes[mode]
	o.Engine.Limits = limits
	o.Engine.HTTPClient = s.http
	o.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	return &o
}

// start returns a client that is closed, and leaves nothing behind, at the end of the
// bubble.
func (s *site) start(o *socketio.DialOptions) *socketio.Client {
	s.t.Helper()
	c, err := socketio.Dial(s.t.Context(), "http://example.com", o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { closeClient(s.t, c) })
	return c
}

// closeClient closes c and waits until nothing is left of it.
func closeClient(t *testing.T, c *socketio.Client) {
	t.Helper()
	c.Close()
	select {
	case <-c.Done():
	case <-time.After(time.Minute):
		t.Error("something is left of a client")
	}
}

// A diary holds lines, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// take returns the lines and forgets them.
func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	if got := d.take(); !slices.Equal(got, want) {
		t.Errorf("got\n\t%q, want\n\t%q", got, want)
	}
}

// inModes runs f in a bubble for each transport.
func inModes(t *testing.T, o *socketio.Options, f func(s *site, mode string)) {
	for mode := range modes {
		t.Run(mode, func(t *testing.T) { inBubble(t, o, func(s *site) { f(s, mode) }) })
	}
}

// A dashed parser writes a dash before each packet.
type dashed struct{ packet.Text }

func (d dashed) Parse(p *parser.Packet, message []byte, l parser.Limits) error {
	text, ok := bytes.CutPrefix(message, []byte("-"))
	if !ok {
		return &parser.Error{Reason: "no dash"}
	}
	return d.Text.Parse(p, text, l)
}

func (d dashed) Encode(p *parser.Packet) ([]byte, [][]byte) {
	message, attachments := d.Text.Encode(p)
	return append([]byte("-"), message...), attachments
}

// Client and server understand each other in the form of DialOptions.Parser.
func TestClientParser(t *testing.T) {
	inModes(t, &socketio.Options{Parser: dashed{}}, func(s *site, mode string) {
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.Handle(n, "double", func(_ context.Context, x int) (int, error) { return 2 * x, nil })
		})
		c := s.start(s.dialOptions(mode, socketio.DialOptions{Parser: dashed{}, Reconnection: socketio.Reconnection{Off: true}}))
		if got, err := socketio.Call[int](s.t.Context(), c, "double", 21); got != 42 || err != nil {
			s.t.Errorf("got %d, %v", got, err)
		}
	})
}

func TestClientEvents(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		var d diary
		s.io.OnConnect(func(n *socketio.Socket) {
			n.Emit("welcome", "to", []byte{1, 2})
			socketio.Handle(n, "double", func(_ context.Context, x int) (int, error) { return 2 * x, nil })
			socketio.On(n, "ask", func(ctx context.Context, _ any) error {
				got, err := socketio.Call[string](ctx, n, "name", []byte("bytes"))
				d.add("%s %v", got, err)
				return nil
			})
		})
		c := s.start(s.dialOptions(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.OnConnect(func() { d.add("connect") })
			socketio.On2(c, "welcome", func(_ context.Context, text string, data []byte) error {
				d.add("%s %v", text, data)
				return nil
			})
			socketio.Handle(c, "name", func(_ context.Context, data []byte) (string, error) { return "I got " + string(data), nil })
		}}))
		synctest.Wait()
		d.want(s.t, "connect", "to [1 2]")
		if got, err := socketio.Call[int](s.t.Context(), c, "double", 21); got != 42 || err != nil {
			s.t.Errorf("got %d, %v", got, err)
		}
		if err := c.Emit("ask"); err != nil {
			s.t.Error(err)
		}
		synctest.Wait()
		d.want(s.t, "I got bytes <nil>")
	})
}
