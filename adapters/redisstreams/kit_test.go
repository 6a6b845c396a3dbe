package redisstreams

import (
	"cmp"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// soon returns a ctx for what must happen within 30 s.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var quiet = slog.New(slog.DiscardHandler)

var silent = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

// A site is a server of a cluster.
type site struct {
	t       testing.TB
	streams *Streams
	io      *socketio.Server
	url     string
}

// newSite starts a server that is connected with Redis at addr, without waiting for it.
func newSite(t testing.TB, client redis.UniversalClient, o Options, setup func(io *socketio.Server)) *site {
	t.Helper()
	o.Logger = cmp.Or(o.Logger, quiet)
	streams, err := New(client, &o)
	if err != nil {
		t.Fatal(err)
	}
	io, err := socketio.NewServer(&socketio.Options{Adapter: streams.Adapter, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.On(s, "join", func(_ context.Context, room string) error { return s.Join(room) })
		socketio.Handle(s, "join now", func(_ context.Context, room string) (string, error) { return room, s.Join(room) })
	})
	if setup != nil {
		setup(io)
	}
	h := httptest.NewServer(io)
	t.Cleanup(func() {
		// A broker that is away at the end of a test is not waited for.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		io.Shutdown(ctx)
		h.Close()
		streams.Close(ctx)
	})
	return &site{t, streams, io, h.URL}
}

func connect(t testing.TB, addr string) redis.UniversalClient {
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { c.Close() })
	return c
}

// newSites starts n servers and waits until they are connected with one another.
func newSites(t testing.TB, client redis.UniversalClient, n int, o Options, setup func(i int, io *socketio.Server)) (list []*site) {
	t.Helper()
	for i := range n {
		list = append(list, newSite(t, client, o, func(io *socketio.Server) {
			if setup != nil {
				setup(i, io)
			}
		}))
	}
	for _, s := range list {
		if err := s.streams.Ready(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// A guest is a client, with what it has received.
type guest struct {
	t testing.TB
	*socketio.Client
	got chan []any
}

// guest connects a client that is in rooms, and takes the events with names.
func (s *site) guest(events string, rooms ...string) *guest {
	s.t.Helper()
	g := &guest{t: s.t, got: make(chan []any, 100_000)}
	c, err := socketio.Dial(soon(s.t), s.url, &socketio.DialOptions{
		Engine: engineio.DialOptions{Transports: []string{"websocket"}}, Logger: quiet,
		Setup: func(c *socketio.Client) {
			for name := range strings.FieldsSeq(events) {
				c.OnEvent(name, func(e *socketio.Event) error {
					list := []any{name}
					for i := range e.Len() {
						var v any
						if err := e.Decode(i, &v); err != nil {
							return err
						}
						list = append(list, v)
					}
					g.got <- list
					return nil
				})
			}
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	g.Client = c
	for _, room := range rooms {
		if _, err := socketio.Call[string](soon(s.t), c, "join now", room); err != nil {
			s.t.Fatal(err)
		}
	}
	return g
}

// next returns the next event.
func (g *guest) next() []any {
	g.t.Helper()
	select {
	case e := <-g.got:
		return e
	case <-soon(g.t).Done():
		g.t.Fatal("no event has come")
	}
	return nil
}

// until waits for a condition, which it tries every few milliseconds.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	ctx := soon(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}
