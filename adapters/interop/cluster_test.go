package interop

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// A cluster is two nodes of ours and one of Node, and their clients: a0 and b0 of node 0, a1
// and b1 of node 1, which are ours, a2 and b2 of node 2, which is Node's. Those of a are in
// the rooms A and AB, those of b in B and AB.
type cluster struct {
	*testing.T
	nodes   []node
	clients []*client
	prefix  string
	rounds  int
}

// start starts a cluster with adapters.
func start(t *testing.T, r row, addrs []string) *cluster {
	t.Helper()
	c := &cluster{T: t, prefix: rand.Text()}
	client := connect(t, addrs)
	for range 2 {
		b, err := r.broker(client, c.prefix)
		if err != nil {
			t.Fatal(err)
		}
		c.nodes = append(c.nodes, startOurs(t, b))
	}
	c.nodes = append(c.nodes, startProcess(t, r.node, c.prefix, addrs...))
	for i, n := range c.nodes {
		c.dial(fmt.Sprint("a", i), n, "/", "A", "AB")
		c.dial(fmt.Sprint("b", i), n, "/", "B", "AB")
	}
	c.settle()
	return c
}

// A client is connected to a node.
type client struct {
	*socketio.Client
	name  string
	node  node
	rooms []string // those that it has asked for

	mu     sync.Mutex
	events []string
	probes map[string]bool
	silent bool // it does not acknowledge
	asked  chan struct{}
}

const probe = "probe"

// dial connects a client, which joins rooms.
func (c *cluster) dial(name string, n node, namespace string, rooms ...string) *client {
	c.Helper()
	cl := &client{name: name, node: n, rooms: rooms, probes: make(map[string]bool), asked: make(chan struct{}, 100)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialed, err := socketio.Dial(ctx, n.url()+namespace+"?name="+name, &socketio.DialOptions{
		Setup:        func(s *socketio.Client) { s.OnAny(cl.note) },
		Auth:         map[string]any{"name": name, "n": 1},
		Engine:       engineio.DialOptions{Transports: []string{"websocket"}},
		Reconnection: socketio.Reconnection{Off: true},
		Limits:       socketio.ClientLimits{Attachments: 20},
		Logger:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		c.Fatal(err)
	}
	cl.Client = dialed
	c.Cleanup(func() {
		dialed.Close()
		<-dialed.Done()
	})
	if _, err := socketio.Call[any](ctx, dialed, "join", rooms); err != nil {
		c.Fatal(err)
	}
	c.clients = append(c.clients, cl)
	return cl
}

// note notes an event, and answers it.
func (cl *client) note(e *socketio.Event) {
	args, err := e.Args()
	if err != nil {
		args = []any{err.Error()}
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if e.Name() == probe && len(args) == 1 {
		cl.probes[fmt.Sprint(args[0])] = true
		return
	}
	cl.events = append(cl.events, line(append([]any{e.Name()}, args...)...))
	if !e.WantsAck() {
		return
	}
	if cl.silent {
		cl.asked <- struct{}{}
		return
	}
	var first any
	if len(args) > 0 {
		first = args[0]
	}
	e.Ack(map[string]any{"name": cl.name, "first": first})
}

// count waits until clients have got so many events, or no longer: on a Redis cluster those of
// settle may overtake Node's.
func (c *cluster) count(want func(*client) int) {
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	end := time.After(patience)
	for _, cl := range c.clients {
		for cl.len() < want(cl) {
			select {
			case <-look.C:
			case <-end:
				return
			}
		}
	}
}

func (cl *client) len() int {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return len(cl.events)
}

// take returns the events that have come, and forgets them.
func (cl *client) take() []string {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	events := cl.events
	cl.events = nil
	return events
}

func (cl *client) has(token string) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.probes[token]
}

// in reports whether the client is in a room, or in any of them.
func (cl *client) in(rooms ...string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool {
		return room == "" || room == cl.ID() || slices.Contains(cl.rooms, room)
	})
}

// settle waits until what each node sends to all, to each room and to each socket arrives:
// once for what was sent before, which comes before, and again where a room of Node is not
// subscribed to yet.
func (c *cluster) settle() {
	c.Helper()
	c.rounds++
	eventually(c.T, "an event from each node for each room", 100*time.Millisecond, func() error {
		err := c.missing(true)
		if err == nil {
			return nil
		}
		look := time.NewTicker(2 * time.Millisecond)
		defer look.Stop()
		for range 25 {
			<-look.C
			if err = c.missing(false); err == nil {
				return nil
			}
		}
		return err
	})
}

func (c *cluster) missing(send bool) (err error) {
	sent := make(map[string]bool)
	for i, n := range c.nodes {
		for _, cl := range c.clients {
			for _, room := range append([]string{"", cl.ID()}, cl.rooms...) {
				token := fmt.Sprint(c.rounds, " ", i, " ", room, " ", cl.Namespace())
				if !cl.Connected() || cl.has(token) {
					continue
				}
				err = fmt.Errorf("%s has none from node %d to %q", cl.name, i, room)
				if send && !sent[token] {
					sent[token] = true
					t := target{Namespace: cl.Namespace()}
					if room != "" {
						t.Rooms = []string{room}
					}
					c.ok(n.do(command{Do: "emit", target: t, Args: []any{probe, token}}, nil))
				}
			}
		}
	}
	return err
}

func (c *cluster) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// wants are the events that clients should get, by name.
type wants map[string][]string

// add adds an event for the clients for which gets returns true.
func (c *cluster) add(w wants, gets func(*client) bool, event ...any) {
	for _, cl := range c.clients {
		if gets(cl) {
			w[cl.name] = append(w[cl.name], line(event...))
		}
	}
}

// want compares what clients have got, in any order.
func (c *cluster) want(w wants) {
	c.Helper()
	c.count(func(cl *client) int { return len(w[cl.name]) })
	c.settle()
	for _, cl := range c.clients {
		got, want := slices.Sorted(slices.Values(cl.take())), slices.Sorted(slices.Values(w[cl.name]))
		if !slices.Equal(got, want) {
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					c.Errorf("%s: %d events, want %d; from the %d. on\n got  %.500q\n want %.500q", cl.name, len(got), len(want), i+1,
						got[min(i, len(got)):min(i+2, len(got))], want[min(i, len(want)):min(i+2, len(want))])
					break
				}
			}
		}
	}
}

// eventually waits until is returns nil. It asks again after a time.
func eventually(t *testing.T, what string, interval time.Duration, is func() error) {
	t.Helper()
	end := time.After(patience)
	again := time.NewTicker(interval)
	defer again.Stop()
	for {
		err := is()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}
