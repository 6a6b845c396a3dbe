package socketio_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// A client that has left, or was sent away, and comes back while a handler of its old socket is
// busy gets what is broadcast once, and is asked once.
func TestBackBeforeHandlerReturns(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		try := func(s, from *site, keeper string) {
			var heard atomic.Int32
			busy := make(chan struct{})
			sockets := s.sockets(func(n *socketio.Socket) {
				n.Join("room")
				n.OnAnyOutgoing(func(string, []any) { heard.Add(1) })
				n.OnEvent("busy", func(*socketio.Event) error { <-busy; return nil })
			})
			r := s.client()
			old := <-sockets
			r.send(`2["busy"]`)
			synctest.Wait()
			if leaves {
				r.send("1")
			} else {
				old.Disconnect(false)
				r.want("1")
			}
			r.connect("")
			synctest.Wait()
			from.io.Emit("all")
			from.io.To("room", old.ID()).Emit("room")
			for _, name := range []string{"all", "room"} {
				if got := r.read(); !strings.HasPrefix(got, `2["`+name+`"`) {
					t.Errorf("%s, leaves: %t: read %q, want the event %s", keeper, leaves, got, name)
				}
			}
			r.wantNothing()
			done := make(chan error)
			go func() {
				_, err := socketio.CallAll[any](s.t.Context(), from.io.Timeout(time.Second), "ask")
				done <- err
			}()
			ask := r.read()
			r.send("3" + strings.TrimSuffix(strings.TrimPrefix(ask, "2"), `["ask"]`) + "[]")
			if err := <-done; err != nil {
				t.Errorf("%s, leaves: %t: CallAll: %v", keeper, leaves, err)
			}
			close(busy)
			synctest.Wait()
			if got := heard.Load(); got != 3 {
				t.Errorf("%s, leaves: %t: OnAnyOutgoing was told of %d events, want 3", keeper, leaves, got)
			}
		}
		inBubble(t, nil, func(s *site) { try(s, s, "nothing kept") })
		inKeepers(t, func(s *site, keeper string) { try(s, s, keeper) })
		o := &socketio.Options{Adapter: new(logBus).join, Recovery: &socketio.Recovery{}}
		inBubble(t, o, func(s *site) {
			there, end := newSite(t, o)
			defer end()
			try(s, there, "of another node")
		})
	}
}
