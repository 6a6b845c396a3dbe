package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// who is what the scenario's event "who" is answered.
type who struct {
	ID, Transport, Query, Header string
	Rooms                        []string
	Auth                         map[string]any
}

func TestHandshake(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		o := s.options(mode, socketio.DialOptions{Auth: map[string]any{"token": "t", "n": 1}})
		o.Engine.Header = http.Header{"X-Parley": {"yes"}}
		c := s.connect(t, "/custom?q=a%26b", o)
		eventually(t, "the transport", func() bool { return c.Transport() == strings.Replace(mode, "upgrade", "websocket", 1) })
		got := call[who](t, c, "who")
		want := who{c.ID(), c.Transport(), "a&b", "yes", []string{c.ID()}, map[string]any{"token": "t", "n": 1.0}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// Values of all kinds go there and come back, as events and as acknowledgements, and the
// server can ask.
func TestValues(t *testing.T) {
	type nested struct {
		Data []byte         `json:"data"`
		List []any          `json:"list"`
		Map  map[string]any `json:"map"`
	}
	everywhere(t, func(t *testing.T, s *server, k kind, mode string) {
		echoed := make(chan []any, 1)
		c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.OnEvent("echo", func(e *socketio.Event) error {
				args, err := e.Args()
				echoed <- args
				return err
			})
			c.OnEvent("question", func(e *socketio.Event) error {
				args, err := e.Args()
				if err != nil {
					return err
				}
				return e.Ack(args...)
			})
		}}))
		for _, args := range [][]any{
			{},
			{1.0, -2.5, "text", true, nil},
			{"žluťoučký \u2028 \x00 \" \\ 🦜"},
			{[]any{}, map[string]any{"a": []any{1.0, map[string]any{"b": nil}}}},
			{[]byte{}},
			{[]byte{0, 1, 2}, "between", []any{[]byte("b")}, map[string]any{"c": []byte("d")}},
		} {
			c.Emit("echo", args...)
			if got := receive(t, "an echo", echoed); fmt.Sprint(got) != fmt.Sprint(args) {
				t.Errorf("echo of %v is %v", args, got)
			}
			answer := call[*socketio.Args](t, c, "echo-ack", args...)
			got := make([]any, answer.Len())
			for i := range got {
				if err := answer.Decode(i, &got[i]); err != nil {
					t.Error(err)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(args) {
				t.Errorf("acknowledgement of %v is %v", args, got)
			}
			if !k.timeouts {
				continue
			}
			asked := call[[]any](t, c, "ask", append([]any{10_000, "question"}, args...)...)
			if fmt.Sprint(asked) != fmt.Sprint(args) {
				t.Errorf("the server has asked for %v and got %v", args, asked)
			}
		}
		in := nested{[]byte("x"), []any{[]byte("y"), "z"}, map[string]any{"k": []byte("v")}}
		if got := call[nested](t, c, "echo-ack", in); fmt.Sprint(got) != fmt.Sprint(in) {
			t.Errorf("got %v, want %v", got, in)
		}
		if _, err := socketio.Call[any](t.Context(), c.Timeout(50*time.Millisecond), "nobody"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no answer: %v", err)
		}
		if k.timeouts {
			if got := call[any](t, c, "ask", 50, "nobody"); got != nil {
				t.Errorf("the server got %v", got)
			}
		}
	})
}

// Binary data of up to 1 MB, there and back.
func TestBinary(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		c := s.connect(t, "", s.options(mode, socketio.DialOptions{}))
		for _, size := range []int{0, 1, 125, 126, 65_535, 65_536, 700_000, 1_000_000} {
			data := bytes.Repeat([]byte{0x1E, 'b', 0, 0xFF}, size/4+1)[:size]
			if got := call[[]byte](t, c, "echo-ack", data); !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back as %d", size, len(got))
			}
		}
	}, "--max-payload", "2000000")
	// An event that the server would refuse is refused here.
	s := start(t, kinds[0])
	c := s.connect(t, "", s.options("polling", socketio.DialOptions{}))
	if _, err := socketio.Call[any](t.Context(), c, "echo-ack", make([]byte, 1_000_000)); !errors.Is(err, engineio.ErrTooLarge) {
		t.Errorf("1 MB as base64: %v", err)
	}
}

// Refusals carry data, and are final until Connect is called.
func TestRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		for namespace, want := range map[string]string{
			"/refused": `refused: not you {"code":42,"why":{"list":["ž",null]}}`,
			"/members": "refused: members only ",
			"/nowhere": "refused: Invalid namespace ",
		} {
			_, err := socketio.Dial(t.Context(), "http://server"+namespace, s.options(mode, socketio.DialOptions{}))
			refused, ok := errors.AsType[*socketio.ConnectError](err)
			if !ok || fmt.Sprintf("refused: %s %s", refused.Message, refused.Data) != want {
				t.Errorf("%s: %v", namespace, err)
			}
		}
		var token atomic.Value
		token.Store("wrong")
		o := s.options(mode, socketio.DialOptions{AuthFunc: func(_ context.Context, namespace string) (any, error) {
			return map[string]any{"token": token.Load(), "for": namespace}, nil
		}})
		c := s.connect(t, "", o)
		members, happened := c.Of("/members"), make(chan string, 10)
		life(members, happened)
		members.Emit("number", 0)
		members.Connect()
		if got := receive(t, "a refusal", happened); got != "refused: members only " || members.Active() {
			t.Errorf("%s, active %t", got, members.Active())
		}
		token.Store("secret")
		members.Connect()
		if got := receive(t, "a connection", happened); got != "connect" {
			t.Errorf("%s", got)
		}
		if got := call[who](t, members, "who"); got.Auth["for"] != "/members" || got.ID != members.ID() || got.ID == c.ID() {
			t.Errorf("%+v", got)
		}
		if members.Disconnect(); receive(t, "the end", happened) != "io client disconnect" || !c.Connected() {
			t.Error("the other namespace has ended too")
		}
	})
}

// Rooms and broadcasts reach those in the room, and not the sender.
func TestRooms(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		type news struct {
			who  int
			text string
		}
		got := make(chan news, 10)
		var clients []*socketio.Client
		room := "room " + mode
		for i := range 3 {
			c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
				socketio.On(c, "news", func(_ context.Context, text string) error {
					got <- news{i, text}
					return nil
				})
			}}))
			if i > 0 {
				call[any](t, c, "join", []string{room})
			}
			clients = append(clients, c)
		}
		clients[1].Emit("to", []string{room}, []string{}, "news", "from 1")
		if n := receive(t, "news", got); n != (news{2, "from 1"}) {
			t.Errorf("got %v", n)
		}
		clients[0].Emit("to", []string{room}, []string{clients[2].ID()}, "news", "from 0")
		if n := receive(t, "news", got); n != (news{1, "from 0"}) {
			t.Errorf("got %v", n)
		}
		call[any](t, clients[1], "leave", room)
		clients[1].Emit("in", []string{room}, []string{}, "news", "again")
		if n := receive(t, "news", got); n != (news{2, "again"}) || len(got) != 0 {
			t.Errorf("got %v, and %d more", n, len(got))
		}
	})
}

// 10,000 messages each way come in order, while the session moves to WebSocket too.
func TestOrder(t *testing.T) {
	const n = 10_000
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		next, all := 0, make(chan struct{})
		c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
			socketio.On(c, "number", func(_ context.Context, i int) error {
				if i != next {
					t.Errorf("got %d, want %d", i, next)
				}
				if next++; next == n {
					close(all)
				}
				return nil
			})
		}}))
		for i := range n {
			if i%1000 == 0 {
				c.Emit("flood", i, i+1000)
			}
			if err := c.Emit("number", i); err != nil {
				t.Fatal(err)
			}
		}
		type numbers struct {
			Count   int
			Ordered bool
		}
		if got := call[numbers](t, c.Timeout(patience), "numbers"); got != (numbers{n, true}) {
			t.Errorf("the server got %+v", got)
		}
		receive(t, "all numbers", all)
		eventually(t, "the transport", func() bool { return c.Transport() == strings.Replace(mode, "upgrade", "websocket", 1) })
	})
}

// Volatile events may be dropped, and nothing after them is.
func TestVolatile(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		var came atomic.Int32
		end := make(chan struct{}, 1)
		c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.OnAny(func(e *socketio.Event) {
				switch e.Name() {
				case "maybe":
					came.Add(1)
				case "volatile-end":
					end <- struct{}{}
				}
			})
		}}))
		c.Emit("volatile", 100)
		receive(t, "the end", end)
		for range 1000 {
			c.Volatile().Emit("number", 0)
		}
		type numbers struct{ Count int }
		if got := call[numbers](t, c, "numbers").Count; got > 1000 {
			t.Errorf("%d of 1000 volatile events have come", got)
		}
		t.Logf("%d of 100 came here", came.Load())
	})
}

// The server sends the client away; Connect comes back.
func TestKicked(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		happened := make(chan string, 10)
		c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) { life(c, happened) }}))
		receive(t, "connect", happened)
		for _, connection := range []bool{false, true} {
			c.Emit("disconnect-me", connection)
			if got := receive(t, "an end", happened); got != "io server disconnect" || c.Active() {
				t.Errorf("%s, active %t", got, c.Active())
			}
			c.Connect()
			if got := receive(t, "a connection", happened); got != "connect" {
				t.Errorf("%s", got)
			}
			call[any](t, c, "who")
		}
	})
}

// A server is killed and another one takes its place: the client comes back, and what
// was emitted meanwhile arrives in order, once, before what its connect handler sends.
func TestRestart(t *testing.T) {
	for _, k := range kinds {
		for mode := range modes {
			t.Run(k.name+" "+mode, func(t *testing.T) {
				s := start(t, k)
				happened := make(chan string, 100)
				c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
					life(c, happened)
					c.OnConnect(func() { go socketio.Call[any](t.Context(), c, "store", "k", -1) })
				}}))
				receive(t, "connect", happened)
				call[any](t, c, "store", "k", -2)
				s.stop()
				if got := receive(t, "an end", happened); got != "transport close" && got != "transport error" {
					t.Errorf("%s", got)
				}
				var want []int
				for i := range 100 {
					want = append(want, i)
					go socketio.Call[any](t.Context(), c, "store", "k", i)
					eventually(t, "buffered", func() bool { return c.Buffered() == i+1 })
				}
				s.run()
				if got := receive(t, "a connection", happened); got != "connect" {
					t.Errorf("%s", got)
				}
				var got []int
				eventually(t, "all of them", func() bool {
					got = call[[]int](t, c, "stored", "k")
					return len(got) > 100
				})
				if !reflect.DeepEqual(got, append(want, -1)) {
					t.Errorf("got %v", got)
				}
			})
		}
	}
}

// A server that stops for longer than the ping timeout is missed, and found again when
// it goes on.
func TestStopped(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		happened := make(chan string, 10)
		c := s.connect(t, "", s.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) { life(c, happened) }}))
		receive(t, "connect", happened)
		eventually(t, "the transport", func() bool { return c.Transport() == strings.Replace(mode, "upgrade", "websocket", 1) })
		s.signal(syscall.SIGSTOP)
		if got := receive(t, "an end", happened); got != "ping timeout" {
			t.Errorf("%s", got)
		}
		c.Emit("number", 0)
		s.signal(syscall.SIGCONT)
		if got := receive(t, "a connection", happened); got != "connect" {
			t.Errorf("%s", got)
		}
		type numbers struct{ Count int }
		if got := call[numbers](t, c, "numbers"); got.Count != 1 {
			t.Errorf("%d events that were buffered came", got.Count)
		}
	}, "--ping-interval", "1000", "--ping-timeout", "3000")
}

// A client whose connection is cut gets back its id, its rooms and what it has missed.
func TestRecovery(t *testing.T) {
	for _, k := range kinds {
		if !k.recovery {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			// The server misses a session on polling by the ping only, if no request is under way.
			s := start(t, k, "--recovery", "--ping-interval", "2000", "--ping-timeout", "3000")
			other := s.connect(t, "", s.options("websocket", socketio.DialOptions{Engine: engineio.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{
				DialContext: s.dial,
			}}}}))
			for mode := range modes {
				t.Run(mode, func(t *testing.T) {
					// The client's connections alone are cut, by a way of its own.
					way := &server{t: t, addr: s.addr}
					way.http = &http.Client{Transport: &http.Transport{DialContext: way.dial}}
					happened, got := make(chan string, 10), make(chan string, 10)
					o := way.options(mode, socketio.DialOptions{Setup: func(c *socketio.Client) {
						life(c, happened)
						socketio.On(c, "news", func(_ context.Context, text string) error {
							got <- text
							return nil
						})
					}})
					o.Reconnection.Delay, o.Reconnection.MaxDelay = time.Second, time.Second
					c := way.connect(t, "", o)
					receive(t, "connect", happened)
					room := "room " + mode
					call[any](t, c, "join", []string{room})
					other.Emit("in", []string{room}, []string{}, "news", "before")
					receive(t, "news", got)
					id := c.ID()
					way.lead(false)
					way.cut()
					receive(t, "an end", happened)
					ended := call[string](t, other.Timeout(patience), "ended", id)
					for _, text := range []string{"1", "2"} {
						other.Emit("in", []string{room}, []string{}, "news", text)
					}
					call[any](t, other, "who")
					way.lead(true)
					if receive(t, "a connection", happened); !c.Recovered() || c.ID() != id {
						t.Errorf("recovered %t as %s, was %s; the server says %s", c.Recovered(), c.ID(), id, ended)
					}
					for _, text := range []string{"1", "2"} {
						if news := receive(t, "news", got); news != text {
							t.Errorf("got %s, want %s", news, text)
						}
					}
					if rooms := call[who](t, c, "who").Rooms; !reflect.DeepEqual(rooms, []string{id, room}) && !reflect.DeepEqual(rooms, []string{room, id}) {
						t.Errorf("rooms %v", rooms)
					}
				})
			}
		})
	}
}

// With Retries each event arrives at least once, in order, over a network that fails.
func TestRetries(t *testing.T) {
	everywhere(t, func(t *testing.T, s *server, _ kind, mode string) {
		c := s.connect(t, "", s.options(mode, socketio.DialOptions{Retries: 1000, AckTimeout: 5 * time.Second}))
		for i := range 50 {
			if err := c.Emit("store", "retries "+mode, i); err != nil {
				t.Fatal(err)
			}
			if i%10 == 5 {
				s.cut()
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := c.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		got := call[[]int](t, c, "stored", "retries "+mode)
		next := 0
		for _, i := range got {
			if i == next {
				next++
			} else if i != next-1 {
				t.Fatalf("after %d came %d: %v", next-1, i, got)
			}
		}
		if next != 50 {
			t.Errorf("got %v", got)
		}
	})
}

// Behind a proxy that blocks WebSocket a session stays on polling, and TryAllTransports
// finds polling.
func TestNoWebSocket(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s := start(t, k)
			target, err := url.Parse("http://" + s.addr)
			if err != nil {
				t.Fatal(err)
			}
			refused := make(chan struct{}, 10)
			forward := httputil.NewSingleHostReverseProxy(target)
			forward.ErrorLog = log.New(io.Discard, "", 0) // of requests that the client has given up
			bad := new(atomic.Bool)
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Header.Get("Upgrade") != "":
					refused <- struct{}{}
					http.Error(w, "no WebSocket", http.StatusForbidden)
				case bad.Load():
					http.Error(w, "<html>bad gateway</html>", http.StatusBadGateway)
				default:
					forward.ServeHTTP(w, r)
				}
			}))
			defer proxy.Close()
			for name, o := range map[string]engineio.DialOptions{
				"upgrade": {},
				"all":     {Transports: []string{"websocket", "polling"}, TryAllTransports: true},
			} {
				happened := make(chan string, 10)
				dial := s.options("", socketio.DialOptions{Setup: func(c *socketio.Client) { life(c, happened) }})
				dial.Engine = o
				c, err := socketio.Dial(t.Context(), proxy.URL, dial)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				receive(t, "connect", happened)
				receive(t, "a refusal", refused)
				if call[any](t, c, "who"); c.Transport() != "polling" {
					t.Errorf("%s: on %s", name, c.Transport())
				}
				bad.Store(true) // in the middle of the session
				c.Emit("number", 0)
				if got := receive(t, "an end", happened); got != "transport error" {
					t.Errorf("%s: %s", name, got)
				}
				bad.Store(false)
				if got := receive(t, "a connection", happened); got != "connect" {
					t.Errorf("%s: %s", name, got)
				}
				c.Close()
				<-c.Done()
			}
		})
	}
}
