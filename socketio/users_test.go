package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// A function of the user's that ends its goroutine, as a failed test does, ends its
// socket and nothing else: the socket leaves its rooms, and Shutdown does not wait.
func TestQuits(t *testing.T) {
	quit := func() { runtime.Goexit() }
	for name, register := range map[string]func(io *socketio.Server){
		"middleware": func(io *socketio.Server) {
			io.Use(func(_ context.Context, s *socketio.Socket) error { s.Join("room"); quit(); return nil })
		},
		"OnConnect": func(io *socketio.Server) { io.OnConnect(func(s *socketio.Socket) { s.Join("room"); quit() }) },
		"OnEvent": func(io *socketio.Server) {
			io.OnConnect(func(s *socketio.Socket) {
				s.Join("room")
				s.OnEvent("x", func(*socketio.Event) error { quit(); return nil })
			})
		},
		"OnAny": func(io *socketio.Server) {
			io.OnConnect(func(s *socketio.Socket) { s.Join("room"); s.OnAny(func(*socketio.Event) { quit() }) })
		},
		"Use": func(io *socketio.Server) {
			io.OnConnect(func(s *socketio.Socket) { s.Join("room"); s.Use(func(*socketio.Event) error { quit(); return nil }) })
		},
		"OnDisconnecting": func(io *socketio.Server) {
			io.OnConnect(func(s *socketio.Socket) {
				s.Join("room")
				s.OnDisconnecting(func(socketio.Reason) { quit() })
				s.OnEvent("x", func(*socketio.Event) error { s.Disconnect(false); return nil })
			})
		},
	} {
		inBubble(t, nil, func(s *site) {
			register(s.io)
			r := s.dial()
			r.send("0")
			r.read()
			synctest.Wait()
			r.send(`2["x"]`)
			synctest.Wait()
			if s.io.Count() != 0 || s.io.CountIn("room") != 0 {
				t.Errorf("%s: the socket is still there", name)
			}
			if !strings.Contains(s.log.String(), "Goexit") {
				t.Errorf("%s: log %s", name, s.log)
			}
		})
	}
}

// Another goroutine drops the events that are left, and tells the handlers of the end.
func TestQuitsInOrder(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var handled []string
		all := make(chan struct{})
		s.io.OnConnect(func(x *socketio.Socket) {
			x.Join("room")
			x.OnEvent("x", func(e *socketio.Event) error {
				<-all // have come
				var n int
				e.Decode(0, &n)
				handled = append(handled, fmt.Sprint(n))
				if n == 2 {
					runtime.Goexit()
				}
				return nil
			})
			x.OnDisconnect(func(r socketio.Reason) { handled = append(handled, r.String()) })
		})
		r := s.client()
		for n := range 5 {
			r.send(fmt.Sprintf(`2["x",%d]`, n))
		}
		synctest.Wait()
		close(all)
		r.want("1")
		synctest.Wait()
		if want := []string{"0", "1", "2", "server namespace disconnect"}; !slices.Equal(handled, want) {
			t.Errorf("handled %q, want %q", handled, want)
		}
		if s.io.Count() != 0 || s.io.CountIn("room") != 0 {
			t.Error("the socket is still there")
		}
		if !strings.Contains(s.log.String(), "Goexit") {
			t.Errorf("log: %s", s.log)
		}
		r.send("0") // the connection lives
		if got := r.read(); !strings.HasPrefix(got, "0{") {
			t.Errorf("read %q", got)
		}
	})
}

// A client that asks for an acknowledgement gets one when its handler fails: what the
// error says if it is for clients, and no word of it otherwise.
func TestErrorIsAnswered(t *testing.T) {
	for _, tt := range []struct {
		err  error
		send string
		want string
	}{
		{errors.New("secret"), `21["x",1]`, `31[{"error":"Internal error"}]`},
		{&socketio.Error{Message: "no"}, `21["x",1]`, `31[{"error":"no"}]`},
		{fmt.Errorf("wrapped: %w", &socketio.Error{Message: "no", Data: map[string]int{"code": 7}}), `21["x",1]`, `31[{"error":"no","data":{"code":7}}]`},
		{nil, `21["x","not a number"]`, `31[{"error":"Invalid argument"}]`},
		{nil, `21["x",1]`, `31[1]`},
		{errors.New("secret"), `2["x",1]`, ""},
		{&socketio.Error{Message: "no", Data: func() {}}, `21["x",1]`, `31[{"error":"no"}]`},
	} {
		inBubble(t, nil, func(s *site) {
			s.io.OnConnect(func(x *socketio.Socket) {
				socketio.Handle(x, "x", func(_ context.Context, n int) (int, error) { return n, tt.err })
			})
			r := s.client()
			r.send(tt.send)
			if tt.want == "" {
				r.wantNothing()
				return
			}
			r.want(tt.want)
			synctest.Wait()
			public, _ := errors.AsType[*socketio.Error](tt.err)
			_, unencodable := json.Marshal(public)
			if got := strings.Contains(s.log.String(), "data of an Error"); got != (unencodable != nil) {
				s.t.Errorf("%v: log: %s", tt.err, s.log)
			}
		})
	}
}

// A client is answered, too, if the result of its handler can't be encoded.
func TestResultIsAnswered(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(x *socketio.Socket) {
			socketio.Handle(x, "x", func(context.Context, int) (float64, error) { return math.NaN(), nil })
		})
		r := s.client()
		r.send(`21["x",1]`)
		r.want(`31[{"error":"Internal error"}]`)
		if !strings.Contains(s.log.String(), "NaN") {
			t.Errorf("log: %s", s.log)
		}
	})
}

// OnError does with an error what the application wants, and nothing else is done.
func TestOnError(t *testing.T) {
	var got []string
	o := &socketio.Options{OnError: func(e *socketio.Event, err error) {
		got = append(got, e.Name()+": "+err.Error())
		e.Ack("mine")
	}}
	inBubble(t, o, func(s *site) {
		s.io.OnConnect(func(x *socketio.Socket) {
			x.OnEvent("x", func(*socketio.Event) error { return errors.New("no") })
		})
		r := s.client()
		r.send(`21["x"]`)
		r.want(`31["mine"]`)
		synctest.Wait()
		if !slices.Equal(got, []string{"x: no"}) {
			t.Errorf("told %q", got)
		}
		if s.log.String() != "" {
			t.Errorf("logged %s", s.log)
		}
	})
}

// An acknowledgement that comes after its client has left is no news to an operator.
func TestAckAfterEnd(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		hold := make(chan struct{})
		s.io.OnConnect(func(x *socketio.Socket) {
			socketio.Handle(x, "x", func(context.Context, int) (int, error) { <-hold; return 1, nil })
		})
		r := s.client()
		r.send(`21["x"]`)
		synctest.Wait()
		r.cut()
		close(hold)
		synctest.Wait()
		if s.log.String() != "" {
			t.Errorf("logged %s", s.log)
		}
	})
}

// Socket.Use may make another event of an event.
func TestReplace(t *testing.T) {
	var last *socketio.Event
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(x *socketio.Socket) {
			x.Use(func(e *socketio.Event) error {
				if err := e.Replace("disconnect"); err == nil {
					t.Error("a reserved name was taken")
				}
				if err := e.Replace("y", make([]any, socketio.MaxArguments+1)...); err == nil {
					t.Error("more arguments were taken than may be received")
				}
				if err := e.Replace("y", make(chan int)); err == nil {
					t.Error("what can't be encoded was taken")
				}
				var n int
				e.Decode(0, &n)
				last = e
				return e.Replace("y", n+1, []byte("binary"))
			})
			x.OnAny(func(e *socketio.Event) { x.Emit("any", e.Name(), e.Len()) })
			for range 2 { // more than there are for y
				x.OnEvent("x", func(*socketio.Event) error { t.Error("x was handled"); return nil })
			}
			socketio.Handle2(x, "y", func(_ context.Context, n int, b []byte) (string, error) { return fmt.Sprint(n, string(b)), nil })
		})
		r := s.client()
		r.send(`27["x",41]`)
		r.want(`2["any","y",2]`)
		r.want(`37["42binary"]`)
		synctest.Wait()
		if err := last.Replace("z"); err == nil {
			t.Error("an event was replaced whose handlers have returned")
		}
	})
}

// Handle2 and Auth decode what they are asked for.
func TestTyped(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(x *socketio.Socket) {
			auth, err := socketio.Auth[struct{ Token string }](x)
			x.Emit("auth", auth.Token, err != nil)
			wrong, err := socketio.Auth[struct{ Token int }](x)
			x.Emit("auth", wrong.Token, err != nil && strings.HasPrefix(err.Error(), "socket.io: auth: "))
			x.Set("n", 1)
			n, ok := socketio.ValueOf[int](x, "n")
			_, text := socketio.ValueOf[string](x, "n")
			_, missing := socketio.ValueOf[int](x, "m")
			x.Emit("values", n, ok, text, missing)
			socketio.Handle2(x, "add", func(_ context.Context, a, b int) (sum int, err error) {
				if sum = a + b; sum < 0 {
					err = errors.New("a debt")
				}
				return sum, err
			})
		})
		r := s.dial()
		r.connect(`{"token":"abc"}`)
		r.want(`2["auth","abc",false]`)
		r.want(`2["auth",0,true]`)
		r.want(`2["values",1,true,false,false]`)
		r.send(`21["add",1,2]`)
		r.want(`31[3]`)
		r.send(`24["add",1,-2]`)
		r.want(`34[{"error":"Internal error"}]`)
		r.send(`22["add",1,"2"]`)
		r.want(`32[{"error":"Invalid argument"}]`)
	})
}

// The auth of a client that has sent none is an empty object, whatever else is kept with its
// socket.
func TestNoAuth(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sockets := s.sockets(nil)
		s.client()
		x := <-sockets
		for _, when := range []string{"at first", "once a value was set"} {
			auth, err := socketio.Auth[struct{ Token string }](x)
			if raw := x.Handshake().Auth; err != nil || auth.Token != "" || string(raw) != "{}" {
				t.Errorf("%s: auth %+v, %v; of the handshake %q", when, auth, err, raw)
			}
			x.Set("key", "value")
		}
	})
}

// A socket is found by its id, and a fetched one can be acted on.
func TestSocketByID(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		r, other := s.client(), s.client()
		synctest.Wait()
		x, ok := s.io.Socket(r.sid)
		if !ok || x.ID() != r.sid {
			t.Fatalf("%v, %v", x, ok)
		}
		if _, ok := s.io.Socket("nobody"); ok {
			t.Error("a socket that does not exist")
		}
		x.Join("room")
		if s.io.Count() != 2 || s.io.CountIn("room") != 1 || s.io.CountIn(r.sid) != 1 || s.io.CountIn("none") != 0 {
			t.Errorf("counts %d, %d, %d, %d", s.io.Count(), s.io.CountIn("room"), s.io.CountIn(r.sid), s.io.CountIn("none"))
		}
		if n := s.io.Sessions(); n.WebSocket != 2 || n.Polling != 0 {
			t.Errorf("sessions %+v", n)
		}
		list, err := s.io.In("room").FetchSockets(s.t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("fetched %v, %v", list, err)
		}
		remote := &list[0]
		wantNil(t, remote.Emit("x"))
		r.want(`2["x"]`)
		wantNil(t, remote.Join("a", "b"))
		wantNil(t, remote.Leave("a"))
		if got := x.Rooms(); !slices.Contains(got, "b") || slices.Contains(got, "a") {
			t.Errorf("rooms %v", got)
		}
		wantNil(t, remote.Disconnect(false))
		r.want("1")
		synctest.Wait()
		if _, ok := s.io.Socket(r.sid); ok {
			t.Error("the socket is still there")
		}
		var none socketio.RemoteSocket
		if none.Emit("x") == nil || none.Join("x") == nil || none.Leave("x") == nil || none.Disconnect(true) == nil {
			t.Error("a RemoteSocket that was not fetched does something")
		}
		other.wantNothing()
	})
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// The handshake is written as the JavaScript API has it.
func TestHandshakeJSON(t *testing.T) {
	h := socketio.Handshake{
		Header:  http.Header{"User-Agent": {"x"}, "X-Two": {"a", "b"}, "Cookie": {"a=1", "b=2"}},
		Time:    time.Date(2026, 11, 27, 23, 5, 9, 7e6, time.FixedZone("", 3600)),
		Issued:  1795817109007,
		Address: "192.0.2.1", XDomain: true, Secure: true,
		URL:   "/socket.io/?EIO=4&a=1&b=2&b=3",
		Query: url.Values{"EIO": {"4"}, "b": {"2", "3"}},
		Auth:  json.RawMessage(`{"token":"t"}`),
	}
	const want = `{"headers":{"cookie":"a=1; b=2","user-agent":"x","x-two":"a, b"},` +
		`"time":"Fri Nov 27 2026 22:05:09 GMT+0000 (Coordinated Universal Time)","address":"192.0.2.1","xdomain":true,"secure":true,` +
		`"issued":1795817109007,"url":"/socket.io/?EIO=4\u0026a=1\u0026b=2\u0026b=3","query":{"EIO":"4","b":["2","3"]},"auth":{"token":"t"}}`
	got, err := json.Marshal(h)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s, want\n%s", err, got, want)
	}
	if got, _ := json.Marshal(socketio.Handshake{}); !strings.Contains(string(got), `"auth":{}`) {
		t.Errorf("an empty handshake: %s", got)
	}
}

// The ctx of a socket has the values of the request that has opened its session, and
// not its end.
func TestContextValues(t *testing.T) {
	type key struct{}
	io := newServer(t, nil)
	got := make(chan any, 1)
	io.OnConnect(func(s *socketio.Socket) {
		if err := context.Cause(s.Context()); err != nil {
			t.Error(err)
		}
		got <- s.Context().Value(key{})
	})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "me")))
	}))
	defer web.Close()
	defer func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		io.Shutdown(ctx)
	}()
	resp, err := http.Get(web.URL + "/socket.io/?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	var open struct{ SID string }
	b := make([]byte, 4096)
	n, _ := resp.Body.Read(b)
	resp.Body.Close()
	if err := json.Unmarshal(b[1:n], &open); err != nil {
		t.Fatal(err)
	}
	resp, err = http.Post(web.URL+"/socket.io/?EIO=4&transport=polling&sid="+open.SID, "text/plain", strings.NewReader("40"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if v := <-got; v != "me" {
		t.Errorf("value %v", v)
	}
}

// Register serves the path with and without its slash, beside other routes.
func TestRegister(t *testing.T) {
	io := newServer(t, nil)
	mux := http.NewServeMux()
	io.Register(mux)
	for target, want := range map[string]int{
		"/socket.io/?EIO=4&transport=polling": 200, "/socket.io?EIO=4&transport=polling": 200, "/socket.iox": 404,
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	io.Shutdown(ctx)
	newServer(t, &socketio.Options{Engine: engineio.Options{Path: "/"}}).Register(http.NewServeMux()) // which has no other form
}
