package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/socketio"
)

// patience bounds steps that hang only if something is wrong.
const patience = 30 * time.Second

// A site is a chat that can be away.
type site struct {
	*httptest.Server
	io   *socketio.Server
	down atomic.Bool
	deaf atomic.Bool   // it does not answer POSTs
	over chan struct{} // closed at the end of a test: they are answered
	got  chan string   // what clients do: "join ROOM" and "message ROOM TEXT"

	mu       sync.Mutex
	hijacked []net.Conn
}

func newSite(t *testing.T) *site {
	s := &site{got: make(chan string, 1000), over: make(chan struct{})}
	var err error
	if s.io, err = socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	connected := func(n *socketio.Socket) {
		socketio.On(n, "join-room", func(_ context.Context, room string) error {
			err := n.Join(room)
			s.got <- "join " + room
			return err
		})
		socketio.On(n, "message", func(_ context.Context, m message) error {
			err := n.To(m.Room).Emit("receive-message", m.Message)
			s.got <- "message " + m.Room + " " + m.Message
			return err
		})
	}
	s.io.OnConnect(connected)
	s.io.Of("/members").Use(func(_ context.Context, n *socketio.Socket) error {
		if auth, _ := socketio.Auth[struct{ Name string }](n); auth.Name != "Ada" {
			return errors.New("members only")
		}
		return nil
	})
	s.io.Of("/members").OnConnect(connected)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		if r.Method == "POST" && s.deaf.Load() {
			io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-s.over:
			}
			return
		}
		s.io.ServeHTTP(w, r)
	}))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.hijacked = append(s.hijacked, c)
		}
	}
	s.Start()
	t.Cleanup(func() {
		close(s.over)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.io.Shutdown(ctx)
		s.Server.Close()
	})
	return s
}

func (s *site) want(t *testing.T, want ...string) {
	t.Helper()
	for _, want := range want {
		select {
		case got := <-s.got:
			if got != want {
				t.Fatalf("the server got %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the server did not get %q", want)
		}
	}
}

// leave takes the site away, with all connections.
func (s *site) leave() {
	s.down.Store(true)
	s.CloseClientConnections() // but not those of WebSockets
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.hijacked {
		c.Close()
	}
	s.hijacked = nil
}

// A terminal is where a client runs.
type terminal struct {
	t       *testing.T
	keys    *io.PipeWriter
	lines   chan string // of standard output
	mu      sync.Mutex
	errs    bytes.Buffer
	errored chan struct{} // gets something with each write to standard error
	stop    context.CancelFunc
	status  chan int
}

func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	select {
	case x.errored <- struct{}{}:
	default:
	}
	return x.errs.Write(p)
}

func (x *terminal) errors() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.errs.String()
}

func start(t *testing.T, args ...string) *terminal {
	x := &terminal{t: t, lines: make(chan string, 1000), errored: make(chan struct{}, 1), status: make(chan int, 1)}
	in, keys := io.Pipe()
	out, printed := io.Pipe()
	x.keys = keys
	ctx, stop := context.WithCancel(t.Context())
	x.stop = stop
	go func() {
		x.status <- run(ctx, args, in, printed, x)
		printed.Close()
		in.Close()
	}()
	go func() {
		defer close(x.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			x.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		stop()
		keys.Close()
	})
	return x
}

// want checks the next line that is printed, a regular expression.
func (x *terminal) want(want string) {
	x.t.Helper()
	select {
	case got := <-x.lines:
		if !regexp.MustCompile("^" + want + "$").MatchString(got) {
			x.t.Fatalf("printed %q, want %q; errors: %s", got, want, x.errors())
		}
	case <-time.After(patience):
		x.t.Fatalf("not printed: %q; errors: %s", want, x.errors())
	}
}

func (x *terminal) typeLine(text string) { io.WriteString(x.keys, text+"\n") }

func (x *terminal) wantStatus(want int) {
	x.t.Helper()
	select {
	case got := <-x.status:
		if got != want {
			x.t.Errorf("status %d, want %d; errors: %s", got, want, x.errors())
		}
	case <-time.After(patience):
		x.t.Fatal("still runs")
	}
}

// wantError waits until standard error holds a text.
func (x *terminal) wantError(want string) {
	x.t.Helper()
	late := time.After(patience)
	for !strings.Contains(x.errors(), want) {
		select {
		case <-x.errored:
		case <-late:
			x.t.Fatalf("standard error has no %q: %s", want, x.errors())
		}
	}
}

func TestChat(t *testing.T) {
	for _, transport := range [][]string{nil, {"-transport", "websocket"}, {"-transport", "polling"}} {
		t.Run(strings.Join(transport, " "), func(t *testing.T) {
			s := newSite(t)
			ada := start(t, append([]string{"-url", s.URL, "-room", "blue", "-name", "Ada"}, transport...)...)
			ada.want("connected [-_0-9A-Za-z]+")
			s.want(t, "join blue")
			bob := start(t, append([]string{"-url", s.URL, "-room", "blue"}, transport...)...)
			bob.want("connected .+")
			s.want(t, "join blue")
			ada.typeLine("hello\r")
			bob.want("received hello")
			bob.typeLine("")
			ada.want("received ")
			bob.typeLine("hi")
			ada.want("received hi")
			s.want(t, "message blue hello", "message blue ", "message blue hi")
			s.io.To("blue").Emit("receive-message", "two\nlines\x1b[31m \\n")
			ada.want(regexp.QuoteMeta(`received two\nlines\x1b[31m \n`))
			bob.want(`received two.*`)
			bob.stop()
			bob.wantStatus(0)
			bob.want("disconnected io client disconnect")
			io.WriteString(ada.keys, "unfinished")
			ada.keys.Close()
			ada.wantStatus(0)
			s.want(t, "message blue unfinished")
			if got := ada.errors() + bob.errors(); got != "" {
				t.Errorf("errors: %s", got)
			}
		})
	}
}

// What was typed while the server was away is sent after the room was joined again.
func TestAway(t *testing.T) {
	s := newSite(t)
	s.down.Store(true)
	x := start(t, "-url", s.URL, "-room", "blue")
	x.typeLine("first")
	x.wantError("502") // a failed attempt is said, and repeated
	s.down.Store(false)
	x.want("connected .+")
	s.want(t, "join blue", "message blue first")
	x.typeLine("second")
	s.want(t, "message blue second")
	s.leave()
	x.want("disconnected transport (close|error)")
	x.typeLine("third")
	x.typeLine("fourth")
	s.down.Store(false)
	x.keys.Close() // it waits for what is unsent
	x.want("connected .+")
	x.wantStatus(0)
	s.want(t, "join blue", "message blue third", "message blue fourth")
}

// At the end of the input what is unsent is waited for, but not for long.
func TestNeverThere(t *testing.T) {
	s := newSite(t)
	s.down.Store(true)
	x := start(t, "-url", s.URL)
	x.typeLine("lost")
	began := time.Now()
	x.keys.Close()
	x.wantStatus(0)
	if took := time.Since(began); took < graceTime {
		t.Errorf("has waited %v", took)
	}
	x.wantError("1 lines were not sent")
}

// A server that does not answer delays the end as long and no longer.
func TestNoAnswer(t *testing.T) {
	s := newSite(t)
	x := start(t, "-url", s.URL, "-room", "blue", "-transport", "polling")
	x.want("connected .+")
	s.want(t, "join blue")
	s.deaf.Store(true)
	began := time.Now()
	io.WriteString(x.keys, "one\ntwo\n")
	x.keys.Close()
	x.wantStatus(0)
	if took := time.Since(began); took > patience {
		t.Errorf("has waited %v", took)
	}
	x.wantError("deadline exceeded")
}

// An interrupt ends the client also while it is away.
func TestInterrupt(t *testing.T) {
	s := newSite(t)
	s.down.Store(true)
	x := start(t, "-url", s.URL)
	x.typeLine("lost")
	x.wantError("502")
	x.stop()
	x.wantStatus(0)
}

// The server sends a client away, or does not let it in.
func TestUnwanted(t *testing.T) {
	s := newSite(t)
	x := start(t, "-url", s.URL)
	x.want("connected .+")
	s.io.DisconnectSockets(false)
	x.want("disconnected io server disconnect")
	x.wantStatus(1)
	x = start(t, "-url", s.URL+"/members")
	x.wantStatus(1)
	x.wantError(`client: socket.io: namespace "/members" refused: "members only"`)
	x = start(t, "-url", s.URL+"/members", "-name", "Ada")
	x.want("connected .+")
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]int{
		"-x": 2, "-transport smoke": 2, "-url": 2, "more": 2, "-url ftp://example.com": 2, "-url http://": 2, "-h": 0,
	} {
		x := start(t, strings.Fields(args)...)
		x.wantStatus(want)
		if x.errors() == "" {
			t.Errorf("%s: nothing is said", args)
		}
	}
}
