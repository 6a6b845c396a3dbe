package redisadapter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A link connects a server with others.
type link interface {
	Adapter(*socketio.Local) (socketio.Adapter, error)
	Ready(context.Context) error
	Stats() redisadapter.Stats
	Close(context.Context) error
}

// A node is a server with its broker.
type node struct {
	t      testing.TB
	io     *socketio.Server
	broker link
	url    string
}

func newNode(t testing.TB, client redis.UniversalClient, o redisadapter.Options) *node {
	t.Helper()
	o.Logger = quiet()
	broker, err := redisadapter.New(client, &o)
	if err != nil {
		t.Fatal(err)
	}
	return nodeOn(t, broker)
}

func newShardedNode(t testing.TB, client redis.UniversalClient, o redisadapter.ShardedOptions) *node {
	t.Helper()
	o.Logger = quiet()
	broker, err := redisadapter.NewSharded(client, &o)
	if err != nil {
		t.Fatal(err)
	}
	return nodeOn(t, broker)
}

func nodeOn(t testing.TB, broker link) *node {
	t.Helper()
	io, err := socketio.NewServer(&socketio.Options{Adapter: broker.Adapter, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	serve(io.Namespace)
	site := httptest.NewServer(io)
	n := &node{t, io, broker, site.URL}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := io.Shutdown(ctx); err != nil {
			t.Error("Shutdown:", err)
		}
		if err := broker.Close(ctx); err != nil {
			t.Error("Close:", err)
		}
		site.Close()
	})
	return n
}

// newClient makes a go-redis client that is closed after the nodes.
func newClient(t testing.TB, addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { client.Close() })
	return client
}

func (n *node) ready() {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	if err := n.broker.Ready(ctx); err != nil {
		n.t.Fatal("Ready:", err)
	}
}

// A user is a client of a node.
type user struct {
	t      testing.TB
	id     string
	c      *socketio.Client
	events chan string // as name and arguments in JSON
}

// serve makes the sockets of a namespace join the rooms that their clients ask for.
func serve(ns *socketio.Namespace) {
	ns.OnConnect(func(s *socketio.Socket) {
		var auth struct{ Rooms []string }
		json.Unmarshal(s.Handshake().Auth, &auth)
		s.Join(auth.Rooms...)
		s.Set("name", "ü")
		s.Set("b", []byte{1, 255})
		s.Emit("joined")
	})
}

// join connects a client to a namespace of n, which is in the rooms when join returns, also
// for other nodes.
func (n *node) join(namespace string, rooms ...string) *user {
	n.t.Helper()
	u := &user{t: n.t, events: make(chan string, 100_000)}
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	setup := func(c *socketio.Client) {
		c.OnAny(func(e *socketio.Event) { u.events <- u.text(e) })
		socketio.Handle(c, "ask", func(_ context.Context, v any) (any, error) { return []any{"answer", v}, nil })
	}
	o := socketio.DialOptions{Logger: quiet(), Auth: map[string]any{"rooms": rooms}}
	if namespace == "/" {
		o.Setup = setup
	}
	c, err := socketio.Dial(ctx, n.url, &o)
	if err != nil {
		n.t.Fatal(err)
	}
	if u.c = c.Of(namespace); u.c != c {
		setup(u.c)
		u.c.Connect()
	}
	n.t.Cleanup(c.Close)
	u.want("joined")
	u.id = u.c.ID()
	n.ready()
	return u
}

// text returns the name and the arguments of an event, which are JSON; binary data is
// base64.
func (u *user) text(e *socketio.Event) string {
	var text strings.Builder
	text.WriteString(e.Name())
	for i := range e.Len() {
		var v any
		if err := e.Decode(i, &v); err != nil {
			u.t.Error(err)
		}
		j, err := json.Marshal(v)
		if err != nil {
			u.t.Error(err)
		}
		text.WriteString(" " + string(j))
	}
	return text.String()
}

func (u *user) want(want ...string) {
	u.t.Helper()
	for _, w := range want {
		select {
		case got := <-u.events:
			if got != w {
				u.t.Fatalf("got %q, want %q", got, w)
			}
		case <-time.After(patience):
			u.t.Fatalf("got nothing, want %q", w)
		}
	}
}

// wantNothing fails if something has come before an event that is sent now.
func (u *user) wantNothing(from *node, namespace string) {
	u.t.Helper()
	mark := fmt.Sprintf("mark%d", time.Now().UnixNano())
	from.io.Of(namespace).To(u.id).Emit(mark)
	u.want(mark)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
