package embedded_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/parleyws/parley/adapters/internal/brokertest"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/adapters/nats/embedded"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// addresses returns addresses where nobody listens.
func addresses(t testing.TB, n int) (list []string) {
	t.Helper()
	for len(list) < n {
		at := fmt.Sprint("127.0.0.1:", brokertest.FreePort(t))
		if !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return list
}

// keeping returns the options of a node that keeps what clients need that come back.
func keeping(self string, peers []string) embedded.Options {
	return embedded.Options{Listen: self, Peers: peers, Adapter: natsadapter.Options{
		Logger: quiet(), JetStream: &natsadapter.JetStream{Replicas: 3, Bytes: 16 << 20},
	}}
}

// recovering starts a server whose clients may come back.
func recovering(c *embedded.Cluster, logger *slog.Logger) (*socketio.Server, error) {
	io, err := socketio.NewServer(&socketio.Options{Adapter: c.Adapter, Logger: logger, Recovery: new(socketio.Recovery)})
	if err != nil {
		return nil, err
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.Handle(s, "join", func(_ context.Context, room string) (bool, error) { return true, s.Join(room) })
	})
	return io, nil
}

// keepingChild is a node in another process, which says where clients find it.
func keepingChild(peers []string) {
	o := keeping(peers[0], peers[1:])
	var nc *nats.Options
	o.Adapter.NATS = append(o.Adapter.NATS, func(o *nats.Options) error { nc = o; return nil })
	c, err := embedded.Start(context.Background(), &o)
	if err != nil {
		panic(err)
	}
	io, err := recovering(c, quiet())
	if err != nil {
		panic(err)
	}
	_ = io.Emit("here")
	for !c.Keeps() {
		<-time.After(10 * time.Millisecond)
	}
	follow(c, nats.UserInfo(nc.User, nc.Password))
	fmt.Println(httptest.NewServer(io).Listener.Addr())
	select {}
}

// follow makes a node give up to lead: what nobody leads is not there for some seconds.
func follow(c *embedded.Cluster, user nats.Option) {
	nc, err := nats.Connect(c.URL(), user)
	if err != nil {
		panic(err)
	}
	defer nc.Close()
	for _, stream := range []string{"PARLEY_EVENTS", "PARLEY_SESSIONS"} {
		for c.Leads(stream) {
			if _, err := nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, patience); err != nil {
				panic(err)
			}
		}
	}
}

func fork(t testing.TB, self string, peers []string) (address string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PARLEY_TEST_KEEPS="+self+","+strings.Join(peers, ","))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() { cmd.Process.Kill(); cmd.Wait() }
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), kill
}

// A record is what the nodes log.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// kept reports whether the session of a socket is in JetStream, as that of a client that is
// connected.
func kept(ctx context.Context, sessions jetstream.Stream, id string) bool {
	info, err := sessions.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return false
	}
	for subject := range info.State.Subjects {
		m, err := sessions.GetLastMsgForSubject(ctx, subject)
		if err == nil && len(m.Data) > 2 && m.Data[1] == 0 && bytes.Contains(m.Data, []byte(id)) {
			return true
		}
	}
	return false
}

// A cluster is three nodes of this process, the last of which keeps nothing, one of another
// process, which can be killed, and what is needed to look into JetStream.
type cluster struct {
	peers    []string
	nodes    []*embedded.Cluster
	servers  []*socketio.Server
	urls     []string
	other    string // URL of the node of the other process
	kill     func() // kills that
	log      record
	sessions jetstream.Stream
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	peers := addresses(t, 3)
	n := &cluster{peers: peers}
	logger := slog.New(slog.NewTextHandler(&n.log, nil))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(n.log.String())
		}
	})
	var user *nats.Options
	for _, o := range []embedded.Options{keeping(peers[0], peers), keeping(peers[1], peers), keeping("127.0.0.1:0", peers[:2])} {
		o.Adapter.Logger = logger
		o.Adapter.NATS = append(o.Adapter.NATS, func(o *nats.Options) error { user = o; return nil })
		c, err := embedded.Start(t.Context(), &o)
		if err != nil {
			t.Fatal(err)
		}
		io, err := recovering(c, logger)
		if err != nil {
			t.Fatal(err)
		}
		_ = io.Emit("here")
		web := httptest.NewServer(io)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			io.Shutdown(ctx)
			web.Close()
			c.Close(ctx)
		})
		n.nodes, n.servers, n.urls = append(n.nodes, c), append(n.servers, io), append(n.urls, web.Listener.Addr().String())
	}
	n.fork(t)
	nc, err := nats.Connect(n.nodes[2].URL(), nats.UserInfo(user.User, user.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "what is kept is kept", func() bool {
		n.sessions, err = js.Stream(t.Context(), "PARLEY_SESSIONS")
		return err == nil && n.nodes[0].Keeps() && n.nodes[1].Keeps()
	})
	return n
}

// fork starts the node of the other process.
func (n *cluster) fork(t testing.TB) {
	t.Helper()
	n.other, n.kill = fork(t, n.peers[2], n.peers)
}

// changes counts how often a node has said that JetStream has gone or has come, and events
// that it has not taken.
func (n *cluster) changes() (count int) {
	text := n.log.String()
	for _, c := range n.nodes {
		count += int(c.Stats().Unlogged)
	}
	return count + strings.Count(text, "JetStream is not there") + strings.Count(text, "kept in JetStream")
}

// A client of a node that is killed comes back to another one, with all that it has missed,
// while that is emitted; also if the node was one of three that keep what it has missed, and
// again when that is back. On a machine that is too busy for JetStream to stay it may be a new
// client, or lack what was under way, if a node says that JetStream was away: that is tried again.
func TestJetStream(t *testing.T) {
	n := startCluster(t)
	var to atomic.Pointer[string] // where the client connects next
	moveTo := func(url string) { to.Store(&url) }
	moveTo(n.other)
	var got atomic.Int64 // the last event that the session has got; 0: none yet
	var gap atomic.Pointer[string]
	back := make(chan bool, 10)
	var conn net.Conn
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, *to.Load())
		conn = c
		return c, err
	}}
	defer transport.CloseIdleConnections()
	client, err := socketio.Dial(t.Context(), "http://nodes", &socketio.DialOptions{
		Engine: engineio.DialOptions{Transports: []string{"websocket"}, HTTPClient: &http.Client{Transport: transport}}, Logger: quiet(),
		Reconnection: socketio.Reconnection{Delay: time.Millisecond, MaxDelay: 10 * time.Millisecond},
		Setup: func(c *socketio.Client) {
			socketio.On(c, "n", func(_ context.Context, n int64) error {
				if last := got.Swap(n); last > 0 && n != last+1 {
					gap.Store(new(fmt.Sprintf("%d after %d", n, last)))
				}
				return nil
			})
			c.OnConnect(func() { back <- c.Recovered() })
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// joined waits until the client is back, and makes a new session get the events.
	joined := func() (recovered bool) {
		t.Helper()
		if recovered = <-back; !recovered {
			got.Store(0)
			if _, err := socketio.Call[bool](t.Context(), client, "join", "room"); err != nil {
				t.Fatal(err)
			}
		}
		return recovered
	}
	moveBack := func() {
		t.Helper()
		n.fork(t)
		moveTo(n.other)
		conn.Close()
		joined()
	}
	joined()
	stop, last := make(chan struct{}), make(chan int64, 1)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := int64(1); ; i++ {
			if err := n.servers[2].To("room").Emit("n", i); err != nil {
				t.Error(err)
			}
			select {
			case <-tick.C:
			case <-stop:
				last <- i
				return
			}
		}
	}()
	end := sync.OnceValue(func() int64 { close(stop); return <-last })
	defer end()
	for _, url := range []string{n.urls[0], n.urls[2]} { // one that keeps, and one that doesn't
		const tries = 10
		for try := 1; ; try++ {
			id, changes := client.ID(), n.changes()
			more := func() {
				seen := got.Load()
				until(t, "events come", func() bool { return got.Load() > seen+50 })
			}
			more()
			until(t, "the session is there", func() bool { return kept(t.Context(), n.sessions, id) })
			moveTo(url)
			n.kill()
			recovered := joined()
			more()
			lack := gap.Swap(nil)
			if recovered && client.ID() == id && lack == nil {
				break
			}
			if lack == nil {
				lack = new("a new client") // which it may always be
			} else {
				until(t, "JetStream is away: "+*lack, func() bool { return n.changes() > changes })
			}
			if try == tries {
				t.Fatalf("JetStream is away again and again: %s", *lack)
			}
			t.Logf("JetStream was away: %s", *lack)
			moveBack()
		}
		if url == n.urls[0] {
			moveBack()
		}
	}
	sent := end()
	until(t, "all has come", func() bool { return got.Load() == sent })
}

// What can't work is refused.
func TestJetStreamRefused(t *testing.T) {
	js := natsadapter.Options{Logger: quiet(), JetStream: new(natsadapter.JetStream)}
	file := js
	file.JetStream = &natsadapter.JetStream{File: true}
	for name, o := range map[string]embedded.Options{
		"alone":        {Adapter: js},
		"one other":    {Peers: []string{"127.0.0.1:1"}, Adapter: js},
		"no directory": {Listen: "127.0.0.1:1", Peers: []string{"127.0.0.1:1", "127.0.0.1:2"}, Adapter: file},
	} {
		c, err := embedded.Start(t.Context(), &o)
		if err == nil {
			c.Close(context.Background())
			t.Errorf("%s: accepted", name)
		} else if errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
