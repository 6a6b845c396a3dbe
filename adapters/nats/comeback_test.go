package natsadapter_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// rounds is how often clients come back: -rounds 1000 is the long form.
var rounds = flag.Int("rounds", 100, "how often clients come back in tests of recovery")

func howOften() int {
	if testing.Short() {
		return min(*rounds, 5)
	}
	return *rounds
}

func withJetStream(t testing.TB) *server.Server {
	t.Helper()
	return serve(t, func(o *server.Options) { o.JetStream, o.StoreDir = true, t.TempDir() })
}

// A front is an address whose connections go to one of several nodes.
type front struct {
	t     testing.TB
	url   string
	to    atomic.Pointer[string] // an address
	mu    sync.Mutex
	conns []net.Conn
}

func newFront(t testing.TB) *front {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{t: t, url: "http://" + l.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); f.cut(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.pass(c) })
		}
	})
	return f
}

// lead makes connections go to a node from now on.
func (f *front) lead(url string) { f.to.Store(new(strings.TrimPrefix(url, "http://"))) }

// pass connects c with a node.
func (f *front) pass(c net.Conn) {
	defer c.Close()
	other, err := net.Dial("tcp", *f.to.Load())
	if err != nil {
		return
	}
	defer other.Close()
	f.mu.Lock()
	f.conns = append(f.conns, c, other)
	f.mu.Unlock()
	go func() { io.Copy(other, c); other.Close(); c.Close() }()
	io.Copy(c, other)
}

// cut ends all connections.
func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

// A listener is a client with the numbered events that it has got: each sender's must come in
// order, and all of them once.
type listener struct {
	*socketio.Client
	mu   sync.Mutex
	last map[string]int
	back chan bool // the client is connected again: it has been recovered
}

// listen connects a client that is in a room.
func (f *front) listen(room string) *listener {
	f.t.Helper()
	l := &listener{last: make(map[string]int), back: make(chan bool, 100)}
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	first := true
	var err error
	l.Client, err = socketio.Dial(ctx, f.url, &socketio.DialOptions{
		Engine: engineio.DialOptions{Transports: []string{"websocket"}}, Logger: quiet(),
		Reconnection: socketio.Reconnection{Delay: time.Millisecond, MaxDelay: 10 * time.Millisecond},
		Setup: func(c *socketio.Client) {
			socketio.On2(c, "n", func(_ context.Context, sender string, n int) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				if last, ok := l.last[sender]; ok && n != last+1 {
					f.t.Errorf("%s: %d after %d", sender, n, last)
				}
				l.last[sender] = n
				return nil
			})
			c.OnConnect(func() {
				if !first {
					l.back <- c.Recovered()
				}
				first = false
			})
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(l.Close)
	if _, err := socketio.Call[bool](ctx, l, "join", room); err != nil {
		f.t.Fatal(err)
	}
	return l
}

func (l *listener) has(sender string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[sender]
}

// forget forgets what has come: the client is another one.
func (l *listener) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.last)
}

// returned waits until the client is back, as it was before if recovered is set.
func (l *listener) returned(t testing.TB, id string, recovered bool) {
	t.Helper()
	select {
	case got := <-l.back:
		if got != recovered || (l.ID() == id) != recovered {
			t.Fatalf("recovered %t, want %t; id %s, was %s", got, recovered, l.ID(), id)
		}
	case <-time.After(patience):
		t.Fatal("the client does not come back")
	}
}

// often is the time between two events of a sender.
const often = 200 * time.Microsecond

// talk emits numbered events until stop is called, which returns the last number.
func (n *node) talk(room, sender string, every time.Duration) (stop func() int) {
	over, last := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 1; ; i++ {
			check(n.t, n.io.To(room).Emit("n", sender, i))
			select {
			case <-tick.C:
			case <-over:
				last <- i
				return
			}
		}
	}()
	return func() int { close(over); return <-last }
}

func startLogging(t testing.TB, url string) *node {
	t.Helper()
	return startRecovering(t, url, &natsadapter.Options{Logger: quiet(), JetStream: new(natsadapter.JetStream)}, &socketio.Recovery{})
}

// A client whose node ends comes back to another one, with all that it had and missed,
// while events of both flow.
func TestNodeClosed(t *testing.T) {
	s := withJetStream(t)
	f := newFront(t)
	speaker, now := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, speaker, now)
	now.located()
	f.lead(now.url)
	g := f.listen("room")
	id := g.ID()
	stop := speaker.talk("room", "speaker", often)
	for i := range howOften() {
		name := fmt.Sprint("node ", i)
		own := now.talk("room", name, often)
		until(t, "events", func() bool { return g.has(name) > 5 })
		next := startLogging(t, s.ClientURL())
		next.located()
		f.lead(next.url)
		last := own()
		now.end()
		g.returned(t, id, true)
		socket, ok := next.io.Socket(id)
		if !ok || !socket.Recovered() || !slices.Contains(socket.Rooms(), "room") {
			t.Fatalf("%t, %v", ok, socket)
		}
		if user, _ := socket.Value("user").(map[string]any); !bytes.Equal(user["b"].([]byte), []byte{1, 2}) {
			t.Errorf("data %v", user)
		}
		until(t, "the last events of a node", func() bool { return g.has(name) == last })
		now = next
	}
	last := stop()
	until(t, "the last event", func() bool { return g.has("speaker") == last })
}

// A client whose node is killed comes back to another one in the same way. What the node had
// not handed over by then is lost, to everybody else.
func TestNodeKilledRecovery(t *testing.T) {
	s := withJetStream(t)
	f := newFront(t)
	speaker := startLogging(t, s.ClientURL())
	now := fork(t, "recover "+s.ClientURL())
	f.lead(now.url)
	g := f.listen("room")
	id := g.ID()
	stop := speaker.talk("room", "speaker", often)
	for i := range howOften() {
		name := fmt.Sprint("node ", i)
		if _, err := fmt.Fprintln(now.in, name); err != nil {
			t.Fatal(err)
		}
		until(t, "events", func() bool { return g.has(name) > 20 })
		next := fork(t, "recover "+s.ClientURL())
		f.lead(next.url)
		now.kill()
		g.returned(t, id, true)
		now = next
	}
	last := stop()
	until(t, "the last event", func() bool { return g.has("speaker") == last })
}

// Many clients of one node come back at once.
func TestManyComeBack(t *testing.T) {
	s := withJetStream(t)
	f := newFront(t)
	speaker, now, next := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, speaker, now, next)
	now.located()
	next.located()
	f.lead(now.url)
	var all []*listener
	var ids []string
	for i := range 100 {
		g := f.listen(fmt.Sprint("room", i%3))
		all, ids = append(all, g), append(ids, g.ID())
	}
	for i := range 3 {
		interest(t, s, fmt.Sprint("parley.ns./.room.room", i), 1)
	}
	var stops []func() int
	for i := range 3 {
		stops = append(stops, speaker.talk(fmt.Sprint("room", i), fmt.Sprint(i), 20*time.Millisecond))
	}
	for i, g := range all {
		until(t, "events", func() bool { return g.has(fmt.Sprint(i%3)) > 0 })
	}
	f.lead(next.url)
	now.end()
	for i, g := range all {
		g.returned(t, ids[i], true)
	}
	for i, stop := range stops {
		last := stop()
		for j := i; j < len(all); j += 3 {
			until(t, "the last event", func() bool { return all[j].has(fmt.Sprint(i)) == last })
		}
	}
}
