package socketio_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/socketio"
)

// Once the server has disconnected a socket its handlers get no event any more,
// even one that had arrived before. What a client sends before it leaves by itself
// is handled.
func TestEventsAfterEnd(t *testing.T) {
	const sep = "\x1e"
	for _, row := range []struct {
		name, posted, want string
	}{
		{"the socket is disconnected", `42["out",false]` + sep + `42["event"]`, ""},
		{"the connection is closed", `42["out",true]` + sep + `42["event"]`, ""},
		{"a handler panics", `42["panic"]` + sep + `42["event"]`, ""},
		{"the client leaves", `42["event"]` + sep + `41`, "event"},
		{"the client closes", `42["event"]` + sep + `1`, "event"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, nil, func(s *site) {
				var got []string
				s.io.OnConnect(func(n *socketio.Socket) {
					n.OnAny(func(e *socketio.Event) {
						if e.Name() == "event" {
							got = append(got, e.Name())
						}
					})
					n.OnEvent("out", func(e *socketio.Event) error {
						var connection bool
						err := e.Decode(0, &connection)
						n.Disconnect(connection)
						return err
					})
					n.OnEvent("panic", func(*socketio.Event) error { panic("x") })
				})
				p := s.poller()
				p.post("40")
				synctest.Wait()
				p.post(row.posted)
				synctest.Wait()
				if got := strings.Join(got, " "); got != row.want {
					t.Errorf("handled %q, want %q", got, row.want)
				}
			})
		})
	}
}
