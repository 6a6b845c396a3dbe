package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/socketio"
)

// A meddler is called back by a server, and calls everything that the package
// has from there: if a lock were held it would wait for ever.
type meddler struct {
	t      *testing.T
	io     *socketio.Server
	wanted string // the callback that meddles
	called atomic.Bool
	done   chan struct{} // closed when the wanted callback has returned

	mu      sync.Mutex
	sockets []*socketio.Socket
	locals  []*socketio.Local
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
	sockets := append([]*socketio.Socket{}, m.sockets...)
	locals := append([]*socketio.Local{}, m.locals...)
	m.mu.Unlock()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	m.io.Of("/other").Emit("x")
	for _, n := range append([]socketio.Endpoint{m.io, m.io.To("room")}, endpoints(sockets)...) {
		if callee, ok := n.(socketio.Callee); ok {
			socketio.Call[any](over, callee, "x")
		}
		socketio.CallAll[any](over, n, "x")
	}
	m.io.Emit("x", []byte("y"))
	m.io.To("room").Except("other").Volatile().Emit("x")
	m.io.FetchSockets(over)
	m.io.SocketsJoin("new")
	m.io.SocketsLeave("new")
	m.io.Rooms(over)
	m.io.ServerSideEmit("x")
	m.io.ServerSideCall(over, "x")
	m.io.Nodes(over)
	m.io.OfFunc(func(string, json.RawMessage) bool { return false })
	m.io.Use(func(context.Context, *socketio.Socket) error { return nil })
	m.io.OnConnect(func(*socketio.Socket) {})
	m.io.OnServerEvent("y", func(*socketio.ServerEvent) {})
	for _, query := range []string{"", "?EIO=4&transport=polling", "?EIO=4&transport=polling&sid=x"} {
		m.io.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/socket.io/"+query, nil))
	}
	m.io.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/socket.io/socket.io.js", nil))
	for _, s := range sockets {
		s.Emit("x", "y")
		s.Volatile().Emit("x")
		s.Broadcast().Emit("x")
		s.Join("a", "b")
		s.Leave("b")
		s.Set("key", "value")
		_, _, _, _ = s.Rooms(), s.Value("key"), s.Handshake(), s.Context()
		_, _, _, _ = s.ID(), s.Connected(), s.Recovered(), s.Transport()
		s.OnEvent("z", func(*socketio.Event) error { return nil })
		s.Use(func(*socketio.Event) error { return nil })
		s.OnAny(func(*socketio.Event) {})
		s.OnAnyOutgoing(func(string, []any) {})
		s.OnDisconnect(func(socketio.Reason) {})
	}
	all := socketio.Target{}
	for _, l := range locals {
		l.Broadcast(all, encodedEvent)
		if _, wait, err := l.Call(all, encodedEvent); err == nil {
			wait(over, func(socketio.Encoded) {})
		}
		l.Join(all, []string{"new"})
		l.Leave(all, []string{"new"})
		_, _, _ = l.HasRoom("new"), l.Rooms(), l.Fetch(all)
		l.ServerSideEvent(encodedEvent, nil)
	}
	for _, s := range sockets {
		s.Disconnect(false)
		s.Disconnect(true)
	}
	for _, l := range locals {
		l.Disconnect(all, true)
	}
	m.io.DisconnectSockets(true)
	m.io.Shutdown(over)
}

func endpoints(sockets []*socketio.Socket) (list []socketio.Endpoint) {
	for _, s := range sockets {
		list = append(list, s)
	}
	return list
}

// A meddling log handler, adapter, file system and argument:

func (m *meddler) Enabled(context.Context, slog.Level) bool { return true }

func (m *meddler) Handle(_ context.Context, r slog.Record) error {
	m.call(r.Message)
	return nil
}

func (m *meddler) WithAttrs([]slog.Attr) slog.Handler { return m }
func (m *meddler) WithGroup(string) slog.Handler      { return m }

type meddlingAdapter struct{ m *meddler }

func (a meddlingAdapter) did(name string) error { a.m.call("Adapter." + name); return nil }

// encodedEvent is an event as it comes from another node.
var encodedEvent = socketio.Encoded{Data: []byte(`["y"]`)}

func (a meddlingAdapter) Broadcast(socketio.Target, socketio.Encoded) error {
	return a.did("Broadcast")
}
func (a meddlingAdapter) Call(_ context.Context, _ socketio.Target, _ socketio.Encoded, r socketio.Replies) error {
	r.Expect(1)
	r.Reply(socketio.Encoded{Data: []byte(`"x"`)})
	return a.did("Call")
}
func (a meddlingAdapter) Join(socketio.Target, []string) error    { return a.did("Join") }
func (a meddlingAdapter) Leave(socketio.Target, []string) error   { return a.did("Leave") }
func (a meddlingAdapter) Disconnect(socketio.Target, bool) error  { return a.did("Disconnect") }
func (a meddlingAdapter) Rooms(context.Context) ([]string, error) { return nil, a.did("Rooms") }
func (a meddlingAdapter) Nodes(context.Context) (int, error)      { return 1, a.did("Nodes") }
func (a meddlingAdapter) RoomsChanged(_, _ []string)              { a.did("RoomsChanged") }
func (a meddlingAdapter) Close(context.Context) error             { a.did("Close"); return errors.New("closed") }
func (a meddlingAdapter) Fetch(context.Context, socketio.Target) ([]socketio.RemoteSocket, error) {
	return nil, a.did("Fetch")
}
func (a meddlingAdapter) ServerSideEmit(socketio.Encoded) error { return a.did("ServerSideEmit") }
func (a meddlingAdapter) ServerSideCall(context.Context, socketio.Encoded, socketio.Replies) error {
	return a.did("ServerSideCall")
}

func (m *meddler) adapter(l *socketio.Local) (socketio.Adapter, error) {
	m.mu.Lock()
	m.locals = append(m.locals, l)
	m.mu.Unlock()
	if m.io != nil {
		m.call("Adapter")
	}
	if l.Name() == "/fails" {
		return nil, errors.New("the broker is away")
	}
	return meddlingAdapter{m}, nil
}

func (m *meddler) Open(name string) (fs.File, error) {
	if m.io != nil {
		m.call("Open")
	}
	return fstest.MapFS{"socket.io.js": {}}.Open(name)
}

type meddlingValue struct {
	m *meddler
	e *socketio.Event // that is being decoded
}

func (v meddlingValue) MarshalJSON() ([]byte, error) {
	v.m.call("MarshalJSON")
	return []byte("1"), nil
}

func (v *meddlingValue) UnmarshalJSON([]byte) error {
	var again any
	if err := v.e.Decode(0, &again); err != nil {
		return err
	}
	v.m.call("UnmarshalJSON")
	return nil
}

// serve registers handlers that meddle.
func (m *meddler) serve(s *socketio.Socket) {
	m.call("OnConnect")
	s.Use(func(*socketio.Event) error { m.call("Socket.Use"); return nil })
	s.OnAny(func(*socketio.Event) { m.call("OnAny") })
	s.OnAnyOutgoing(func(string, []any) { m.call("OnAnyOutgoing") })
	s.OnDisconnecting(func(socketio.Reason) { m.call("OnDisconnecting") })
	s.OnDisconnect(func(socketio.Reason) { m.call("OnDisconnect") })
	s.OnEvent("event", func(e *socketio.Event) error {
		m.call("OnEvent")
		v := meddlingValue{m, e}
		e.Ack(v)
		return e.Decode(0, &v)
	})
	s.OnEvent("fail", func(e *socketio.Event) error { return errors.New("failed") })
	s.OnEvent("panic", func(e *socketio.Event) error { panic("panic") })
	s.OnEvent("emit", func(e *socketio.Event) error { return s.Emit("x", meddlingValue{m: m}) })
	s.OnEvent("broadcast", func(e *socketio.Event) error { return m.io.Emit("x", meddlingValue{m: m}) })
	s.OnEvent("api", func(e *socketio.Event) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		socketio.CallAll[string](ctx, m.io, "x", meddlingValue{m: m})
		socketio.Call[string](ctx, s, "x", meddlingValue{m: m})
		m.io.SocketsJoin("x")
		m.io.SocketsLeave("x")
		m.io.FetchSockets(ctx)
		m.io.Rooms(ctx)
		m.io.ServerSideEmit("x")
		m.io.ServerSideCall(ctx, "x")
		m.io.Nodes(ctx)
		m.io.In("nobody").DisconnectSockets(false)
		m.locals[0].ServerSideEvent(socketio.Encoded{Data: []byte(`["server"]`)}, nil)
		return nil
	})
	s.OnEvent("flood", func(e *socketio.Event) error {
		for s.Connected() {
			m.io.Emit("x", strings.Repeat("x", 1000))
		}
		return nil
	})
}

// Nothing of the user's is called with a lock held, wherever the call comes
// from.
func TestCallbacksWithoutLocks(t *testing.T) {
	for _, tt := range []struct {
		wanted string
		send   []string // packets on WebSocket; "" reads no more
	}{
		{"Allow", nil},
		{"Header", nil},
		{"NewID", nil},
		{"Open", nil},
		{"OnFunc", []string{"0/dynamic,"}},
		{"Adapter", []string{"0/dynamic,"}},
		{"Adapter.Close", []string{"0/dynamic,", "1/dynamic,"}},
		{"socket.io: adapter", []string{"0/dynamic,", "1/dynamic,"}},
		{"socket.io: adapter failed", []string{"0/fails,"}},
		{"Use", []string{"0"}},
		{"OnConnect", []string{"0"}},
		{"Socket.Use", []string{"0", `2["event"]`}},
		{"OnAny", []string{"0", `2["event"]`}},
		{"OnEvent", []string{"0", `2["event"]`}},
		{"OnAnyOutgoing", []string{"0", `2["emit"]`}},
		{"OnAnyOutgoing", []string{"0", `2["broadcast"]`}},
		{"OnAnyOutgoing", []string{"0", `2["api"]`}},
		{"OnDisconnecting", []string{"0", "1"}},
		{"OnDisconnect", []string{"0", "1"}},
		{"OnServerEvent", []string{"0", `2["api"]`}},
		{"MarshalJSON", []string{"0", `21["event"]`}},
		{"MarshalJSON", []string{"0", `2["emit"]`}},
		{"MarshalJSON", []string{"0", `2["broadcast"]`}},
		{"MarshalJSON", []string{"0", `2["api"]`}},
		{"MarshalJSON", []string{"0/refused,"}},
		{"UnmarshalJSON", []string{"0", `2["event",1]`}},
		{"Adapter.Broadcast", []string{"0", `2["broadcast"]`}},
		{"Adapter.Call", []string{"0", `2["api"]`}},
		{"Adapter.Join", []string{"0", `2["api"]`}},
		{"Adapter.Leave", []string{"0", `2["api"]`}},
		{"Adapter.Disconnect", []string{"0", `2["api"]`}},
		{"Adapter.Fetch", []string{"0", `2["api"]`}},
		{"Adapter.Rooms", []string{"0", `2["api"]`}},
		{"Adapter.ServerSideEmit", []string{"0", `2["api"]`}},
		{"Adapter.ServerSideCall", []string{"0", `2["api"]`}},
		{"Adapter.Nodes", []string{"0", `2["api"]`}},
		{"Adapter.RoomsChanged", []string{"0"}},
		{"socket.io: event failed", []string{"0", `2["fail"]`}},
		{"socket.io: handler panicked", []string{"0", `2["panic"]`}},
		{"socket.io: handler panicked", []string{"0/panics,"}},
		{"socket.io: connection closed", []string{"0", "0"}},
		{"socket.io: data of an Error", []string{"0/nojson,"}},
		{"engine.io: session closed", []string{"0", "", `2["flood"]`}},
		{"OnDisconnect", []string{"0", "", `2["flood"]`}},
	} {
		for _, recovery := range []*socketio.Recovery{nil, {}} {
			t.Run(fmt.Sprint(tt.wanted, tt.send, recovery != nil), func(t *testing.T) {
				m := newMeddler(t, tt.wanted, recovery)
				m.run(func(web *http.Client) {
					m.io.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/socket.io/socket.io.js", nil))
					c, _, err := conn.Dial(t.Context(), "ws://example.com/socket.io/?EIO=4&transport=websocket",
						&conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: web}})
					if err != nil {
						return // an early callback has ended everything
					}
					ctx, stopReading := context.WithCancel(t.Context())
					defer stopReading()
					connected := make(chan struct{}, 100)
					go c.Each(ctx, func(p conn.Message) error {
						if len(p.Payload) > 1 && (p.Payload[1] == '0' || p.Payload[1] == '4') {
							connected <- struct{}{}
						}
						return nil
					})
					for _, p := range tt.send {
						if p == "" {
							stopReading()
							continue
						}
						c.Write(t.Context(), conn.Text, []byte("4"+p))
						if p[0] == '0' {
							select {
							case <-connected:
							case <-m.done:
								return
							case <-time.After(5 * time.Second): // a violation, or refused by its callback
							}
						}
					}
				})
			})
		}
	}
}

func newMeddler(t *testing.T, wanted string, recovery *socketio.Recovery) *meddler {
	m := &meddler{t: t, wanted: wanted, done: make(chan struct{})}
	io, err := socketio.NewServer(&socketio.Options{
		Logger:      slog.New(m),
		Adapter:     m.adapter,
		ClientFiles: m,
		Recovery:    recovery,
		Engine: engineio.Options{
			Limits: engineio.Limits{QueueBytes: 10_000},
			Hooks: engineio.Hooks{
				Allow:  func(*http.Request) error { m.call("Allow"); return nil },
				Header: func(http.Header, *http.Request) { m.call("Header") },
				NewID:  func(*http.Request) (string, error) { m.call("NewID"); return fmt.Sprint("id", ids.Add(1)), nil },
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.io = io
	use := func(_ context.Context, s *socketio.Socket) error {
		m.mu.Lock()
		m.sockets = append(m.sockets, s)
		m.mu.Unlock()
		m.call("Use")
		return nil
	}
	io.Use(use)
	io.OnConnect(m.serve)
	io.OnServerEvent("server", func(*socketio.ServerEvent) { m.call("OnServerEvent") })
	io.Of("/refused").Use(func(context.Context, *socketio.Socket) error {
		return &socketio.Error{Message: "no", Data: meddlingValue{m: m}}
	})
	io.Of("/nojson").Use(func(context.Context, *socketio.Socket) error {
		return &socketio.Error{Message: "no", Data: make(chan int)}
	})
	io.Of("/panics").Use(func(context.Context, *socketio.Socket) error { panic("middleware") })
	dynamic := io.OfFunc(func(name string, _ json.RawMessage) bool {
		m.call("OnFunc")
		return name == "/dynamic" || name == "/fails"
	})
	dynamic.Use(use)
	dynamic.OnConnect(m.serve)
	return m
}

// ids makes the ids of sessions differ.
var ids atomic.Int32

// run serves, lets f act as a client, and waits for the callback.
func (m *meddler) run(f func(*http.Client)) {
	l := pipe.Listen()
	web := &http.Server{Handler: m.io}
	go web.Serve(l)
	transport := &http.Transport{DialContext: l.DialContext}
	f(&http.Client{Transport: transport})
	select {
	case <-m.done:
	case <-time.After(20 * time.Second):
		m.t.Errorf("%s was not called", m.wanted)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	m.io.Shutdown(over)
	transport.CloseIdleConnections()
	web.Close()
	l.Close()
}

// A client that never reads and joins namespace after namespace ends while one of
// them welcomes it, which is when its rooms are locked.
func TestEndWhileWelcomed(t *testing.T) {
	for _, wanted := range []string{"engine.io: session closed", "OnDisconnect"} {
		m := newMeddler(t, wanted, nil)
		for i := range 20 {
			m.io.Of(fmt.Sprint("/", strings.Repeat("x", 1000), i)).OnConnect(m.serve)
		}
		m.run(func(web *http.Client) {
			s := &site{t: t, http: web}
			p := s.poller()
			for i := range 20 {
				r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://example.com/socket.io/"+p.query,
					strings.NewReader(fmt.Sprint("40/", strings.Repeat("x", 1000), i, ",")))
				resp, err := web.Do(r)
				if err != nil {
					return
				}
				resp.Body.Close()
			}
		})
	}
}
