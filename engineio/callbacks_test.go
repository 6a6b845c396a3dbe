package engineio_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/internal/pipe"
)

// A meddler is called back by a server, and calls everything that the package
// has from there: if a lock were held it would wait for ever.
type meddler struct {
	t      *testing.T
	server *engineio.Server
	wanted string // the callback that meddles

	mu       sync.Mutex
	sessions []*engineio.Session
	called   atomic.Bool
	done     chan struct{} // closed when the wanted callback has returned
	opened   chan struct{} // has room for one, which says that a session has opened
}

// call is what every callback does.
func (m *meddler) call(name string) {
	if name != m.wanted || m.called.Swap(true) {
		return // the second time it is everything that calls back
	}
	over := make(chan struct{})
	go func() {
		m.everything()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		m.t.Errorf("%s was called with a lock held", name)
	}
	close(m.done)
}

func (m *meddler) everything() {
	m.mu.Lock()
	sessions := append([]*engineio.Session{}, m.sessions...)
	m.mu.Unlock()
	message := engineio.NewMessage([]byte("x"), false)
	engineio.SendAll(sessions, message)
	for _, s := range sessions {
		cork := s.Cork()
		s.Send(message, message)
		cork.Release()
		s.Writable()
		_, _, _ = s.ID(), s.Handshake(), s.Transport()
	}
	for _, query := range []string{"", "?EIO=4&transport=polling", "?EIO=4&transport=polling&sid=x"} {
		m.server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", m.server.Path()+query, nil))
	}
	m.server.AnswerCORS(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	for _, s := range sessions {
		s.Close()
		s.Send(message)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	m.server.Shutdown(over)
}

// A meddling receiver, log handler and hooks:

func (m *meddler) Message(data []byte, _ bool) {
	m.call("Message")
	if string(data) == "panic" {
		panic(data)
	}
}

func (m *meddler) Closed(engineio.Reason) { m.call("Closed") }

func (m *meddler) Enabled(context.Context, slog.Level) bool {
	m.call("Enabled")
	return true
}

func (m *meddler) Handle(_ context.Context, r slog.Record) error {
	m.call("log")
	m.call(r.Message)
	return nil
}

func (m *meddler) WithAttrs([]slog.Attr) slog.Handler { return m }
func (m *meddler) WithGroup(string) slog.Handler      { return m }

// overload sends to all sessions until they close. A WebSocket is open for its client
// before the server has opened the session.
func (m *meddler) overload() {
	<-m.opened
	m.mu.Lock()
	sessions := append([]*engineio.Session{}, m.sessions...)
	m.mu.Unlock()
	for _, s := range sessions {
		for s.Send(engineio.NewMessage(make([]byte, 100), false)) == nil {
		}
	}
}

// Nothing of the user's is called with a lock held, wherever the call comes
// from.
func TestCallbacksWithoutLocks(t *testing.T) {
	post := func(body string) func(*meddler, *http.Client) {
		return func(m *meddler, c *http.Client) {
			sid := m.open(c)
			m.request(c, "POST", "&sid="+sid, body)
		}
	}
	websocket := func(packets ...string) func(*meddler, *http.Client) {
		return func(m *meddler, c *http.Client) {
			w, _, err := conn.Dial(t.Context(), "ws://example.com/engine.io/?EIO=4&transport=websocket", dialOptions(c))
			if err != nil {
				return // an early callback has ended everything
			}
			go w.Each(t.Context(), func(conn.Message) error { return nil })
			for _, p := range packets {
				w.Write(t.Context(), conn.Text, []byte(p))
			}
		}
	}
	const closed = "engine.io: session closed"
	for _, tt := range []struct {
		name, wanted string
		do           func(*meddler, *http.Client)
	}{
		{"Allow", "Allow", post("")},
		{"Header", "Header", post("")},
		{"NewID", "NewID", post("")},
		{"open", "open", post("")},
		{"open on WebSocket", "open", websocket()},
		{"message by a POST", "Message", post("4a")},
		{"message by a WebSocket", "Message", websocket("4a")},
		{"end by the client's POST", "Closed", post("1")},
		{"end by the client's WebSocket", "Closed", websocket("1")},
		{"end by a packet that is none", "Closed", post("x")},
		{"end by a packet that is none, on WebSocket", "Closed", websocket("x")},
		{"end by Close", "Closed", func(m *meddler, c *http.Client) {
			m.open(c)
			m.sessions[0].Close()
		}},
		{"end by Shutdown", "Closed", func(m *meddler, c *http.Client) {
			m.open(c)
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			m.server.Shutdown(ctx)
		}},
		{"end by a silent client", "Closed", func(m *meddler, c *http.Client) { m.open(c) }},
		{"end by a full queue", "Closed", func(m *meddler, c *http.Client) {
			m.open(c)
			m.overload()
		}},
		{"log of a full queue", closed, func(m *meddler, c *http.Client) {
			m.open(c)
			m.overload()
		}},
		{"log of a full queue, on WebSocket", closed, func(m *meddler, c *http.Client) {
			conn.Dial(t.Context(), "ws://example.com/engine.io/?EIO=4&transport=websocket", dialOptions(c)) // never reads
			m.overload()
		}},
		{"log of a silent client", closed, func(m *meddler, c *http.Client) { m.open(c) }},
		{"log of a parse error", closed, post("x")},
		{"log of a parse error on WebSocket", closed, websocket("x")},
		{"log of a long body", closed, post(strings.Repeat("4", 2000))},
		{"log of a long message", closed, websocket("4" + strings.Repeat("x", 2000))},
		{"log of a ping", closed, post("2")},
		{"level of the log", "Enabled", post("x")},
		{"log of a panic", "engine.io: receiver panicked", post("4panic")},
		{"log of a panic on WebSocket", "engine.io: receiver panicked", websocket("4panic")},
		{"Foreign", "Foreign", func(m *meddler, c *http.Client) { m.request(c, "GET", "&sid=other", "") }},
		{"log of a NewID that fails", "engine.io: NewID failed", func(m *meddler, c *http.Client) {
			m.request(c, "GET", "&fail=1", "")
		}},
		{"log of a refused origin", "engine.io: WebSocket refused", func(m *meddler, c *http.Client) {
			o := dialOptions(c)
			o.Handshake.Header = http.Header{"Origin": {"http://other.example"}}
			conn.Dial(t.Context(), "ws://example.com/engine.io/?EIO=4&transport=websocket", o)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &meddler{t: t, wanted: tt.wanted, done: make(chan struct{}), opened: make(chan struct{}, 1)}
			o := &engineio.Options{
				Logger: slog.New(m),
				CORS:   &engineio.CORS{},
				Limits: engineio.Limits{QueueBytes: 1000, MaxPayload: 1000, PingInterval: 10 * time.Second},
				Hooks: engineio.Hooks{
					Allow:  func(*http.Request) error { m.call("Allow"); return nil },
					Header: func(http.Header, *http.Request) { m.call("Header") },
					NewID: func(r *http.Request) (string, error) {
						m.call("NewID")
						if r.URL.Query().Has("fail") {
							return "", errors.New("no more ids")
						}
						return "a-long-session-id-" + strconv.Itoa(int(ids.Add(1))), nil
					},
					Foreign: func(_ *http.Request, sid string) http.Handler {
						if sid == "" {
							t.Error("Foreign is asked about no session")
						}
						m.call("Foreign")
						return nil
					},
				},
			}
			if strings.Contains(tt.name, "silent") {
				o.Limits.PingInterval, o.Limits.PingTimeout = time.Millisecond, time.Millisecond
			}
			m.server = newServer(t, func(s *engineio.Session) engineio.Receiver {
				m.mu.Lock()
				m.sessions = append(m.sessions, s)
				m.mu.Unlock()
				select {
				case m.opened <- struct{}{}:
				default:
				}
				m.call("open")
				return m
			}, o)
			l := pipe.Listen()
			web := &http.Server{Handler: m.server}
			go web.Serve(l)
			transport := &http.Transport{DialContext: l.DialContext}
			tt.do(m, &http.Client{Transport: transport})
			select {
			case <-m.done:
			case <-time.After(20 * time.Second):
				t.Errorf("%s was not called", tt.wanted)
			}
			over, cancel := context.WithCancel(context.Background())
			cancel()
			m.server.Shutdown(over)
			transport.CloseIdleConnections()
			web.Close()
			l.Close()
		})
	}
}

// ids makes the ids of sessions differ.
var ids atomic.Int32

func dialOptions(c *http.Client) *conn.DialOptions {
	o := &conn.DialOptions{}
	o.Handshake.HTTPClient = c
	return o
}

// request sends a request of polling and returns the body of the answer. Errors
// are those of a server that the callback has shut down.
func (m *meddler) request(c *http.Client, method, query, body string) string {
	s := &site{t: m.t, http: c}
	r, err := s.do(m.t.Context(), method, "transport=polling"+query, body)
	if err != nil {
		return ""
	}
	return r.body
}

// open opens a session and returns its id.
func (m *meddler) open(c *http.Client) string {
	fields := strings.Split(m.request(c, "GET", "", "")+`""""`, `"`)
	return fields[3]
}
