package engineio_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
)

// Every end of a session that its client has caused is one line in the log, which
// says why, and names the limit if that was one. Those that the server has caused
// are none.
func TestOneLineForEachEnd(t *testing.T) {
	const limit = 1000
	long := "4" + strings.Repeat("x", limit)
	queue := func(n *engineio.Session) {
		for n.Send(engineio.NewMessage([]byte("x"), false)) == nil {
		}
	}
	for _, tt := range []struct {
		name string
		want []string // what the line has to hold; nil: there is none
		end  func(s *site)
	}{
		{"Close", nil, func(s *site) { s.open(); s.session().Close() }},
		{"Close with a GET", nil, func(s *site) { s.later(s.open()); s.session().Close() }},
		{"Shutdown", nil, func(s *site) {
			s.openWebSocket()
			s.server.Shutdown(s.t.Context())
		}},
		{"closed by a POST", []string{"level=DEBUG", `reason="transport close"`, `error="closed by the client"`, `transport=polling`}, func(s *site) { s.post(s.open(), "1") }},
		{"closed by a WebSocket", []string{"level=DEBUG", `error="closed by the client"`, `transport=websocket`}, func(s *site) { s.openWebSocket().send("1") }},
		{"WebSocket closed", []string{"level=DEBUG", `reason="transport close"`, `error="websocket: closed by the peer: 1000`}, func(s *site) { s.openWebSocket().c.Close(1000, "") }},
		{"WebSocket cut", []string{"level=DEBUG", `reason="transport close"`}, func(s *site) { s.openWebSocket().c.CloseNow() }},
		{"silent", []string{"level=DEBUG", `reason="ping timeout"`, `error="no pong within Limits.PingTimeout"`}, func(s *site) { s.open(); time.Sleep(time.Minute) }},
		{"GET cut", []string{"level=DEBUG", `reason="transport error"`, `error="GET was cut`}, func(s *site) {
			ctx, cancel := context.WithCancel(s.t.Context())
			sid := s.open()
			go s.do(ctx, "GET", "transport=polling&sid="+sid, "")
			synctest.Wait()
			cancel()
		}},
		{"POST cut", []string{"level=DEBUG", `reason="transport error"`, `error="body of a POST was cut`}, func(s *site) {
			ctx, cancel := context.WithCancel(s.t.Context())
			rest, answer := s.postSlowly(ctx, s.open())
			cancel()
			synctest.Wait()
			rest.Close()
			<-answer
		}},
		{"packet of no type", []string{"level=INFO", `reason="parse error"`, `error="engine.io: unknown packet type"`}, func(s *site) { s.post(s.open(), "x") }},
		{"packet of no type on WebSocket", []string{"level=INFO", `reason="parse error"`, `error="engine.io: unknown packet type"`}, func(s *site) { s.openWebSocket().send("x") }},
		{"POST that is no text", []string{"level=INFO", `reason="parse error"`, `error="body of a POST is not UTF-8"`}, func(s *site) { s.post(s.open(), "4\xff") }},
		{"ping", []string{"level=INFO", `reason="transport error"`, `error="ping from the client"`}, func(s *site) { s.post(s.open(), "2") }},
		{"two GETs", []string{"level=INFO", `error="second GET at a time"`}, func(s *site) {
			sid := s.open()
			s.later(sid)
			s.get(sid)
		}},
		{"two POSTs", []string{"level=INFO", `error="second POST at a time"`}, func(s *site) {
			sid := s.open()
			rest, answer := s.postSlowly(s.t.Context(), sid)
			s.post(sid, "4a")
			rest.Close()
			<-answer
		}},
		{"binary POST", []string{"level=INFO", `error="POST of application/octet-stream"`}, func(s *site) { s.post(s.open(), "4a", "Content-Type", "application/octet-stream") }},
		{"long POST", []string{"level=INFO", `error="body of a POST exceeds Limits.MaxPayload"`, `limit=1000`}, func(s *site) { s.post(s.open(), long) }},
		{"long message", []string{"level=INFO", `reason="transport error"`, "error=\"websocket: message", "limit=1000", "transport=websocket"}, func(s *site) {
			w := s.openWebSocket()
			w.send(long)
			w.wantClosed()
		}},
		{"full queue", []string{"level=WARN", `error="Limits.QueueBytes exceeded"`, `limit=1000`}, func(s *site) { s.open(); queue(s.session()) }},
		{"full queue on WebSocket", []string{"level=WARN", `error="Limits.QueueBytes exceeded"`, `limit=1000`}, func(s *site) { s.openWebSocket(); queue(s.session()) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := new(lines)
			o := &engineio.Options{
				Limits: engineio.Limits{MaxPayload: limit, QueueBytes: limit},
				Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			}
			id := ""
			receive := func(e echo) engineio.Receiver {
				id = e.s.ID()
				return e
			}
			withReceiver(t, o, receive, func(s *site) {
				tt.end(s)
				synctest.Wait()
				got := log.String()
				if tt.want == nil {
					if got != "" {
						t.Errorf("logged %s", got)
					}
					return
				}
				want := append(tt.want, `msg="engine.io: session closed"`, "session="+id[:6]+"...", "address=")
				for _, part := range want {
					if !strings.Contains(got, part) || strings.Count(got, "\n") != 1 {
						t.Errorf("logged %s\nwant one line with %s", got, part)
					}
				}
				if strings.Contains(got, id) {
					t.Errorf("the log tells the secret id %s: %s", id, got)
				}
			})
		})
	}
}
