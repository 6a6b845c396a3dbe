package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// Close leaves nothing behind, whatever the client is doing. The bubble would not end
// otherwise.
func TestClientCloseAnywhere(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		s.io.Of("/slow").Use(func(ctx context.Context, _ *socketio.Socket) error {
			<-ctx.Done()
			return ctx.Err()
		})
		for name, prepare := range map[string]func(*socketio.Client, *network){
			"before anything": func(*socketio.Client, *network) {},
			"connected":       func(*socketio.Client, *network) { <-time.After(time.Minute) },
			"upgrading":       func(*socketio.Client, *network) { runtime.Gosched() },
			"waiting": func(_ *socketio.Client, n *network) {
				n.cut(true)
				<-time.After(time.Minute)
			},
			"asking":         func(c *socketio.Client, _ *network) { c.Of("/slow").Connect(); synctest.Wait() },
			"left":           func(c *socketio.Client, _ *network) { c.Disconnect(); synctest.Wait() },
			"just left":      func(c *socketio.Client, _ *network) { c.Disconnect() },
			"left and back":  func(c *socketio.Client, _ *network) { c.Disconnect(); c.Connect() },
			"asked and left": func(c *socketio.Client, _ *network) { c.Of("/slow").Connect(); c.Of("/slow").Disconnect() },
			"in a call": func(c *socketio.Client, _ *network) {
				go socketio.Call[any](context.Background(), c, "never")
				synctest.Wait()
			},
			"with events": func(c *socketio.Client, n *network) {
				n.cut(true)
				for range 100 {
					c.Emit("e")
				}
			},
		} {
			for _, noWait := range []bool{false, true} {
				n, client := s.network()
				o := s.dialOptions(mode, socketio.DialOptions{NoWait: noWait})
				o.Engine.HTTPClient = client
				c, err := socketio.Dial(s.t.Context(), "http://example.com", o)
				if err != nil {
					s.t.Fatal(err)
				}
				prepare(c, n)
				c.Close()
				c.Close()
				start := time.Now()
				<-c.Done()
				if took := time.Since(start); took > 10*time.Second {
					s.t.Errorf("%s, NoWait=%t: Done after %v", name, noWait, took)
				}
				client.CloseIdleConnections()
			}
		}
	})
}

// Done waits for what is the user's and goes on after Close.
func TestClientDoneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(t)
		busy := make(chan struct{})
		o := p.options(&socketio.DialOptions{NoWait: true, AuthFunc: func(context.Context, string) (any, error) {
			<-busy
			return nil, nil
		}})
		c, err := socketio.Dial(t.Context(), "http://example.com", o)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.Close()
		<-time.After(time.Hour)
		select {
		case <-c.Done():
			t.Error("done while AuthFunc runs")
		default:
		}
		close(busy)
		<-c.Done()
	})
}

// Close and Disconnect may be called by handlers, and no event is handled afterwards.
func TestClientLeavesInHandler(t *testing.T) {
	for name, leave := range map[string]func(*socketio.Client){"Close": (*socketio.Client).Close, "Disconnect": (*socketio.Client).Disconnect} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				p := newPuppet(t)
				p.start(&socketio.DialOptions{Setup: func(c *socketio.Client) {
					tellLife(c, &d)
					c.OnEvent("leave", func(*socketio.Event) error {
						<-time.After(time.Second) // the others have come
						leave(c)
						d.add("left")
						return nil
					})
					c.OnEvent("e", func(*socketio.Event) error { d.add("e"); return nil })
				}})
				p.send(`42["e"]`)
				p.send(`42["leave"]`)
				p.send(`42["e"]`)
				p.send(`42["e"]`)
				<-time.After(time.Minute)
				d.want(t, "connect recovered=false", "e", "left", "disconnect: io client disconnect")
				if got := p.take(); got[len(got)-1] != "41" {
					t.Errorf("the server got %q", got)
				}
			})
		})
	}
}

// A handler that panics, or ends its goroutine, does not keep the next from running.
func TestClientHandlerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		p.start(&socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.OnConnect(func() { panic("connect") })
			c.OnConnect(func() { d.add("connected") })
			c.OnEvent("panic", func(*socketio.Event) error { panic("event") })
			c.OnEvent("exit", func(*socketio.Event) error { runtime.Goexit(); return nil })
			socketio.On(c, "e", func(_ context.Context, x int) error { d.add("%d", x); return nil })
			socketio.Handle(c, "fails", func(context.Context, int) (int, error) {
				return 0, &socketio.Error{Message: "no", Data: 5}
			})
		}})
		for _, packet := range []string{`42["panic"]`, `42["e",1]`, `42["exit"]`, `42["e",2]`, `42["e","no number"]`, `427["fails",1]`, `42["e",3]`} {
			p.send(packet)
		}
		synctest.Wait()
		d.want(t, "connected", "1", "2", "3")
		if got := fmt.Sprint(p.take()); got != `[40 437[{"error":"no","data":5}]]` {
			t.Errorf("the server got %s", got)
		}
		for _, want := range []string{"panic=connect", "panic=event", "runtime.Goexit was called", "event failed"} {
			if !strings.Contains(p.log.String(), want) {
				t.Errorf("the log has no %q", want)
			}
		}
	})
}

// What has happened meanwhile is told once, also by a handler that ends its goroutine.
func TestClientQuitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		busy := make(chan struct{})
		c := p.start(&socketio.DialOptions{Setup: func(c *socketio.Client) {
			tellLife(c, &d)
			c.OnEvent("wait", func(*socketio.Event) error { <-busy; return nil })
		}})
		c.Of("/other").Connect()
		p.send(`42["wait"]`)
		synctest.Wait()
		d.take()
		quit := false
		c.OnDisconnect(func(socketio.Reason, error) {
			if !quit {
				quit = true
				runtime.Goexit()
			}
		})
		c.Disconnect()
		c.Connect()
		synctest.Wait()
		close(busy)
		synctest.Wait()
		d.want(t, "disconnect: io client disconnect", "connect recovered=false")
	})
}

// Handlers of all kinds see what the server sends and what is sent.
func TestClientCatchAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		p := newPuppet(t)
		c := p.start(&socketio.DialOptions{Setup: func(c *socketio.Client) {
			c.Use(func(e *socketio.Event) error {
				if e.Socket() != nil || e.Client() != c || e.Context() != c.Context() {
					t.Error("the event is another's")
				}
				if e.Name() == "secret" {
					return errors.New("dropped")
				}
				return nil
			})
			c.OnAny(func(e *socketio.Event) {
				args, err := e.Args()
				d.add("any %s %v %v", e.Name(), args, err)
			})
			c.OnAnyOutgoing(func(event string, args []any) { d.add("out %s %v", event, args) })
			c.OnEvent("e", func(*socketio.Event) error { d.add("e"); return nil })
		}})
		p.send(`42["e",1]`)
		p.send(`42["secret"]`)
		synctest.Wait()
		c.Emit("x", 5)
		c.Off("e")
		p.send(`42["e",2]`)
		synctest.Wait()
		d.want(t, "any e [1] <nil>", "e", "out x [5]", "any e [2] <nil>")
	})
}

// 64 goroutines do everything at once, while the network comes and goes.
func TestClientStress(t *testing.T) {
	inModes(t, &socketio.Options{Recovery: &socketio.Recovery{}}, func(s *site, mode string) {
		n, client := s.network()
		s.io.OfPattern(regexp.MustCompile("^/[0-9]$")).OnConnect(func(n *socketio.Socket) {
			socketio.Handle(n, "echo", func(_ context.Context, x any) (any, error) { return x, nil })
			n.OnEvent("leave", func(*socketio.Event) error { n.Disconnect(false); return nil })
		})
		o := s.dialOptions(mode, socketio.DialOptions{Limits: socketio.ClientLimits{BufferEvents: 50}, DropOldest: true})
		o.Engine.HTTPClient = client
		c := s.start(o)
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				c := c.Of(fmt.Sprint(i % 10))
				for round := range 20 {
					switch (i + round) % 8 {
					case 0:
						c.Connect()
					case 1:
						c.Disconnect()
					case 2:
						c.Emit("leave")
					case 3:
						c.Volatile().Emit("echo", []byte("x"))
					case 4:
						n.cut(false)
					case 5:
						ctx, cancel := context.WithTimeout(s.t.Context(), 100*time.Millisecond)
						c.Flush(ctx)
						cancel()
					default:
						socketio.Call[any](s.t.Context(), c.Timeout(time.Duration(round)*time.Millisecond), "echo", i, []byte("y"))
					}
					c.Connected()
					c.Transport()
				}
			})
		}
		all.Wait()
		for range 2 { // what was buffered makes some of them leave again
			for i := range 10 {
				c.Of(fmt.Sprint(i)).Disconnect()
				c.Of(fmt.Sprint(i)).Connect()
			}
			<-time.After(time.Minute)
		}
		for i := range 10 {
			if got, err := socketio.Call[int](s.t.Context(), c.Of(fmt.Sprint(i)), "echo", i); got != i || err != nil {
				s.t.Errorf("%d: %d, %v", i, got, err)
			}
		}
	})
}
