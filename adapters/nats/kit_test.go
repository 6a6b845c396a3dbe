package natsadapter_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/socketio"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
		return
	}
	leakcheck.Main(m)
}

// patience bounds steps that hang only if something is wrong.
const patience = 30 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serve starts a NATS server. set may change its options.
func serve(t testing.TB, set func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true}
	if set != nil {
		set(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

// A node is a Socket.IO server of a cluster.
type node struct {
	t   testing.TB
	c   *natsadapter.Broker
	io  *socketio.Server
	url string

	cut func() // the connections of all clients
	end func()
}

func start(t testing.TB, url string, o *natsadapter.Options) *node {
	t.Helper()
	return startRecovering(t, url, o, nil)
}

func startRecovering(t testing.TB, url string, o *natsadapter.Options, r *socketio.Recovery) *node {
	t.Helper()
	if o == nil {
		o = &natsadapter.Options{Logger: quiet()}
	}
	c, err := natsadapter.New(url, o)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, c: c}
	n.io, err = socketio.NewServer(&socketio.Options{Adapter: c.Adapter, Logger: quiet(), Recovery: r})
	if err != nil {
		t.Fatal(err)
	}
	n.io.OnConnect(func(s *socketio.Socket) {
		s.Set("user", map[string]any{"b": []byte{1, 2}})
		socketio.Handle(s, "join", func(_ context.Context, room string) (bool, error) { return true, s.Join(room) })
		socketio.Handle(s, "leave", func(_ context.Context, room string) (bool, error) { s.Leave(room); return true, nil })
	})
	web := httptest.NewUnstartedServer(n.io)
	tap := &tap{Listener: web.Listener}
	web.Listener = tap
	web.Start()
	n.url, n.cut = web.URL, tap.cut
	n.end = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n.io.Shutdown(ctx)
		web.Close()
		c.Close(ctx)
	})
	t.Cleanup(n.end)
	return n
}

// located waits until the node knows where the stream of events is.
func (n *node) located() {
	until(n.t, "the stream is known", func() bool { return n.c.Located("/") })
}

// A tap is a listener whose connections can be cut, also those that are not HTTP any more.
type tap struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (t *tap) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.conns = append(t.conns, c)
	}
	return c, err
}

func (t *tap) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		c.Close()
	}
	t.conns = nil
}

// ready waits until the nodes know each other.
func ready(t testing.TB, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		until(t, "all nodes are known", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			count, err := n.io.Nodes(ctx)
			return err == nil && count == len(nodes)
		})
	}
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		<-ticker.C
	}
}

// A client notes what it gets.
type client struct {
	*socketio.Client
	t   testing.TB
	got chan string
}

// dial connects a client, which joins rooms.
func (n *node) dial(rooms ...string) *client {
	n.t.Helper()
	c := &client{t: n.t, got: make(chan string, 1<<17)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	c.Client, err = socketio.Dial(ctx, n.url, &socketio.DialOptions{Logger: quiet(), Setup: func(s *socketio.Client) {
		s.OnAny(func(e *socketio.Event) {
			var text strings.Builder
			text.WriteString(e.Name())
			for i := range e.Len() {
				var v any
				if err := e.Decode(i, &v); err != nil {
					v = err
				}
				text.WriteString(fmt.Sprintf(" %v", v))
			}
			c.got <- text.String()
		})
		socketio.Handle(s, "ask", func(_ context.Context, v []byte) ([]byte, error) { return append(v, '!'), nil })
	}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	for _, room := range rooms {
		if _, err := socketio.Call[bool](ctx, c, "join", room); err != nil {
			n.t.Fatal(err)
		}
	}
	return c
}

// next returns what comes next.
func (c *client) next() string {
	c.t.Helper()
	select {
	case got := <-c.got:
		return got
	case <-time.After(patience):
		c.t.Fatal("nothing came")
		return ""
	}
}

func (c *client) want(want ...string) {
	c.t.Helper()
	for _, w := range want {
		select {
		case got := <-c.got:
			if got != w {
				c.t.Fatalf("got %.200q, want %.200q", got, w)
			}
		case <-time.After(patience):
			c.t.Fatalf("nothing came, want %.200q", w)
		}
	}
}

// interest waits until the server has a number of subscriptions to a room's subject.
func interest(t testing.TB, s *server.Server, subject string, want int) {
	t.Helper()
	until(t, fmt.Sprintf("%d subscriptions to %s", want, subject), func() bool {
		z, err := s.Subsz(&server.SubszOptions{Subscriptions: true, Limit: 100_000, Test: subject})
		return err == nil && z.Total == want
	})
}
