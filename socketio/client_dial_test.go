package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// What can't be meant is an error of Dial at once.
func TestDialChecks(t *testing.T) {
	for want, tt := range map[string]struct {
		url string
		o   socketio.DialOptions
	}{
		`URL has no host`:       {"", socketio.DialOptions{}},
		"namespace has a comma": {"http://example.com/a,b", socketio.DialOptions{}},
		"invalid character":     {"http://a b", socketio.DialOptions{}},
		`has no host`:           {"/admin", socketio.DialOptions{}},
		"scheme \"ftp\" is none of http, https, ws, wss":              {"ftp://example.com", socketio.DialOptions{}},
		`DialOptions.Path is "x/", want one that begins with a slash`: {"http://example.com", socketio.DialOptions{Path: "x"}},
		"DialOptions.Auth is of no use with AuthFunc": {"http://example.com", socketio.DialOptions{
			Auth: struct{}{}, AuthFunc: func(context.Context, string) (any, error) { return nil, nil },
		}},
		"DialOptions.Auth: auth is not an object of JSON":                      {"http://example.com", socketio.DialOptions{Auth: "secret"}},
		"DialOptions.Auth: json: unsupported type: chan int":                   {"http://example.com", socketio.DialOptions{Auth: make(chan int)}},
		"DialOptions.Retries is -1, want 0 or more":                            {"http://example.com", socketio.DialOptions{Retries: -1}},
		"DialOptions.Reconnection.Attempts is -1, want 0 or more; Off is none": {"http://example.com", socketio.DialOptions{Reconnection: socketio.Reconnection{Attempts: -1}}},
		"DialOptions.Reconnection.Delay is -1ns, want 0 or more":               {"http://example.com", socketio.DialOptions{Reconnection: socketio.Reconnection{Delay: -1}}},
		"DialOptions.Reconnection.MaxDelay is 5s, want at least Delay, 6s":     {"http://example.com", socketio.DialOptions{Reconnection: socketio.Reconnection{Delay: 6 * time.Second, MaxDelay: 5 * time.Second}}},
		"DialOptions.Reconnection.Jitter is 1.5, want at most 1":               {"http://example.com", socketio.DialOptions{Reconnection: socketio.Reconnection{Jitter: 1.5}}},
		`DialOptions.Engine.Transports[0] is "udp"`:                            {"http://example.com", socketio.DialOptions{Engine: engineio.DialOptions{Transports: []string{"udp"}}}},
	} {
		start := time.Now()
		_, err := socketio.Dial(t.Context(), tt.url, &tt.o)
		if err == nil || !strings.HasPrefix(err.Error(), "socket.io: dial: ") || !strings.Contains(err.Error(), strings.TrimPrefix(want, "DialOptions.Engine.")) || time.Since(start) > 10*time.Second {
			t.Errorf("Dial(%q): %v, want %s", tt.url, err, want)
		}
	}
}

// A tripper answers each request by a function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The path of the URL is the namespace, its query goes along, and Path is where the
// server is.
func TestDialURL(t *testing.T) {
	for url, want := range map[string]struct{ path, request, namespace string }{
		"http://example.com":                   {"", "http://example.com/socket.io/", "/"},
		"https://example.com:3000/":            {"", "https://example.com:3000/socket.io/", "/"},
		"ws://example.com/admin?token=a%20b#c": {"", "http://example.com/socket.io/?token=a+b", "/admin"},
		"wss://example.com/caf%C3%A9/":         {"/x", "https://example.com/x/", "/caf%C3%A9/"},
		"example.com:3000":                     {"", "https://example.com:3000/socket.io/", "/"},
		"localhost":                            {"", "https://localhost/socket.io/", "/"},
		"localhost/a":                          {"", "https://localhost/socket.io/", "/a"},
		"example.com?next=http://x/":           {"", "https://example.com/socket.io/?next=http%3A%2F%2Fx%2F", "/"},
		"http://[::1]:80/a/b":                  {"/", "http://[::1]:80/", "/a/b"},
	} {
		var asked string
		var namespace string
		o := &socketio.DialOptions{
			Path:         want.path,
			Setup:        func(c *socketio.Client) { namespace = c.Namespace() },
			Reconnection: socketio.Reconnection{Off: true},
			Logger:       slog.New(slog.DiscardHandler),
		}
		o.Engine.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.String()
			return nil, errNoNetwork
		})}
		if _, err := socketio.Dial(t.Context(), url, o); !errors.Is(err, errNoNetwork) {
			t.Errorf("Dial(%q): %v", url, err)
		}
		for _, parameter := range []string{"EIO=4", "transport=polling"} {
			if !strings.Contains(asked, parameter) {
				t.Errorf("Dial(%q) has asked %s, without %s", url, asked, parameter)
			}
			asked = strings.Replace(asked, parameter, "", 1)
		}
		asked = strings.TrimRight(strings.ReplaceAll(asked, "&&", "&"), "&?")
		asked = strings.Replace(asked, "?&", "?", 1)
		if asked != want.request || namespace != want.namespace {
			t.Errorf("Dial(%q) has asked %s for %s, want %s for %s", url, asked, namespace, want.request, want.namespace)
		}
	}
}

// Dial ends with ctx wherever it is, says why, and leaves nothing behind.
func TestDialContext(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		s.io.Of("/slow").Use(func(ctx context.Context, _ *socketio.Socket) error {
			<-ctx.Done()
			return ctx.Err()
		})
		for name, tt := range map[string]struct {
			url string
			set func(*socketio.DialOptions)
		}{
			"in the request": {"http://example.com", func(o *socketio.DialOptions) {
				o.Engine.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})}
			}},
			"in the delay": {"http://example.com", func(o *socketio.DialOptions) {
				o.Engine.HTTPClient = &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) { return nil, errNoNetwork })}
				o.Reconnection.Delay, o.Reconnection.MaxDelay = time.Hour, time.Hour
			}},
			"in AuthFunc": {"http://example.com", func(o *socketio.DialOptions) {
				o.AuthFunc = func(ctx context.Context, _ string) (any, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			}},
			"after AuthFunc": {"http://example.com", func(o *socketio.DialOptions) {
				o.Reconnection.Delay, o.Reconnection.MaxDelay = time.Hour, time.Hour
				o.AuthFunc = func(context.Context, string) (any, error) { return nil, errNoNetwork }
			}},
			"in middleware": {"http://example.com/slow", func(*socketio.DialOptions) {}},
		} {
			o := s.dialOptions(mode, socketio.DialOptions{})
			tt.set(o)
			var client *socketio.Client
			o.Setup = func(c *socketio.Client) { client = c }
			ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
			_, err := socketio.Dial(ctx, tt.url, o)
			cancel()
			failed := name == "in the delay" || name == "after AuthFunc" // there is a last attempt to tell of
			if !errors.Is(err, context.DeadlineExceeded) || failed != errors.Is(err, errNoNetwork) || failed != strings.Contains(err.Error(), "last attempt") {
				s.t.Errorf("%s: %v", name, err)
			}
			<-client.Done()
			if err := client.Emit("x"); !errors.Is(err, socketio.ErrClosed) {
				s.t.Errorf("%s: Emit: %v", name, err)
			}
		}
		ctx, cancel := context.WithCancelCause(s.t.Context())
		cancel(io.ErrNoProgress)
		if _, err := socketio.Dial(ctx, "http://example.com/slow", s.dialOptions(mode, socketio.DialOptions{})); !errors.Is(err, io.ErrNoProgress) {
			s.t.Errorf("ctx that has ended: %v", err)
		}
	})
}

// Dial ends when the client is told to leave before it has joined.
func TestDialDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		var client *socketio.Client
		p.onConnect = func() { client.Disconnect() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		o := p.options(&socketio.DialOptions{Setup: func(c *socketio.Client) { client = c }})
		if _, err := socketio.Dial(ctx, "http://example.com", o); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("Dial: %v", err)
		}
		<-client.Done()
	})
}

// A client that has not begun to join can't leave: Dial waits for the namespace all the same.
func TestDialDisconnectedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPuppet(t).start(&socketio.DialOptions{Setup: (*socketio.Client).Disconnect})
		if !c.Connected() {
			t.Error("not connected")
		}
	})
}

// A refusal is an error of Dial, with its data; Connect may try again.
func TestClientRefused(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		open := false
		s.io.Of("/closed").Use(func(_ context.Context, n *socketio.Socket) error {
			if auth, err := socketio.Auth[struct{ Token string }](n); err != nil || auth.Token != "t" {
				s.t.Errorf("auth %+v, %v", auth, err)
			}
			if !open {
				return &socketio.Error{Message: "not yet", Data: []int{1, 2}}
			}
			return nil
		})
		auth := map[string]string{"token": "t"}
		_, err := socketio.Dial(s.t.Context(), "http://example.com/closed", s.dialOptions(mode, socketio.DialOptions{Auth: auth}))
		refused, ok := errors.AsType[*socketio.ConnectError](err)
		if !ok || refused.Message != "not yet" || refused.Namespace != "/closed" || string(refused.Data) != "[1,2]" {
			s.t.Errorf("Dial: %v", err)
		}
		if _, err := socketio.Dial(s.t.Context(), "http://example.com/nowhere", s.dialOptions(mode, socketio.DialOptions{})); err == nil ||
			err.Error() != `socket.io: dial: socket.io: namespace "/nowhere" refused: "Invalid namespace"` {
			s.t.Errorf("Dial: %v", err)
		}
		var d diary
		c := s.start(s.dialOptions(mode, socketio.DialOptions{Auth: auth}))
		other := c.Of("closed")
		if other != c.Of("/closed") || c.Of("/") != c {
			s.t.Error("Of returns different clients")
		}
		tellLife(other, &d)
		id := c.ID()
		other.Connect()
		other.Emit("kept")
		<-time.After(time.Second) // while a session moves to WebSocket an answer may take 100 ms
		other.Connect()           // the root stays where it is, though other asks again
		<-time.After(time.Minute)
		d.want(s.t, "refused: not yet [1,2]", "refused: not yet [1,2]")
		if other.Active() || c.ID() != id || other.Buffered() != 1 {
			s.t.Errorf("active %t, the root is %q, was %q, %d events buffered", other.Active(), c.ID(), id, other.Buffered())
		}
		open = true
		other.Connect()
		other.Connect()
		synctest.Wait()
		d.want(s.t, "connect recovered=false")
		c.Disconnect()
		synctest.Wait()
		if !other.Connected() {
			s.t.Error("the other namespace has ended too")
		}
		other.Disconnect()
		<-time.After(time.Minute)
		if n := s.io.Sessions(); n != (engineio.Count{}) {
			s.t.Errorf("sessions are left: %+v", n)
		}
	})
}

// JSON that a user hands over as it is may not be UTF-8. It arrives as if it were, and costs no
// connection.
func TestRawNotUTF8(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		raw, want := json.RawMessage("\"a\xffb\""), "a\ufffdb"
		s.io.Of("/closed").Use(func(context.Context, *socketio.Socket) error {
			return &socketio.Error{Message: "no", Data: raw}
		})
		s.io.OnConnect(func(n *socketio.Socket) {
			if auth, err := socketio.Auth[struct{ Name string }](n); auth.Name != want {
				s.t.Errorf("auth %q, %v", auth, err)
			}
			socketio.Handle(n, "same", func(_ context.Context, x string) (any, error) {
				if x != want {
					s.t.Errorf("the server got %q", x)
				}
				return raw, nil
			})
		})
		c := s.start(s.dialOptions(mode, socketio.DialOptions{
			Auth: map[string]any{"name": raw}, Reconnection: socketio.Reconnection{Off: true},
		}))
		if got, err := socketio.Call[string](s.t.Context(), c, "same", raw); got != want || err != nil {
			s.t.Errorf("got %q, %v", got, err)
		}
		_, err := socketio.Dial(s.t.Context(), "http://example.com/closed", s.dialOptions(mode, socketio.DialOptions{}))
		if refused, ok := errors.AsType[*socketio.ConnectError](err); !ok || string(refused.Data) != `"`+want+`"` {
			s.t.Errorf("Dial: %v", err)
		}
	})
}

// AuthFunc is asked before each attempt to join, and again after an error.
func TestClientAuthFunc(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		var d, server diary
		n, client := s.network()
		for _, name := range []string{"/", "/b"} {
			s.io.Of(name).Use(func(_ context.Context, n *socketio.Socket) error {
				auth, err := socketio.Auth[struct{ N int }](n)
				server.add("%s auth %d %v", name, auth.N, err)
				return nil
			})
		}
		calls := 0
		o := s.dialOptions(mode, socketio.DialOptions{
			Reconnection: steady,
			AuthFunc: func(_ context.Context, namespace string) (any, error) {
				switch calls++; calls {
				case 2:
					return nil, errors.New("no token yet")
				case 3:
					panic("no token")
				case 4:
					return "a string", nil
				}
				return struct{ N int }{calls}, nil
			},
			Setup: func(c *socketio.Client) { tellLife(c, &d) },
		})
		o.Engine.HTTPClient = client
		c := s.start(o)
		synctest.Wait()
		d.want(s.t, "connect recovered=false")
		server.want(s.t, "/ auth 1 <nil>")
		b := c.Of("/b")
		tellLife(b, &d)
		start := time.Now()
		b.OnConnect(func() { d.add("after %v", time.Since(start)) })
		b.Connect()
		<-time.After(time.Minute)
		d.want(s.t, "failed", "failed", "failed", "connect recovered=false", "after 7s")
		server.want(s.t, "/b auth 5 <nil>")
		b.Disconnect()
		synctest.Wait()
		d.take()
		n.cut(false)
		<-time.After(time.Minute)
		if got := d.take(); fmt.Sprint(got[1:]) != "[attempt 1 reconnect 1 connect recovered=false]" {
			s.t.Errorf("got %q", got)
		}
		server.want(s.t, "/ auth 6 <nil>")
	})
}

// The ctx of AuthFunc ends with the attempt: when the server is asked, and when the namespace is
// not wanted any more, for which AuthFunc is not called again.
func TestClientAuthAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{AuthFunc: func(ctx context.Context, namespace string) (any, error) {
			context.AfterFunc(ctx, func() { d.add("%s is over", namespace) })
			if namespace == "/" {
				return nil, nil
			}
			d.add("%s has no token", namespace)
			return nil, errors.New("no token")
		}})
		synctest.Wait()
		d.want(t, "/ is over")
		x := c.Of("/x")
		x.Connect()
		synctest.Wait()
		d.want(t, "/x has no token")
		x.Disconnect()
		<-time.After(20 * time.Second)
		d.want(t, "/x is over")
	})
}

// AuthFunc is not called again with a ctx that has ended, however short the delay is.
func TestClientAuthEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		var calls atomic.Int32
		c := p.start(&socketio.DialOptions{
			Reconnection: socketio.Reconnection{Delay: 1, MaxDelay: 1, Jitter: 1},
			AuthFunc: func(ctx context.Context, namespace string) (any, error) {
				if namespace == "/" {
					return nil, nil
				}
				calls.Add(1)
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		x := c.Of("/x")
		for i := range int32(100) {
			x.Connect()
			synctest.Wait()
			x.Disconnect()
			synctest.Wait()
			if got := calls.Load(); got != i+1 {
				t.Fatalf("%d attempts have called AuthFunc %d times", i+1, got)
			}
		}
	})
}

// With Reconnection.Off an error of AuthFunc is final, as is an auth that the server
// does not take for its size.
func TestClientAuthFails(t *testing.T) {
	errToken := errors.New("no token")
	for name, tt := range map[string]struct {
		o    socketio.DialOptions
		want error
	}{
		"error": {socketio.DialOptions{
			Reconnection: socketio.Reconnection{Off: true},
			AuthFunc:     func(context.Context, string) (any, error) { return nil, errToken },
		}, errToken},
		"size": {socketio.DialOptions{Auth: map[string]string{"token": strings.Repeat("x", 1000)}}, engineio.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPuppet(t)
				told := 0
				tt.o.Setup = func(c *socketio.Client) { c.OnConnectError(func(error) { told++ }) }
				_, err := p.dial(&tt.o)
				synctest.Wait()
				if !errors.Is(err, tt.want) || told != 1 {
					t.Errorf("Dial: %v, told %d times", err, told)
				}
			})
		})
	}
}

// A namespace whose auth is too large for the server costs the others nothing, and can be asked for
// again.
func TestClientAuthTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		token := strings.Repeat("x", 1000)
		c := p.start(&socketio.DialOptions{
			Limits: socketio.ClientLimits{JoinTimeout: 10 * time.Second},
			AuthFunc: func(_ context.Context, namespace string) (any, error) {
				if namespace == "/" {
					return nil, nil
				}
				return map[string]string{"token": token}, nil
			},
		})
		x := c.Of("/x")
		tellLife(x, &d)
		x.Connect()
		synctest.Wait()
		token = "t"
		x.Connect()
		<-time.After(20 * time.Second)
		d.want(t, "failed", "connect recovered=false")
		if got := fmt.Sprint(p.take()); got != `[40 40/x,{"token":"t"}]` {
			t.Errorf("the server got %s", got)
		}
	})
}

// A refusal of an old server is a string, or an object without data.
func TestConnectErrorForms(t *testing.T) {
	for packet, want := range map[string]struct{ message, data string }{
		`44"old"`:                     {"old", ""},
		`44{"message":"new"}`:         {"new", ""},
		`44{"message":"a","data":{}}`: {"a", "{}"},
		`44{"message":1}`:             {"", ""},
		`44{}`:                        {"", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPuppet(t)
			p.onConnect = func() { p.send(packet) }
			_, err := p.dial(nil)
			refused, ok := errors.AsType[*socketio.ConnectError](err)
			if !ok || refused.Message != want.message || string(refused.Data) != want.data || refused.Data != nil && !json.Valid(refused.Data) {
				t.Errorf("%s: %v", packet, err)
			}
		})
	}
}
