package client

import (
	"testing"

	"github.com/parleyws/parley/socketio"
)

// What a middleware emits comes before the server's consent, and is kept until then; of a
// namespace that is refused nothing is handled.
func TestEarly(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		happened := make(chan string, 10)
		setup := func(c *socketio.Client) {
			life(c, happened)
			c.OnEvent("early", func(e *socketio.Event) error {
				if !c.Connected() {
					t.Error("a handler runs before the consent")
				}
				happened <- e.Name()
				return nil
			})
		}
		c := s.connect(t, "/early", s.options(mode, socketio.DialOptions{Setup: setup}))
		if first, second := receive(t, "an event", happened), receive(t, "a connection", happened); first != "early" || second != "connect" {
			t.Errorf("got %s, %s", first, second)
		}
		call[any](t, c, "who")
		o := s.options(mode, socketio.DialOptions{Setup: setup, Auth: map[string]any{"token": "wrong"}})
		if _, err := socketio.Dial(t.Context(), "http://server/early", o); err == nil {
			t.Error("not refused")
		}
		if got := receive(t, "the refusal", happened); got != "refused: too early " || len(happened) > 0 {
			t.Errorf("got %s, and %d more", got, len(happened))
		}
	})
}

// A connection that the server closes is recovered from, with what was emitted meanwhile.
func TestClosedByServer(t *testing.T) {
	s := start(t, kinds[0], "--recovery")
	for mode := range modes {
		t.Run(mode, func(t *testing.T) {
			happened, got := make(chan string, 10), make(chan any, 200)
			c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
				life(c, happened)
				c.OnEvent("news", func(e *socketio.Event) error {
					var i any
					err := e.Decode(0, &i)
					got <- i
					return err
				})
			}}))
			receive(t, "connect", happened)
			other := s.connect(t, "", s.options(mode, socketio.DialOptions{}))
			room, id := "room "+mode, c.ID()
			call[any](t, c, "join", []string{room})
			for i := range 200 { // some before the end, some after it, some when the client is back
				other.Emit("in", []string{room}, []string{}, "news", i)
				if i == 100 {
					c.Emit("close-connection")
				}
			}
			for i := range 200 {
				if n := receive(t, "news", got); n != float64(i) {
					t.Fatalf("got %v, want %d", n, i)
				}
			}
			if end, back := receive(t, "the end", happened), receive(t, "the return", happened); end != "transport close" || back != "connect" {
				t.Errorf("%s, %s", end, back)
			}
			if !c.Recovered() || c.ID() != id || len(got) > 0 {
				t.Errorf("recovered %t, id %s, was %s; %d events twice", c.Recovered(), c.ID(), id, len(got))
			}
		})
	}
}
