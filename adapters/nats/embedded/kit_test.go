package embedded_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/nats/embedded"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/socketio"
)

func TestMain(m *testing.M) {
	if peer := os.Getenv("PARLEY_TEST_PEER"); peer != "" {
		child(peer)
	}
	if peers := os.Getenv("PARLEY_TEST_KEEPS"); peers != "" {
		keepingChild(strings.Split(peers, ","))
	}
	leakcheck.Main(m)
}

// patience bounds steps that hang only if something is wrong.
const patience = 30 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A node is a Socket.IO server of a cluster.
type node struct {
	t   testing.TB
	c   *embedded.Cluster
	io  *socketio.Server
	url string

	watcher socketio.RoomWatcher // the adapter of the root namespace
}

func start(t testing.TB, o embedded.Options) *node {
	t.Helper()
	if o.Adapter.Logger == nil {
		o.Adapter.Logger = quiet()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := embedded.Start(ctx, &o)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, c: c}
	n.io = serve(t, func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := c.Adapter(l)
		n.watcher = a.(socketio.RoomWatcher)
		return a, err
	})
	web := httptest.NewServer(n.io)
	n.url = web.URL
	t.Cleanup(func() {
		n.stop()
		web.Close()
	})
	return n
}

func (n *node) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n.io.Shutdown(ctx)
	n.c.Close(ctx)
}

func serve(t testing.TB, adapter func(*socketio.Local) (socketio.Adapter, error)) *socketio.Server {
	io, err := socketio.NewServer(&socketio.Options{Adapter: adapter, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.Handle(s, "join", func(_ context.Context, room string) (bool, error) { return true, s.Join(room) })
	})
	return io
}

// knows waits until a node knows of a number of nodes, itself among them.
func (n *node) knows(want int) {
	n.t.Helper()
	until(n.t, fmt.Sprintf("%d nodes", want), func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		count, err := n.io.Nodes(ctx)
		return err == nil && count == want
	})
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		<-ticker.C
	}
}

// dial connects a client that joins a room, and returns what it hears of "n".
func (n *node) dial(room string) <-chan int {
	n.t.Helper()
	got := make(chan int, 1<<17)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := socketio.Dial(ctx, n.url, &socketio.DialOptions{Logger: quiet(), Setup: func(s *socketio.Client) {
		socketio.On(s, "n", func(_ context.Context, i int) error { got <- i; return nil })
	}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	if _, err := socketio.Call[bool](ctx, c, "join", room); err != nil {
		n.t.Fatal(err)
	}
	return got
}

// A proxy is the way to a node, which can be cut.
type proxy struct {
	listener net.Listener
	to       string
	all      sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newProxy(t testing.TB, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, conns: make(map[net.Conn]bool)}
	p.all.Go(p.serve)
	t.Cleanup(func() {
		l.Close()
		p.set(true)
		p.all.Wait()
	})
	return p
}

// set cuts the way, or opens it again.
func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for c := range p.conns {
		if cut {
			c.Close()
		}
	}
}

func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			in.Close()
			continue
		}
		if !p.keep(in) || !p.keep(out) {
			in.Close()
			out.Close()
			continue
		}
		p.all.Go(func() { io.Copy(in, out); in.Close(); out.Close() })
		p.all.Go(func() { io.Copy(out, in); in.Close(); out.Close() })
	}
}
