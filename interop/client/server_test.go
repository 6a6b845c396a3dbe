// Package client tests the Socket.IO client against Node's server, in two versions, and
// against ours: the same scenario server, in JavaScript (interop/js/reference.mjs) and Go.
package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/socketio"
)

// patience bounds what happens unless something is wrong.
const patience = 30 * time.Second

// A kind is an implementation of the scenario server.
type kind struct {
	name     string
	command  []string
	timeouts bool // the server can wait for acknowledgements with a timeout
	recovery bool // it knows connection state recovery
}

var kinds = []kind{
	{"node 4.8", []string{"node", "../js/reference.mjs"}, true, true},
	{"node 4.0", []string{"node", "../js/reference.mjs", "--version", "4.0"}, false, false},
	{"parley", []string{"../../.out/interop/server"}, true, true},
}

// modes are the ways in which a session can be carried.
var modes = map[string][]string{
	"polling":   {"polling"},
	"websocket": {"websocket"},
	"upgrade":   nil,
}

// A server is a process, and the way there: its clients dial the server's name, and what
// they get is a connection to the process that runs at the time.
type server struct {
	t       *testing.T
	command []string

	mu      sync.Mutex
	process *os.Process
	ended   chan struct{}
	addr    string
	conns   []net.Conn
	away    bool
	http    *http.Client
}

// start starts a server, which is stopped at the end of the test.
func start(t *testing.T, k kind, flags ...string) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers in other languages; ./check interop runs it")
	}
	s := &server{t: t, command: append(append([]string{}, k.command...), flags...)}
	transport := &http.Transport{DialContext: s.dial}
	s.http = &http.Client{Transport: transport}
	s.run()
	t.Cleanup(func() {
		s.stop()
		transport.CloseIdleConnections()
	})
	return s
}

// run starts the process.
func (s *server) run() {
	s.t.Helper()
	cmd := exec.Command(s.command[0], s.command[1:]...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	r := bufio.NewReader(stderr)
	line, err := r.ReadString('\n')
	match := regexp.MustCompile(`^listening on http://(.+)\n$`).FindStringSubmatch(line)
	if match == nil {
		cmd.Process.Kill()
		s.t.Fatalf("%v says %q, %v: were the packages installed, and the server built? ./check interop does it", s.command, line, err)
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, r)
		cmd.Wait()
		close(ended)
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process, s.ended, s.addr = cmd.Process, ended, match[1]
}

// stop ends the process, and all connections with it.
func (s *server) stop() {
	s.process.Signal(syscall.SIGCONT)
	s.process.Kill()
	<-s.ended
}

// signal sends a signal to the process.
func (s *server) signal(signal os.Signal) {
	if err := s.process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// errAway is the error of dialing a server that the network does not lead to.
var errAway = errors.New("no way to the server")

func (s *server) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s.mu.Lock()
	addr, away := s.addr, s.away
	s.mu.Unlock()
	if away {
		return nil, errAway
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns = append(s.conns, c)
	}
	return c, err
}

// cut ends all connections, as a network does.
func (s *server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// lead says whether the network leads to the server. While it does not, the end of a connection
// is noticed even by a session on polling that has no request under way.
func (s *server) lead(there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = !there
}

// options returns o for the server, with a mode.
func (s *server) options(mode string, o socketio.DialOptions) *socketio.DialOptions {
	o.Engine.Transports = modes[mode]
	if o.Engine.HTTPClient == nil {
		o.Engine.HTTPClient = s.http
	}
	o.Logger = slog.New(slog.DiscardHandler)
	o.Reconnection.Delay = 20 * time.Millisecond
	o.Reconnection.MaxDelay = 100 * time.Millisecond
	return &o
}

// connect returns a client in a namespace, which is closed at the end of the test.
func (s *server) connect(t *testing.T, namespace string, o *socketio.DialOptions) *socketio.Client {
	t.Helper()
	return connect(t, "http://server"+namespace, o)
}

// connect returns a client of a URL, which is closed at the end of the test.
func connect(t *testing.T, url string, o *socketio.DialOptions) *socketio.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := socketio.Dial(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		select {
		case <-c.Done():
		case <-time.After(patience):
			t.Error("something is left of a client")
		}
	})
	return c
}

// everywhere runs f with each kind of server, and in each mode.
func everywhere(t *testing.T, f func(t *testing.T, s *server, k kind, mode string), flags ...string) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s := start(t, k, flags...)
			for mode := range modes {
				t.Run(mode, func(t *testing.T) { f(t, s, k, mode) })
			}
		})
	}
}

// eventually waits until a condition holds. It looks at it again and again: where
// nothing tells that it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.After(patience)
	for !holds() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-late:
			t.Fatalf("never: %s", what)
		}
	}
}

// receive returns the next value of a channel.
func receive[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
	}
	return v
}

// call is socketio.Call whose error fails the test.
func call[R any](t *testing.T, to socketio.Callee, event string, args ...any) R {
	t.Helper()
	r, err := socketio.Call[R](t.Context(), to, event, args...)
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return r
}

// life makes c tell what happens.
func life(c *socketio.Client, to chan<- string) {
	c.OnConnect(func() { to <- "connect" })
	c.OnDisconnect(func(r socketio.Reason, _ error) { to <- r.String() })
	c.OnConnectError(func(err error) {
		if refused, ok := errors.AsType[*socketio.ConnectError](err); ok {
			to <- fmt.Sprintf("refused: %s %s", refused.Message, refused.Data)
		}
	})
}
