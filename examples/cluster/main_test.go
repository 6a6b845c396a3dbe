package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/parleyws/parley/socketio"
)

// patience bounds steps that hang only if something is wrong.
const patience = 30 * time.Second

// argsVariable makes the test's program the command, with the arguments of its value. It ends
// with its standard input, which is when the test ends at the latest.
const argsVariable = "PARLEY_CLUSTER_ARGS"

func TestMain(m *testing.M) {
	if args := os.Getenv(argsVariable); args != "" {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		os.Args = append(os.Args[:1], strings.Fields(args)...)
		main()
		return
	}
	os.Exit(m.Run())
}

// startProcess runs the command with one node as a process of its own. It returns the node's
// URL, and what kills the process.
func startProcess(t *testing.T, args ...string) (url string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), argsVariable+"="+strings.Join(args, " "))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
		in.Close()
	})
	t.Cleanup(kill)
	return listening(t, bufio.NewReader(out)), kill
}

// listening reads where a node listens.
func listening(t *testing.T, r *bufio.Reader) (url string) {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !found {
		t.Fatalf("it says %q", line)
	}
	return url
}

// start runs the command with nodes on free ports, and returns their URLs.
func start(t *testing.T, nodes int, args ...string) (urls []string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, append([]string{"-addr", "127.0.0.1:0", "-nodes", fmt.Sprint(nodes)}, args...), w, io.Discard)
		w.Close()
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("run:", err)
		}
	})
	lines := bufio.NewReader(out)
	for range nodes {
		urls = append(urls, listening(t, lines))
	}
	go io.Copy(io.Discard, lines)
	return urls
}

// What the chat sends and gets.
type message struct {
	Room    string `json:"room"`
	Message any    `json:"message"`
}

type person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A client notes what it receives.
type client struct {
	*socketio.Client
	got    chan any
	people chan int
}

func dial(t *testing.T, url, name string) *client {
	t.Helper()
	return dialWith(t, url, &socketio.DialOptions{
		Logger: slog.New(slog.DiscardHandler),
		Auth:   map[string]string{"name": name},
	})
}

func dialWith(t *testing.T, url string, o *socketio.DialOptions) *client {
	t.Helper()
	c := &client{got: make(chan any, 1000), people: make(chan int, 1000)}
	o.Setup = func(s *socketio.Client) {
		socketio.On2(s, "receive-message", func(_ context.Context, message any, _ person) error { c.got <- message; return nil })
		socketio.On2(s, "people", func(_ context.Context, _ string, list []person) error { c.people <- len(list); return nil })
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	if c.Client, err = socketio.Dial(ctx, url, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (c *client) next(t *testing.T) any {
	t.Helper()
	select {
	case m := <-c.got:
		return m
	case <-time.After(patience):
		t.Fatal("nothing came")
		return nil
	}
}

// The nodes by themselves, and over each broker.
func TestCluster(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { share(t) })
	t.Run("redis", func(t *testing.T) { share(t, "-redis", startRedis(t)) })
	t.Run("redis-streams", func(t *testing.T) { share(t, "-redis-streams", startRedis(t)) })
	t.Run("nats", func(t *testing.T) { share(t, "-nats", startNATS(t)) })
}

// startNATS starts a NATS server in this process, and returns its URL.
func startNATS(t *testing.T) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	return s.ClientURL()
}

// startRedis starts a Redis server on a free port, and returns its address.
func startRedis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("PARLEY_BROKERS") == "required" {
			t.Fatal(err)
		}
		t.Skip("not run: redis-server is missing (Debian's package redis-server)")
	}
	port := freePort(t)
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	addr := "127.0.0.1:" + port
	eventually(t, "Redis answers", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, "PING\r\n")
		answer, _ := bufio.NewReader(c).ReadString('\n')
		return answer == "+PONG\r\n"
	})
	return addr
}

// share lets clients of different nodes share a room: text, binary data, and both in one
// value.
func share(t *testing.T, args ...string) {
	urls := start(t, 3, args...)
	ann, bob := dial(t, urls[0], "Ann"), dial(t, urls[2], "Bob")
	join := func(c *client) []person {
		people, err := socketio.Call[[]person](t.Context(), c, "join-room", "tea")
		if err != nil {
			t.Fatal(err)
		}
		return people
	}
	join(ann)
	var people []person
	eventually(t, "both are in the room", func() bool { // a node that answers late is left out
		people = join(bob)
		return len(people) > 1
	})
	if len(people) != 2 || people[0].Name != "Ann" || people[1].Name != "Bob" {
		t.Errorf("in the room: %v", people)
	}
	for i, m := range []any{"hello ☕", []byte{0, 255, 128}, map[string]any{"file": []byte("x"), "name": "y"}, 1.5} {
		from, to := ann, bob
		if i%2 == 1 {
			from, to = bob, ann
		}
		if _, err := socketio.Call[bool](t.Context(), from, "message", message{"tea", m}); err != nil {
			t.Fatal(err)
		}
		if got := to.next(t); fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", m, m) {
			t.Errorf("got %T %v, want %T %v", got, got, m, m)
		}
	}
	if _, err := socketio.Call[bool](t.Context(), ann, "message", message{"tea", nil}); err == nil {
		t.Error("a message of nothing is sent")
	}
	for len(bob.people) > 0 { // what he was told before
		<-bob.people
	}
	eventually(t, "Bob is told that Ann has left", func() bool {
		if _, err := socketio.Call[[]person](t.Context(), ann, "leave-room", "tea"); err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-bob.people:
			return n == 1
		case <-time.After(patience):
			return false
		}
	})
	response, err := http.Get(urls[1])
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") {
		t.Errorf("the page is %s", got)
	}
}

// Nodes whose broker is away serve all the same.
func TestBrokerAway(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the broker")
	}
	urls := start(t, 1, "-nats", "nats://127.0.0.1:1")
	ann, bob := dial(t, urls[0], "Ann"), dial(t, urls[0], "Bob")
	for _, c := range []*client{ann, bob} {
		if err := c.Emit("join-room", "tea"); err != nil {
			t.Fatal(err)
		}
	}
	if err := ann.Emit("message", message{"tea", "hi"}); err != nil {
		t.Fatal(err)
	}
}

func TestFollowing(t *testing.T) {
	for _, tt := range []struct {
		addr string
		i    int
		want string
	}{
		{"127.0.0.1:3000", 0, "127.0.0.1:3000"}, {"127.0.0.1:3000", 2, "127.0.0.1:3002"}, {"[::1]:80", 1, "[::1]:81"}, {":0", 3, ":0"},
	} {
		if got, err := following(tt.addr, tt.i); got != tt.want || err != nil {
			t.Errorf("following(%q, %d) = %q, %v; want %q", tt.addr, tt.i, got, err, tt.want)
		}
	}
}

func TestBadArguments(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, args := range [][]string{
		{"-none"}, {"-nodes", "0"}, {"-nodes", "101"}, {"-addr", "nowhere"}, {"-addr", "127.0.0.1:x"},
		{"-addr", busy.Addr().String()}, {"-nats", "nats://%"},
		{"-nats", "nats://127.0.0.1:1", "-redis", "127.0.0.1:1"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("run %q: no error", args)
		}
	}
}
