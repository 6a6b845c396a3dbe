package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// Flush does not wait for events that were dropped, or for which their callers do not wait any more, whatever
// comes after them; nor does any other Flush.
func TestClientFlushOfDropped(t *testing.T) {
	for name, drop := range map[string]func(c *socketio.Client, cancel func()){
		"dropped":   func(c *socketio.Client, _ func()) { c.Emit("b") },
		"withdrawn": func(_ *socketio.Client, cancel func()) { cancel() },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPuppet(t)
			c := p.start(&socketio.DialOptions{DropOldest: true, Limits: socketio.ClientLimits{BufferEvents: 1}})
			c.Disconnect()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go socketio.Call[any](ctx, c, "a")
			synctest.Wait()
			flushed := make(chan error, 2)
			for range cap(flushed) {
				go func() { flushed <- c.Flush(t.Context()) }()
			}
			synctest.Wait()
			if len(flushed) != 0 {
				t.Fatalf("%s: Flush does not wait for an event that waits", name)
			}
			drop(c, cancel)
			synctest.Wait()
			for range cap(flushed) {
				select {
				case err := <-flushed:
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				default:
					t.Errorf("%s: Flush still waits for an event that is gone", name)
				}
			}
		})
	}
}

// A jsonFunc is written by a function.
type jsonFunc func() ([]byte, error)

func (f jsonFunc) MarshalJSON() ([]byte, error) { return f() }

// A client whose auth can't be written does not join without it.
func TestClientAuthPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		_, err := p.dial(&socketio.DialOptions{
			Reconnection: socketio.Reconnection{Off: true},
			AuthFunc: func(context.Context, string) (any, error) {
				return jsonFunc(func() ([]byte, error) { panic("no auth") }), nil
			},
		})
		if got := fmt.Sprint(p.take()); got != "[]" || err == nil || !strings.Contains(err.Error(), "no auth") {
			t.Errorf("the server got %s, err %v", got, err)
		}
	})
}

// Auth is written once, and not under a lock.
func TestClientAuthWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		written := 0
		p.start(&socketio.DialOptions{Reconnection: steady, Auth: jsonFunc(func() ([]byte, error) {
			if written++; written > 1 {
				return nil, errors.New("no more")
			}
			return []byte(`{"token":"t"}`), nil
		})})
		p.conn.CloseNow()
		<-time.After(2 * time.Second)
		if got := fmt.Sprint(p.take()); got != `[40{"token":"t"} 40{"token":"t"}]` {
			t.Errorf("the server got %s", got)
		}
	})
}

// The error about a URL does not hold its secrets.
func TestClientURLSecrets(t *testing.T) {
	for _, url := range []string{"http://h:port/?token=secret", "http:///?token=secret", "http://u:secret@/", "http://h/%zz?token=secret"} {
		_, err := socketio.Dial(t.Context(), url, nil)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// What was received before Disconnect is dropped, also if the client has joined and left
// again while a handler ran, and nothing is that was received after Connect, however often that
// happens.
func TestClientLeavesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		busy := make(chan struct{})
		c := p.start(&socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.OnEvent("wait", func(*socketio.Event) error { <-busy; return nil })
			c.OnEvent("e", func(*socketio.Event) error { d.add("handled"); return nil })
		}})
		c.Of("/other").Connect()
		for range 2 {
			p.send(`42["wait"]`)
			synctest.Wait()
			c.Disconnect()
			c.Connect()
			synctest.Wait()
			p.send(`42["e"]`)
			synctest.Wait()
			c.Disconnect()
			busy <- struct{}{}
			synctest.Wait()
			d.want(t)
			c.Connect()
			synctest.Wait()
			p.send(`42["e"]`)
			synctest.Wait()
			d.want(t, "handled")
		}
	})
}

// An event that came before the server's consent is dropped by Disconnect like any other, and so is
// what comes after Disconnect.
func TestClientLeavesEarlyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		c := p.start(nil)
		p.onConnect = func() {}
		x := c.Of("/x")
		x.OnEvent("e", func(*socketio.Event) error { d.add("handled"); return nil })
		x.Connect()
		synctest.Wait()
		p.send(`42/x,["e"]`)
		synctest.Wait()
		x.Disconnect()
		p.send(`42/x,["e"]`)
		synctest.Wait()
		x.Connect()
		p.send(`40/x,{"sid":"id"}`)
		synctest.Wait()
		d.want(t)
	})
}

// A server with recovery adds no offset to a call, whose last argument is none.
func TestClientOffsetAndCalls(t *testing.T) {
	inBubble(t, &socketio.Options{Recovery: &socketio.Recovery{}}, func(s *site) {
		network, web := s.network()
		o := s.dialOptions("websocket", socketio.DialOptions{Reconnection: steady})
		o.Engine.HTTPClient = web
		var socket *socketio.Socket
		s.io.OnConnect(func(n *socketio.Socket) { socket = n })
		c := s.start(o)
		socketio.Handle(c, "ask", func(context.Context, string) (int, error) { return 1, nil })
		synctest.Wait()
		if _, err := socketio.Call[int](s.t.Context(), socket, "ask", "text"); err != nil {
			s.t.Error(err)
		}
		network.cut(false)
		<-time.After(5 * time.Second)
		if !c.Recovered() {
			s.t.Error("not recovered")
		}
	})
}

// A server that sends a client away before it has answered is told of, by Dial too.
func TestClientExpelledUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		p.onConnect = func() { p.send("41") }
		c := p.start(&socketio.DialOptions{NoWait: true, Setup: func(c *socketio.Client) { tellLife(c, &d) }})
		synctest.Wait()
		if c.Active() {
			t.Error("it goes on")
		}
		d.want(t, "failed")
		if _, err := p.dial(nil); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("Dial: %v", err)
		}
	})
}

// A client that was sent away before it had its answer asks again, and is answered then.
func TestClientExpelledAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(nil)
		x := c.Of("/x")
		p.onConnect = func() { p.send("41/x,") }
		for range 2 {
			x.Connect()
			synctest.Wait()
		}
		p.send(`40/x,{"sid":"late"}`) // nobody waits for it
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != "[40 40/x, 40/x,]" {
			t.Errorf("the server got %s", got)
		}
	})
}

// A server that sends a client away from a namespace that it has not asked for changes nothing.
func TestClientExpelledUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.Of("/x").Connect()
			synctest.Wait()
			p.send("41")
			synctest.Wait()
		}})
		if !c.Connected() || !c.Of("/x").Connected() {
			t.Errorf("connected: %t, and /x %t", c.Connected(), c.Of("/x").Connected())
		}
	})
}

// The first attempt that fails after a loss is logged at the level Info, and the others are
// not.
func TestClientLogsFirstFailure(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		network, web := s.network()
		o := s.dialOptions("websocket", socketio.DialOptions{Reconnection: steady})
		o.Engine.HTTPClient = web
		s.start(o)
		for want := 1; want <= 2; want++ {
			network.cut(true)
			<-time.After(10 * time.Second)
			if got := strings.Count(s.log.String(), "attempt to connect failed"); got != want {
				s.t.Errorf("%d attempts logged, want %d", got, want)
			}
			network.up()
			<-time.After(10 * time.Second)
		}
	})
}

// When ctx ends Dial tells why AuthFunc has failed.
func TestClientDialAuthError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		reason := errors.New("no token")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := socketio.Dial(ctx, "http://example.com", p.options(&socketio.DialOptions{
			AuthFunc: func(context.Context, string) (any, error) { return nil, reason },
		}))
		if !errors.Is(err, reason) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// An event of a session that is lost is not answered in the next one, where its id may be
// that of another event.
func TestClientAnswersOwnSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		busy := make(chan struct{})
		var err error
		p.start(&socketio.DialOptions{Reconnection: steady, Setup: func(c *socketio.Client) {
			c.OnEvent("e", func(e *socketio.Event) error {
				<-busy
				err = e.Ack("late")
				return nil
			})
		}})
		p.send(`427["e"]`)
		synctest.Wait()
		p.conn.CloseNow()
		<-time.After(2 * time.Second)
		close(busy)
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != "[40 40]" || !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("the server got %s, the handler %v", got, err)
		}
		p.send(`427["e"]`)
		synctest.Wait()
		if got := fmt.Sprint(p.take()); got != `[437["late"]]` || err != nil {
			t.Errorf("the server got %s, the handler %v", got, err)
		}
	})
}

// What has waited never exceeds the queue of the session that gets all of it at once,
// whatever namespaces it is for.
func TestClientBufferFitsQueue(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		var came atomic.Int32
		for _, name := range []string{"/", "/a"} {
			s.io.Of(name).OnConnect(func(n *socketio.Socket) {
				n.OnEvent("e", func(*socketio.Event) error { came.Add(1); return nil })
			})
		}
		o := s.dialOptions(mode, socketio.DialOptions{Limits: socketio.ClientLimits{BufferBytes: -1}})
		o.Engine.Limits.QueueBytes = 1 << 20
		c := s.start(o)
		c.Disconnect()
		text, kept := strings.Repeat("x", 100_000), 0
		for _, c := range []*socketio.Client{c, c.Of("/a")} {
			for range 5 {
				if err := c.Emit("e", text, []byte("1"), []byte("2")); err == nil {
					kept++
				} else if !errors.Is(err, socketio.ErrBufferFull) {
					s.t.Error(err)
				}
			}
		}
		for c.Emit("e", text) == nil {
			kept++
		}
		if kept < 8 || kept > 10 {
			s.t.Errorf("%d events are kept", kept)
		}
		c.Of("/a").Connect()
		c.Connect()
		<-time.After(time.Minute)
		if int(came.Load()) != kept || !c.Connected() || !c.Of("/a").Connected() {
			s.t.Errorf("%d of %d events have come, connected %t", came.Load(), kept, c.Connected())
		}
	})
}

// An AuthFunc that ends its goroutine costs the session, at once, and is called again.
func TestClientAuthExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		calls, start := 0, time.Now()
		c := p.start(&socketio.DialOptions{
			Reconnection: steady,
			Setup:        func(c *socketio.Client) { tellLife(c, &d) },
			AuthFunc: func(context.Context, string) (any, error) {
				if calls++; calls == 1 {
					runtime.Goexit()
				}
				return nil, nil
			},
		})
		synctest.Wait()
		d.want(t, "failed", "attempt 1", "reconnect 1", "connect recovered=false")
		if took := time.Since(start); took != time.Second {
			t.Errorf("connected after %v, want the delay of one reconnection", took)
		}
		closeClient(t, c)
	})
}

// Without Reconnection Dial says why the session was lost before the consent.
func TestDialLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		p.onConnect = func() { p.conn.CloseNow() }
		_, err := p.dial(&socketio.DialOptions{Reconnection: socketio.Reconnection{Off: true}})
		if _, ok := errors.AsType[*engineio.EndError](err); !ok || !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("Dial: %v", err)
		}
	})
}

// A namespace that no packet can name is the caller's mistake.
func TestClientComma(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPuppet(t).start(nil)
		defer func() {
			if recover() == nil {
				t.Error("Of takes a comma")
			}
		}()
		c.Of("/a,b")
	})
}

// A pid that is too long to be one is not sent back.
func TestClientLongPID(t *testing.T) {
	for length, want := range map[int]string{
		1024: fmt.Sprintf(`[40 40{"pid":"%s"}]`, strings.Repeat("p", 1024)),
		1025: `[40 40]`,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPuppet(t)
			p.most = 2000
			p.onConnect = func() { p.send(`40{"sid":"id","pid":"` + strings.Repeat("p", length) + `"}`) }
			c := p.start(&socketio.DialOptions{Reconnection: steady})
			p.conn.CloseNow()
			<-time.After(2 * time.Second)
			if got := fmt.Sprint(p.take()); got != want || !c.Connected() {
				t.Errorf("%d bytes: the server got %.100s, connected %t", length, got, c.Connected())
			}
		})
	}
}
