package interop

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/frame"
)

// patience bounds steps that hang only if something is wrong. All messages
// together take seconds, and a minute or more on a busy machine.
const patience = 5 * time.Minute

var count = flag.Int("messages", 1000, "random messages to exchange with each library, role and mode")

var others = []library{gorilla, coder, gobwas, gwsLibrary, xnet}

// TestMessages sends random messages from a client to an echo server. It tests
// each other library in both roles against ours, in each of the library's
// modes.
func TestMessages(t *testing.T) {
	n := *count
	if testing.Short() {
		n = 2 * len(edges)
	}
	eachPair(t, []mode{plain, deflate, takeover}, func(t *testing.T, server, client library, m mode) {
		seed := fnv.New64a()
		seed.Write([]byte(t.Name()))
		messages := randomMessages(seed.Sum64(), n)
		if !server.fragments || !client.fragments {
			for i := range messages {
				messages[i].parts = 1
			}
		}
		exchange(t, httptest.NewUnstartedServer(nil), server, client, m, messages)
	})
}

// TestDeflateShrinks counts bytes: if both sides have agreed on compression, both must
// use it.
func TestDeflateShrinks(t *testing.T) {
	eachPair(t, []mode{deflate, takeover}, func(t *testing.T, server, client library, m mode) {
		var messages []message
		for range 20 {
			messages = append(messages, message{frame.Text, bytes.Repeat([]byte("parley "), 1000), 1})
		}
		const sent = 20 * 7000
		web := httptest.NewUnstartedServer(nil)
		counted := &countingListener{Listener: web.Listener}
		web.Listener = counted
		exchange(t, web, server, client, m, messages)
		if in, out := counted.in.Load(), counted.out.Load(); in > sent/10 || out > sent/10 {
			t.Errorf("%d octets of text took %d to the server and %d back", sent, in, out)
		}
	})
}

// eachPair runs the test with each other library as server and as client
// against ours, in those of the modes that the library supports.
func eachPair(t *testing.T, modes []mode, test func(t *testing.T, server, client library, m mode)) {
	for _, other := range others {
		for _, m := range modes {
			if !slices.Contains(other.modes, m) {
				continue
			}
			t.Run(fmt.Sprintf("%s/server/%s", other.name, m), func(t *testing.T) { test(t, other, ours, m) })
			t.Run(fmt.Sprintf("%s/client/%s", other.name, m), func(t *testing.T) { test(t, ours, other, m) })
		}
	}
}

// exchange lets the client send all messages while it reads their echoes. Then
// the client closes the connection with 1000, which the server must see.
func exchange(t *testing.T, web *httptest.Server, server, client library, m mode, messages []message) {
	served := make(chan error, 1)
	web.Config = &http.Server{Handler: server.handler(m, func(s session) { served <- echo(s, messages) })}
	web.Start()
	defer web.Close()
	s, err := client.dial(m, strings.Replace(web.URL, "http", "ws", 1)+"/")
	if err != nil {
		t.Fatal("dial:", err)
	}

	written := make(chan error, 1)
	go func() {
		for i, m := range messages {
			if err := s.write(m.op, m.payload, m.parts); err != nil {
				written <- fmt.Errorf("client writes message %d: %w", i, err)
				return
			}
		}
		written <- nil
	}()
	received := make(chan error, 1)
	go func() { received <- compare(s, messages) }()
	for _, done := range []chan error{received, written} {
		wait(t, done, nil, served)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.close() }()
	wait(t, closed, nil, nil)
	wait(t, served, nil, nil)
}

// wait fails the test unless done delivers want. If other delivers an error first, wait
// reports that error, because it is more likely to be the cause.
func wait(t *testing.T, done chan error, want error, other chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != want {
			select {
			case cause := <-other:
				t.Fatalf("%v; the server: %v", err, cause)
			case <-time.After(time.Second):
				t.Fatal(err)
			}
		}
	case <-time.After(patience):
		t.Fatal("not done after ", patience)
	}
}

// echo is the server. It sends each message back, in as many parts as the client used,
// until the client closes.
func echo(s session, messages []message) error {
	for i := 0; ; i++ {
		op, p, err := s.read()
		if closed, ok := errors.AsType[closedError](err); ok && i == len(messages) {
			if slices.Contains([]frame.StatusCode{0, frame.StatusNormalClosure}, closed.code) {
				return nil
			}
		}
		if err != nil {
			return fmt.Errorf("server reads message %d: %w", i, err)
		}
		if i == len(messages) {
			return errors.New("server reads a message too many")
		}
		if err := s.write(op, p, messages[i].parts); err != nil {
			return fmt.Errorf("server writes message %d: %w", i, err)
		}
	}
}

// compare reads the echoes and compares them with the messages.
func compare(s session, messages []message) error {
	for i, want := range messages {
		op, p, err := s.read()
		if err != nil {
			return fmt.Errorf("client reads message %d: %w", i, err)
		}
		if op != want.op || !bytes.Equal(p, want.payload) {
			return fmt.Errorf("message %d: got %v of %d octets, want %v of %d", i, op, len(p), want.op, len(want.payload))
		}
	}
	return nil
}

// A countingListener counts the bytes of all its connections.
type countingListener struct {
	net.Listener
	in, out atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{c, l}, nil
}

type countingConn struct {
	net.Conn
	l *countingListener
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.l.in.Add(int64(n))
	return n, err
}

func (c countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.l.out.Add(int64(n))
	return n, err
}
