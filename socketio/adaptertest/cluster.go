package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/socketio"
)

// A cluster is the nodes of one test, and their clients.
type cluster struct {
	*testing.T
	Suite
	make    func() Factory
	nodes   []*node // those that run
	clients []*client
	made    int // nodes, those that run no more as well
	rounds  int // of settle

	mu   sync.Mutex
	left bool // the test has failed, and something goes on without it
}

// Errorf is that of T. What goes on after the test may call it, in vain.
func (c *cluster) Errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.left {
		c.Helper()
		c.T.Errorf(format, args...)
	}
}

// A node is a server, which its clients reach in memory.
type node struct {
	c    *cluster
	name string
	io   *socketio.Server
	net  *pipe.Listener
	http *http.Server
	stop func()
}

func newCluster(t *testing.T, s Suite) *cluster {
	return &cluster{T: t, Suite: s, make: s.Cluster(t)}
}

// standard starts three nodes with two clients each: a0 and b0, a1 and b1, a2 and b2. Those
// of a are in the rooms A and AB, those of b in B and AB.
func (c *cluster) standard() {
	c.Helper()
	c.start(3)
	for i, n := range c.nodes {
		n.dial(fmt.Sprint("a", i), "/", "A", "AB")
		n.dial(fmt.Sprint("b", i), "/", "B", "AB")
	}
	c.settle()
}

// start starts nodes, and waits until they know each other.
func (c *cluster) start(nodes int) {
	c.Helper()
	for range nodes {
		c.add()
	}
	c.wantNodes()
}

// dynamic are the names of the namespaces that come and go.
var dynamic = regexp.MustCompile(`^/dynamic-`)

// add starts one more node.
func (c *cluster) add() *node {
	c.Helper()
	n := &node{c: c, name: fmt.Sprint("node ", c.made), net: pipe.Listen()}
	c.made++
	log := new(logbook)
	var recovery *socketio.Recovery
	if c.IsOffset != nil {
		recovery = new(socketio.Recovery)
	}
	server, err := socketio.NewServer(&socketio.Options{
		Adapter: c.make(), Recovery: recovery,
		Engine: engineio.Options{
			Limits:  engineio.Limits{MaxPayload: 64 << 20, QueueBytes: -1},
			Deflate: new(handshake.DeflateOptions),
		},
		Limits: socketio.Limits{Attachments: 64, AckTimeout: c.patience, Rooms: -1},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		c.Fatalf("%s: %v", n.name, err)
	}
	n.io = server
	server.OfPattern(dynamic)
	n.http = &http.Server{Handler: server}
	var serving sync.WaitGroup
	serving.Go(func() { n.http.Serve(n.net) })
	n.stop = sync.OnceFunc(func() {
		n.close()
		n.http.Close()
		n.net.Close()
		serving.Wait()
		if c.Failed() {
			c.Logf("the log of %s:\n%s", n.name, log)
		}
	})
	c.Cleanup(n.stop)
	c.nodes = append(c.nodes, n)
	return n
}

// close shuts the server down, and its clients with it.
func (n *node) close() {
	n.c.nodes = slices.DeleteFunc(n.c.nodes, func(o *node) bool { return o == n })
	ctx, cancel := context.WithTimeout(context.Background(), n.c.patience)
	defer cancel()
	if err := n.io.Shutdown(ctx); err != nil {
		n.c.Errorf("%s: Shutdown: %v", n.name, err)
	}
	n.c.clients = slices.DeleteFunc(n.c.clients, func(cl *client) bool {
		if cl.node == n {
			cl.close()
		}
		return cl.node == n
	})
}

// wantNodes waits until all nodes know how many they are.
func (c *cluster) wantNodes() {
	c.Helper()
	for _, n := range c.nodes {
		eventually(c.T, c.patience, "Nodes of "+n.name, func() error {
			ctx, cancel := c.ctx()
			defer cancel()
			got, err := n.io.Nodes(ctx)
			if err == nil && got != len(c.nodes) {
				err = fmt.Errorf("there are %d, want %d", got, len(c.nodes))
			}
			return err
		})
	}
}

// ctx returns a ctx for something that should not take long.
func (c *cluster) ctx() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), c.patience)
}

// ok fails the test if there is an error.
func (c *cluster) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// client returns the client with a name.
func (c *cluster) client(name string) *client {
	c.Helper()
	for _, cl := range c.clients {
		if cl.name == name {
			return cl
		}
	}
	c.Fatalf("there is no client %q", name)
	return nil
}

// A logbook is what a node has logged.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// errIs is the error of a value that is not the wanted one.
func errIs(got, want any) error { return fmt.Errorf("got %v, want %v", got, want) }

// isEnd reports whether an error is that of a ctx that has ended.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
