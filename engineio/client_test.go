package engineio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
)

// A taker is the receiver of a client. Messages come as text, binary ones after
// "binary:".
type taker struct {
	t        *testing.T
	c        *engineio.Client
	messages chan string
	ends     chan engineio.Reason
	meet     func(*taker, string) // called with each message; nil: nothing is
}

func (r *taker) Message(data []byte, binary bool) {
	text := string(data)
	if binary {
		text = "binary:" + text
	}
	if r.meet != nil {
		r.meet(r, text)
	}
	r.messages <- text
}

func (r *taker) Closed(reason engineio.Reason) { r.ends <- reason }

// clientURL is where a site's server is.
const clientURL = "http://example.com"

// connect opens a session with the site's server. o may be nil.
func (s *site) connect(o *engineio.DialOptions) (*taker, error) {
	s.t.Helper()
	return s.connectTo(s.t.Context(), clientURL, o, nil)
}

func (s *site) connectTo(ctx context.Context, url string, o *engineio.DialOptions, meet func(*taker, string)) (*taker, error) {
	quiet := engineio.DialOptions{}
	if o != nil {
		quiet = *o
	}
	if quiet.HTTPClient == nil {
		quiet.HTTPClient = s.http
	}
	if quiet.Logger == nil {
		quiet.Logger = slog.New(slog.DiscardHandler)
	}
	r := &taker{t: s.t, messages: make(chan string, 1000), ends: make(chan engineio.Reason, 10), meet: meet}
	c, err := engineio.Dial(ctx, url, func(c *engineio.Client) engineio.Receiver {
		r.c = c
		return r
	}, &quiet)
	if err != nil && c != nil {
		s.t.Error("Dial has returned a Client along with an error")
	}
	return r, err
}

// mustConnect is connect for a session that has to open.
func (s *site) mustConnect(o *engineio.DialOptions) *taker {
	s.t.Helper()
	r, err := s.connect(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (r *taker) want(text string) {
	t := r.t
	t.Helper()
	select {
	case got := <-r.messages:
		r.compare(got, text)
		return
	case <-r.c.Done():
	}
	select {
	case got := <-r.messages: // it came before the end
		r.compare(got, text)
	default:
		t.Fatalf("want the message %q, got the end: %v", text, r.c.Err())
	}
}

func (r *taker) compare(got, want string) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("message %.60q, want %.60q", got, want)
	}
}

// wantEnd waits until the session has ended and holds nothing.
func (r *taker) wantEnd(want engineio.Reason) {
	t := r.t
	t.Helper()
	<-r.c.Done()
	select {
	case got := <-r.ends:
		if got != want {
			t.Errorf("the receiver was told %v, want %v", got, want)
		}
	default:
		t.Error("Done before the receiver was told of the end")
	}
	e, ok := errors.AsType[*engineio.EndError](r.c.Err())
	if !ok || e.Reason != want {
		t.Errorf("Err = %v, want an *EndError of %v", r.c.Err(), want)
	}
	if err := r.c.Send(engineio.NewMessage(nil, false)); err != engineio.ErrClosed {
		t.Errorf("Send after the end: %v", err)
	}
	if err := r.c.Flush(t.Context()); err != engineio.ErrClosed {
		t.Errorf("Flush after the end: %v", err)
	}
	if r.c.Writable() {
		t.Error("writable after the end")
	}
}

func text(s string) *engineio.Message   { return engineio.NewMessage([]byte(s), false) }
func binary(s string) *engineio.Message { return engineio.NewMessage([]byte(s), true) }

var (
	pollingOnly   = &engineio.DialOptions{Transports: []string{"polling"}}
	websocketOnly = &engineio.DialOptions{Transports: []string{"websocket"}}
)

// kinds are the ways to connect.
var kinds = []struct {
	name, transport string
	o               *engineio.DialOptions
}{
	{"polling", "polling", pollingOnly},
	{"websocket", "websocket", websocketOnly},
	{"upgrade", "websocket", nil},
	{"no upgrade", "polling", &engineio.DialOptions{NoUpgrade: true}},
	{"websocket first", "websocket", &engineio.DialOptions{Transports: []string{"websocket", "polling"}}},
}

// Text and binary messages go both ways over each transport, and Close ends both sides
// and leaves nothing.
func TestClient(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(s *site) {
				r := s.mustConnect(tt.o)
				time.Sleep(time.Second)
				if got := r.c.Transport(); got != tt.transport {
					t.Errorf("transport %q, want %q", got, tt.transport)
				}
				if !r.c.Writable() {
					t.Error("not writable though nothing is queued")
				}
				for range 2 {
					r.c.Cork().Release()
				}
				if n := s.session(); n.ID() != r.c.ID() || n.Transport() != tt.transport {
					t.Errorf("the server's session is %q over %s, want %q over %s", n.ID(), n.Transport(), r.c.ID(), tt.transport)
				}
				large := strings.Repeat("é", 100_000)
				if err := r.c.Send(text("hello"), binary("\x00\xFF"), text(""), binary(""), text(large)); err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"hello", "binary:\x00\xFF", "", "binary:", large} {
					r.want(want)
				}
				if err := r.c.Flush(s.t.Context()); err != nil {
					t.Error(err)
				}
				if r.c.Err() != nil {
					t.Errorf("Err = %v of an open session", r.c.Err())
				}
				r.c.Close()
				r.wantEnd(engineio.ForcedClose)
				if !errors.Is(r.c.Err(), engineio.ErrClosed) {
					t.Errorf("Err = %v", r.c.Err())
				}
				s.wantEnd(engineio.TransportClose)
				r.c.Close() // once more
			})
		})
	}
}

// An idle client answers pings, over each transport, and lives.
func TestClientHeartbeat(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, fast, func(s *site) {
				r := s.mustConnect(tt.o)
				time.Sleep(10 * time.Second)
				s.wantAlive()
				r.c.Send(text("still here"))
				r.want("still here")
				r.c.Close()
				<-r.c.Done()
			})
		})
	}
}

// What open sends leaves first, and open may close the session.
func TestClientOpen(t *testing.T) {
	for _, tt := range kinds {
		inBubble(t, nil, func(s *site) {
			o := *cmpOptions(tt.o)
			o.HTTPClient, o.Logger = s.http, slog.New(slog.DiscardHandler)
			r := &taker{t: s.t, messages: make(chan string, 10), ends: make(chan engineio.Reason, 1)}
			open := func(c *engineio.Client) engineio.Receiver {
				r.c = c
				c.Send(text("a"), text("b"))
				return r
			}
			c, err := engineio.Dial(s.t.Context(), clientURL, open, &o)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			c.Send(text("c"))
			for _, want := range []string{"a", "b", "c"} {
				r.want(want)
			}
			c.Close()
			r.wantEnd(engineio.ForcedClose)
			c, err = engineio.Dial(s.t.Context(), clientURL, func(c *engineio.Client) engineio.Receiver {
				c.Close()
				return open(c)
			}, &o)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			<-c.Done()
			r.wantEnd(engineio.ForcedClose)
			if c, err = engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { return nil }, &o); err == nil || c != nil {
				t.Errorf("%s: without a receiver: %v, %v", tt.name, c, err)
			}
			func() {
				defer func() { recover() }()
				engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { panic("open") }, &o)
				t.Error("a panic of open is lost")
			}()
			time.Sleep(10 * time.Second)
		})
	}
}

func cmpOptions(o *engineio.DialOptions) *engineio.DialOptions {
	if o == nil {
		return new(engineio.DialOptions)
	}
	return o
}

// Messages in both directions keep their order and arrive once, whenever the upgrade
// comes.
func TestClientOrderAcrossUpgrade(t *testing.T) {
	const n = 200
	for round := range 20 {
		inBubble(t, nil, func(s *site) {
			r := s.mustConnect(nil)
			go func() {
				for i := range n {
					if i%7 == round%7 {
						time.Sleep(time.Duration(round) * 3 * time.Millisecond)
					}
					r.c.Send(text(fmt.Sprint(i)))
				}
			}()
			for i := range n {
				r.want(fmt.Sprint(i))
			}
			time.Sleep(time.Second)
			if r.c.Transport() != "websocket" {
				t.Error("no upgrade")
			}
			r.c.Close()
			r.wantEnd(engineio.ForcedClose)
		})
	}
}

// A client moves only when the last POST has been answered, though no GET is under way any more:
// what it sends over the WebSocket can't overtake what the POST carries.
func TestClientAwaitsPOST(t *testing.T) {
	var got lines
	server := &fake{
		get: func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			io.WriteString(w, "6")
		},
		post: func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			time.Sleep(3 * time.Second)
			fmt.Fprintf(&got, "%s, ", body)
			io.WriteString(w, "ok")
		},
		ws: func(c *conn.Conn, _ *http.Request) {
			c.Each(context.Background(), func(m conn.Message) error {
				fmt.Fprintf(&got, "%s, ", m.Payload)
				if string(m.Payload) == "2probe" {
					c.Write(context.Background(), conn.Text, []byte("3probe"))
				}
				return nil
			})
		},
	}
	withFake(t, server, func(s *site) {
		r := s.mustConnect(nil)
		r.c.Send(text("by POST"))
		time.Sleep(2 * time.Second)
		r.c.Send(text("by WebSocket"))
		time.Sleep(2 * time.Second)
		if want := "2probe, 4by POST, 5, 4by WebSocket, "; got.String() != want {
			t.Errorf("the server has got %q, want %q", got.String(), want)
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// The server's Close and Shutdown, and a queue that is sent before.
func TestClientClosedByServer(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(s *site) {
				r := s.mustConnect(tt.o)
				time.Sleep(time.Second)
				n := s.session()
				n.Send(engineio.NewMessage([]byte("last"), false))
				n.Close()
				r.want("last")
				r.wantEnd(engineio.TransportClose)
			})
		})
	}
}

// Close sends what is queued before it.
func TestClientCloseSendsQueue(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			var got lines
			receive := func(e echo) engineio.Receiver { return recorder{e, &got} }
			withReceiver(t, nil, receive, func(s *site) {
				r := s.mustConnect(tt.o)
				for i := range 50 {
					r.c.Send(text(fmt.Sprint(i, ";")))
				}
				r.c.Close()
				r.wantEnd(engineio.ForcedClose)
				s.wantEnd(engineio.TransportClose)
				if want := 50; strings.Count(got.String(), ";") != want {
					t.Errorf("the server got %q", got.String())
				}
			})
		})
	}
}

// A recorder keeps what it gets.
type recorder struct {
	echo
	got *lines
}

func (r recorder) Message(data []byte, _ bool) { r.got.Write(data) }

// POSTs are split by the server's maxPayload, and a message that exceeds it is refused
// where it is sent.
func TestClientMaxPayload(t *testing.T) {
	o := &engineio.Options{Limits: engineio.Limits{MaxPayload: 100}}
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, o, func(s *site) {
				r := s.mustConnect(tt.o)
				for i := range 100 {
					r.c.Send(text(fmt.Sprint(i, strings.Repeat("x", i%60))), binary(fmt.Sprint(i)))
				}
				for i := range 100 {
					r.want(fmt.Sprint(i, strings.Repeat("x", i%60)))
					r.want(fmt.Sprint("binary:", i))
				}
				if err := r.c.Send(text("before"), text(strings.Repeat("x", 100))); err != engineio.ErrTooLarge {
					t.Errorf("Send of a message that is too large: %v", err)
				}
				r.c.Send(text(strings.Repeat("x", 99)))
				r.want(strings.Repeat("x", 99))
				time.Sleep(time.Second)
				data := strings.Repeat("x", 75)
				switch err := r.c.Send(binary(data)); tt.transport { // as base64 it has 101 bytes
				case "polling":
					if err != engineio.ErrTooLarge {
						t.Errorf("Send of what base64 makes too large: %v", err)
					}
				default:
					r.want("binary:" + data)
				}
				r.c.Close()
				<-r.c.Done()
			})
		})
	}
}

// A queue over its limit ends the session, from wherever Send is called.
func TestClientQueueFull(t *testing.T) {
	for _, tt := range kinds[:2] {
		t.Run(tt.name, func(t *testing.T) {
			withReceiver(t, nil, func(e echo) engineio.Receiver { return slow{e} }, func(s *site) {
				o := *tt.o
				o.Limits.QueueBytes = 1 << 20
				r := s.mustConnect(&o)
				var err error
				for range 100_000 {
					if err = r.c.Send(text(strings.Repeat("slow", 1000))); err != nil {
						break
					}
				}
				if err != engineio.ErrQueueFull {
					t.Errorf("Send = %v", err)
				}
				r.wantEnd(engineio.TransportError)
				if !errors.Is(r.c.Err(), engineio.ErrQueueFull) {
					t.Errorf("Err = %v", r.c.Err())
				}
				time.Sleep(24 * time.Hour) // the server's receiver
			})
		})
	}
}

// A receiver that panics or ends its goroutine ends the session at once, and nothing else.
func TestClientReceiverPanics(t *testing.T) {
	for logged, end := range map[string]func(){"ouch": func() { panic("ouch") }, "Goexit was called": runtime.Goexit} {
		for _, tt := range kinds {
			t.Run(tt.name+" "+logged, func(t *testing.T) {
				inBubble(t, nil, func(s *site) {
					var log lines
					o := *cmpOptions(tt.o)
					o.Logger = slog.New(slog.NewTextHandler(&log, nil))
					r, err := s.connectTo(s.t.Context(), clientURL, &o, func(*taker, string) { end() })
					if err != nil {
						t.Fatal(err)
					}
					r.c.Send(text("a"))
					r.wantEnd(engineio.TransportError)
					if !strings.Contains(log.String(), logged) {
						t.Errorf("log: %s", log.String())
					}
				})
			})
		}
	}
}

// A panic of Closed is logged, and Done comes all the same. A Closed that returns leaves no line.
func TestClientClosedPanics(t *testing.T) {
	for _, r := range []engineio.Receiver{touchy{}, ignored{}} {
		inBubble(t, nil, func(s *site) {
			var log lines
			c, err := engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { return r },
				&engineio.DialOptions{HTTPClient: s.http, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			<-c.Done()
			_, panics := r.(touchy)
			if got := log.String(); strings.Contains(got, "touchy") != panics || (got != "") != panics {
				t.Errorf("log of %T: %s", r, got)
			}
		})
	}
}

// Done comes after Closed has returned, however long that takes.
func TestClientSlowClosed(t *testing.T) {
	for _, tt := range kinds {
		inBubble(t, nil, func(s *site) {
			o := *cmpOptions(tt.o)
			o.HTTPClient, o.Logger = s.http, slog.New(slog.DiscardHandler)
			r := &parting{}
			c, err := engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { return r }, &o)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // the upgrade is done
			go c.Close()            // it calls Closed itself
			<-c.Done()
			if !r.gone.Load() {
				t.Errorf("%s: Done while Closed runs", tt.name)
			}
			time.Sleep(time.Minute) // Closed has returned
		})
	}
}

// A parting receiver takes its time at the end.
type parting struct{ gone atomic.Bool }

func (*parting) Message([]byte, bool) {}

func (p *parting) Closed(engineio.Reason) {
	time.Sleep(30 * time.Second)
	p.gone.Store(true)
}

// A touchy receiver panics at the end.
type touchy struct{}

func (touchy) Message([]byte, bool)   {}
func (touchy) Closed(engineio.Reason) { panic("touchy") }

// A receiver may call everything, Close too, and may take nearly as long as the server waits for
// a pong.
func TestClientReceiverCalls(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, patient, func(s *site) {
				meet := func(r *taker, got string) {
					switch got {
					case "slow":
						time.Sleep(patient.Limits.PingTimeout - time.Second)
						if err := r.c.Send(text("again")); err != nil {
							t.Errorf("Send: %v", err)
						}
						_, _ = r.c.Transport(), r.c.Writable()
						if id, err := r.c.ID(), r.c.Err(); id == "" || err != nil {
							t.Errorf("id %q, %v", id, err)
						}
					case "again":
						r.c.Close()
					}
				}
				r, err := s.connectTo(s.t.Context(), clientURL, tt.o, meet)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				r.c.Send(text("slow"))
				r.want("slow")
				r.want("again")
				r.wantEnd(engineio.ForcedClose)
			})
		})
	}
}

// patient are the options of a server that pings often, and waits for a pong.
var patient = &engineio.Options{Limits: engineio.Limits{PingInterval: time.Second, PingTimeout: 2 * time.Minute}}

// A receiver that takes longer costs the session: nothing is read meanwhile, so no ping is
// answered.
func TestClientReceiverTooSlow(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, patient, func(s *site) {
				meet := func(r *taker, _ string) { time.Sleep(patient.Limits.PingTimeout + 3*time.Second) }
				r, err := s.connectTo(s.t.Context(), clientURL, tt.o, meet)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				r.c.Send(text("slow"))
				r.want("slow")
				s.wantEnd(engineio.PingTimeout)
				<-r.c.Done()
			})
		})
	}
}

// 64 goroutines send, flush, ask and close, over each transport.
func TestClientConcurrently(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(s *site) {
				r := s.mustConnect(tt.o)
				go func() {
					for range r.messages {
					}
				}()
				var all sync.WaitGroup
				for i := range 64 {
					all.Go(func() {
						for range 10 {
							r.c.Send(text("x"))
							r.c.Writable()
							r.c.Flush(s.t.Context())
						}
						if i == 63 {
							r.c.Close()
						}
					})
				}
				all.Wait()
				r.wantEnd(engineio.ForcedClose)
				close(r.messages)
			})
		})
	}
}

// Flush waits until the server has taken what was sent, for no longer than its ctx.
func TestClientFlush(t *testing.T) {
	for _, tt := range kinds[:2] {
		t.Run(tt.name, func(t *testing.T) {
			withReceiver(t, nil, func(e echo) engineio.Receiver { return slow{e} }, func(s *site) {
				r := s.mustConnect(tt.o)
				for range 8 {
					r.c.Send(text("slow"), binary(strings.Repeat("x", 200_000)))
				}
				if r.c.Writable() {
					t.Error("writable though the server takes nothing")
				}
				ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
				defer cancel()
				if err := r.c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Flush = %v", err)
				}
				flushed := make(chan error, 1)
				go func() { flushed <- r.c.Flush(s.t.Context()) }()
				synctest.Wait()
				select {
				case err := <-flushed:
					t.Errorf("Flush = %v though the server takes nothing", err)
				default:
				}
				r.c.Close()
				if err := <-flushed; err != engineio.ErrClosed {
					t.Errorf("Flush = %v when the session was closed", err)
				}
				<-r.c.Done()
				time.Sleep(24 * time.Hour) // the server's receiver
			})
		})
	}
}

// A cookie of the server comes back, and the client keeps it in a jar of its own.
func TestClientCookie(t *testing.T) {
	var mu sync.Mutex
	var cookies []string
	o := &engineio.Options{Cookie: &http.Cookie{}, Hooks: engineio.Hooks{Header: func(_ http.Header, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		cookies = append(cookies, r.URL.Query().Get("transport")+" "+r.Header.Get("Cookie")+" "+r.Header.Get("Authorization")+" "+r.URL.Query().Get("token"))
	}}}
	inBubble(t, o, func(s *site) {
		r, err := s.connectTo(s.t.Context(), "ws://example.com/engine.io/?token=a%26b", &engineio.DialOptions{Header: http.Header{"Authorization": {"key"}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r.c.Close()
		<-r.c.Done()
		mu.Lock()
		defer mu.Unlock()
		if cookies[0] != "polling  key a&b" {
			t.Errorf("first request: %q", cookies[0])
		}
		id := " io=" + r.c.ID() + " key a&b"
		seen := strings.Join(cookies[1:], "\n")
		if !strings.Contains(seen, "polling"+id) || !strings.Contains(seen, "websocket"+id) || strings.Count(seen, id) != len(cookies)-1 {
			t.Errorf("%q", cookies)
		}
		if s.http.Jar != nil {
			t.Error("the user's http.Client was changed")
		}
	})
}

// What the server does not offer is not used; a transport that fails is followed by
// the next one only if that was asked for.
func TestClientTransports(t *testing.T) {
	for _, tt := range []struct {
		name      string
		server    engineio.Options
		client    engineio.DialOptions
		transport string // "": an error
	}{
		{"no upgrade offered", engineio.Options{NoUpgrades: true}, engineio.DialOptions{}, "polling"},
		{"polling refused", engineio.Options{Transports: []string{"websocket"}}, engineio.DialOptions{}, ""},
		{"polling refused, try all", engineio.Options{Transports: []string{"websocket"}}, engineio.DialOptions{TryAllTransports: true}, "websocket"},
		{"websocket refused", engineio.Options{Transports: []string{"polling"}}, *websocketOnly, ""},
		{"websocket refused, try all", engineio.Options{Transports: []string{"polling"}},
			engineio.DialOptions{Transports: []string{"websocket", "polling"}, TryAllTransports: true}, "polling"},
		{"all refused", engineio.Options{Path: "/elsewhere/"}, engineio.DialOptions{TryAllTransports: true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, &tt.server, func(s *site) {
				r, err := s.connect(&tt.client)
				if tt.transport == "" {
					if _, ok := errors.AsType[*engineio.ResponseError](err); !ok {
						t.Errorf("error %v, want a *ResponseError", err)
					}
					if strings.Contains(tt.name, "websocket") != strings.Contains(err.Error(), "over websocket") && tt.name != "all refused" {
						t.Errorf("error %v names another transport", err)
					}
					if both := strings.Contains(err.Error(), "over polling") && strings.Contains(err.Error(), "over websocket"); both != (tt.name == "all refused") {
						t.Errorf("error %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if got := r.c.Transport(); got != tt.transport {
					t.Errorf("transport %q, want %q", got, tt.transport)
				}
				r.c.Send(text("a"))
				r.want("a")
				r.c.Close()
				<-r.c.Done()
			})
		})
	}
}

// A refusal of the server can be read, and is what the error of the only transport wraps. The
// error of a WebSocket's handshake can be read too.
func TestClientRefused(t *testing.T) {
	o := &engineio.Options{Hooks: engineio.Hooks{Allow: func(*http.Request) error { return errors.New("not you") }}}
	for _, tt := range kinds[:2] {
		inBubble(t, o, func(s *site) {
			_, err := s.connect(tt.o)
			e, ok := errors.AsType[*engineio.Refusal](err)
			if !ok || e.Code != 4 || e.Status != 403 || e.Message != "not you" || !strings.Contains(err.Error(), "not you") {
				t.Errorf("%s: %v, %+v", tt.name, err, e)
			}
			if _, ok := errors.Unwrap(err).(*engineio.ResponseError); !ok {
				t.Errorf("%s: %v wraps %T, want a *ResponseError", tt.name, err, errors.Unwrap(err))
			}
			if d, ok := errors.AsType[*handshake.DialError](err); ok != (tt.name == "websocket") || ok && d.Status != 403 {
				t.Errorf("%s: %v wraps the error of a handshake: %t", tt.name, err, ok)
			}
		})
	}
}

// Dial says which option or which part of the URL is wrong.
func TestDialArguments(t *testing.T) {
	open := func(*engineio.Client) engineio.Receiver { return nil }
	if _, err := engineio.Dial(t.Context(), clientURL, nil, nil); err == nil || !strings.Contains(err.Error(), "open is nil") {
		t.Errorf("nil for open: error %v", err)
	}
	if _, err := engineio.Dial(t.Context(), "ftp://example.com", open, nil); err == nil {
		t.Error("ftp is accepted")
	}
	for _, tt := range []struct {
		url  string
		o    engineio.DialOptions
		want string
	}{
		{"ftp://example.com", engineio.DialOptions{}, "ftp"},
		{"http://", engineio.DialOptions{}, "host"},
		{"http://example.com/#top", engineio.DialOptions{}, "fragment"},
		{"http://a b", engineio.DialOptions{}, "host name"},
		{"ws://::1:3000", engineio.DialOptions{}, "dial: invalid port"},
		{clientURL, engineio.DialOptions{Transports: []string{}}, "DialOptions.Transports"},
		{clientURL, engineio.DialOptions{Transports: []string{"pigeon"}}, `DialOptions.Transports[0] is "pigeon"`},
		{clientURL, engineio.DialOptions{Deflate: &handshake.DeflateOptions{ClientMaxWindowBits: 99}}, "DialOptions.Deflate.ClientMaxWindowBits is 99"},
		{clientURL, engineio.DialOptions{Limits: engineio.DialLimits{MaxPayload: 5}}, "Limits.MaxPayload is 5"},
		{clientURL, engineio.DialOptions{Limits: engineio.DialLimits{QueueBytes: 5}}, "Limits.QueueBytes is 5"},
	} {
		_, err := engineio.Dial(t.Context(), tt.url, open, &tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", tt.url, err, tt.want)
		}
	}
}

// Without an HTTPClient the transport of polling is the client's own: after the end it
// holds no connection.
func TestClientOwnTransport(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
		http.DefaultTransport = s.http.Transport
		r := &taker{t: s.t, messages: make(chan string, 10), ends: make(chan engineio.Reason, 1)}
		_, err := engineio.Dial(s.t.Context(), clientURL, func(c *engineio.Client) engineio.Receiver { r.c = c; return r }, pollingOnly)
		if err != nil {
			t.Fatal(err)
		}
		r.c.Send(text("a"))
		r.want("a")
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
		synctest.Wait()
		if left := stacksOf("net/http.(*persistConn)"); left > 0 {
			t.Errorf("%d goroutines of connections are left", left)
		}
	})
}

// An idle client has one goroutine on WebSocket, also one that has moved there.
func TestClientGoroutines(t *testing.T) {
	for _, tt := range kinds {
		if tt.transport != "websocket" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(s *site) {
				r := s.mustConnect(tt.o)
				r.c.Send(text("a"))
				r.want("a")
				time.Sleep(time.Minute)
				want := 2 // the server has one, too
				if *inLoop {
					want = 1
				}
				if n := stacksOf("receiveAlone("); n != want || stacksOf("engineio.(*Client)") > 0 {
					t.Errorf("%d goroutines wait for messages, want %d", n, want)
				}
				r.c.Close()
				r.wantEnd(engineio.ForcedClose)
				synctest.Wait()
				if n := stacksOf("receiveAlone(") + stacksOf("engineio.(*Client)"); n != 0 {
					t.Errorf("%d goroutines after the end", n)
				}
			})
		})
	}
}

// stacksOf counts the goroutines of the caller's bubble that run, or were started by, a function whose name
// has part in it.
func stacksOf(part string) (n int) {
	for _, stack := range stacks() {
		if strings.Contains(stack, part) {
			n++
		}
	}
	return n
}

// The log tells why a session stays on polling.
func TestClientStaysLogged(t *testing.T) {
	inBubble(t, &engineio.Options{Hooks: engineio.Hooks{Header: func(h http.Header, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			h.Set("Upgrade", "no")
			panic(http.ErrAbortHandler)
		}
	}}}, func(s *site) {
		var log lines
		r := s.mustConnect(&engineio.DialOptions{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		time.Sleep(time.Second)
		if !strings.Contains(log.String(), "stays on long-polling") || bytes.Contains([]byte(log.String()), []byte(r.c.ID())) {
			t.Errorf("log: %s", log.String())
		}
		r.c.Send(text("a"))
		r.want("a")
		r.c.Close()
		<-r.c.Done()
	})
}
