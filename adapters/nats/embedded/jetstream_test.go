package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/adapters/nats/embedded"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// addresses returns addresses where nobody listens.
func addresses(t testing.TB, n int) (list []string) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		list = append(list, l.Addr().String())
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
func recovering(c *embedded.Cluster) (*socketio.Server, error) {
	io, err := socketio.NewServer(&socketio.Options{Adapter: c.Adapter, Logger: quiet(), Recovery: new(socketio.Recovery)})
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
	io, err := recovering(c)
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

// A client of a node that is killed comes back to another one, with all that it has missed,
// while that is emitted; also if the node was one of three that keep what it has missed, and
// again when that is back.
func TestJetStream(t *testing.T) {
	peers := addresses(t, 3)
	var nodes []*embedded.Cluster
	var servers []*socketio.Server
	var urls []string
	begin := func(o embedded.Options) {
		t.Helper()
		c, err := embedded.Start(t.Context(), &o)
		if err != nil {
			t.Fatal(err)
		}
		io, err := recovering(c)
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
		nodes, servers, urls = append(nodes, c), append(servers, io), append(urls, web.Listener.Addr().String())
	}
	begin(keeping(peers[0], peers))
	begin(keeping(peers[1], peers))
	begin(keeping("127.0.0.1:0", peers[:2])) // it keeps nothing
	third, kill := fork(t, peers[2], peers)
	until(t, "what is kept is kept three times", func() bool { return nodes[0].Keeps() && nodes[1].Keeps() })

	written := nodes[0].Written()
	more := uint64(1) // a client is new; one that comes back is first taken

	var to atomic.Pointer[string]
	to.Store(&third)
	var got atomic.Int64
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
					t.Errorf("%d after %d", n, last)
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
	<-back
	if _, err := socketio.Call[bool](t.Context(), client, "join", "room"); err != nil {
		t.Fatal(err)
	}
	stop, last := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := int64(1); ; i++ {
			if err := servers[2].To("room").Emit("n", i); err != nil {
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
	for round := range 2 {
		id, seen := client.ID(), got.Load()
		until(t, "events come", func() bool { return got.Load() > seen+50 })
		until(t, "the session is there", func() bool { return nodes[0].Written() >= written+more })
		to.Store(&urls[round]) // to one that keeps, and to one that doesn't
		if round == 1 {
			to.Store(&urls[2])
		}
		kill()
		if ok := <-back; !ok || client.ID() != id {
			t.Fatalf("round %d: recovered %t", round, ok)
		}
		if round == 0 {
			third, kill = fork(t, peers[2], peers)
			written, more = nodes[0].Written(), 2
			to.Store(&third)
			conn.Close()
			<-back
		}
	}
	close(stop)
	n := <-last
	until(t, "all has come", func() bool { return got.Load() == n })
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
