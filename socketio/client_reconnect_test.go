package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// steady has no jitter, so that its times are exact.
var steady = socketio.Reconnection{Jitter: -1}

// A client comes back after 1, 2, 4, 5, 5 s and so on, and says so.
func TestClientReconnects(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		var d diary
		n, client := s.network()
		o := s.dialOptions(mode, socketio.DialOptions{Reconnection: steady, Setup: func(c *socketio.Client) { tellLife(c, &d) }})
		o.Engine.HTTPClient = client
		c := s.start(o)
		var nothing diary
		tellLife(c.Of("/unwanted"), &nothing)
		first := c.ID()
		<-time.After(time.Minute) // the upgrade is done
		d.want(s.t, "connect recovered=false")
		n.cut(true)
		synctest.Wait()
		lost := d.take()
		if len(lost) != 1 || c.Connected() || !c.Active() || c.ID() != "" {
			s.t.Errorf("after the cut: %q, connected %t, active %t, id %q", lost, c.Connected(), c.Active(), c.ID())
		}
		for i, delay := range []time.Duration{1, 2, 4, 5, 5} {
			<-time.After(delay*time.Second - 1)
			synctest.Wait()
			d.want(s.t)
			<-time.After(1)
			synctest.Wait()
			d.want(s.t, fmt.Sprintf("attempt %d", i+1), "failed")
		}
		n.up()
		<-time.After(6 * time.Second) // while a session moves to WebSocket an answer may take 100 ms
		d.want(s.t, "attempt 6", "reconnect 6", "connect recovered=false")
		if c.ID() == "" || c.ID() == first {
			s.t.Errorf("id %q, was %q", c.ID(), first)
		}
		n.cut(false) // the delays begin anew
		synctest.Wait()
		d.take()
		<-time.After(2 * time.Second)
		d.want(s.t, "attempt 1", "reconnect 1", "connect recovered=false")
		nothing.want(s.t)
	})
}

// A first connection that fails is repeated like any other, with the same delays.
func TestClientFirstAttemptFails(t *testing.T) {
	for _, noWait := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoWait=%t", noWait), func(t *testing.T) {
			inBubble(t, nil, func(s *site) {
				var d diary
				n, client := s.network()
				n.cut(true)
				start := time.Now()
				o := s.dialOptions("upgrade", socketio.DialOptions{NoWait: noWait, Reconnection: steady, Setup: func(c *socketio.Client) { tellLife(c, &d) }})
				o.Engine.HTTPClient = client
				time.AfterFunc(2*time.Second, n.up)
				s.start(o)
				low, high := 3*time.Second, 3100*time.Millisecond // while a session moves to WebSocket an answer may take 100 ms
				if noWait {
					low, high = 0, 0
				}
				if took := time.Since(start); took < low || took > high {
					s.t.Errorf("Dial took %v, want %v to %v", took, low, high)
				}
				<-time.After(10 * time.Second)
				d.want(s.t, "failed", "attempt 1", "failed", "attempt 2", "reconnect 2", "connect recovered=false")
			})
		})
	}
}

// After Reconnection.Attempts nothing is done until Connect is called, and the log says so. A
// namespace that was not wanted is not told.
func TestClientGivesUp(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var d diary
		n, client := s.network()
		o := s.dialOptions("websocket", socketio.DialOptions{
			Reconnection: socketio.Reconnection{Jitter: -1, Attempts: 2},
			Setup:        func(c *socketio.Client) { tellLife(c, &d) },
		})
		o.Engine.HTTPClient = client
		c := s.start(o)
		var nothing diary
		tellLife(c.Of("/unwanted"), &nothing)
		synctest.Wait()
		d.take()
		dials := n.dialed()
		n.cut(true)
		<-time.After(time.Hour)
		d.want(s.t, "disconnect: transport close", "attempt 1", "failed", "attempt 2", "failed", "given up")
		if c.Active() {
			s.t.Error("active after giving up")
		}
		if got := strings.Count(s.log.String(), `level=WARN msg="socket.io: reconnection given up" server=example.com error="2 attempts`); got != 1 {
			s.t.Errorf("giving up is logged %d times: %s", got, s.log)
		}
		<-time.After(time.Hour)
		if n.dialed() != dials+2 {
			s.t.Errorf("dialed %d times, want 2", n.dialed()-dials)
		}
		c.Connect()
		<-time.After(time.Hour)
		d.want(s.t, "failed", "attempt 1", "failed", "attempt 2", "failed", "given up")
		n.up()
		c.Connect()
		<-time.After(time.Second)
		d.want(s.t, "connect recovered=false")
		n.cut(true)
		<-time.After(time.Hour)
		for attempts := 1; attempts <= 2; attempts++ {
			ctx, cancel := context.WithTimeout(s.t.Context(), time.Hour)
			o.Reconnection.Attempts = attempts
			_, err := socketio.Dial(ctx, "http://example.com", o)
			cancel()
			want := fmt.Sprintf("socket.io: dial: %d attempts to reconnect have failed: ", attempts)
			if !errors.Is(err, errNoNetwork) || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), errNoNetwork.Error()) {
				s.t.Errorf("Dial: %v, want %s", err, want)
			}
		}
		nothing.want(s.t)
	})
}

// A client that is told to leave just when an attempt has failed makes no other. When it comes back it
// counts its attempts anew.
func TestClientLeavesAfterFailure(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var d diary
		n, web := s.network()
		n.cut(true)
		var c *socketio.Client
		var once sync.Once
		o := s.dialOptions("websocket", socketio.DialOptions{NoWait: true, Reconnection: steady, Setup: func(client *socketio.Client) { c = client }})
		o.Engine.HTTPClient = web
		o.Logger = slog.New(slog.NewTextHandler(writeFunc(func(line string) {
			if strings.Contains(line, "attempt to connect failed") {
				once.Do(c.Disconnect)
			}
		}), nil))
		s.start(o)
		<-time.After(time.Minute)
		if n.dialed() != 1 {
			s.t.Errorf("dialed %d times, want once", n.dialed())
		}
		tellLife(c, &d)
		c.Connect()
		synctest.Wait()
		n.up()
		<-time.After(time.Second)
		synctest.Wait()
		d.want(s.t, "failed", "attempt 1", "reconnect 1", "connect recovered=false")
	})
}

// A client that nobody wants any longer ends its request to the server, which is no failure.
func TestClientStopsDialing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		var d diary
		log := new(logbook)
		o := &socketio.DialOptions{NoWait: true, Logger: slog.New(slog.NewTextHandler(log, nil)), Setup: func(c *socketio.Client) { tellLife(c, &d) }}
		o.Engine.HTTPClient = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			ended++
			return nil, r.Context().Err()
		})}
		c, err := socketio.Dial(t.Context(), "http://example.com", o)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.Disconnect()
		c.Connect() // with a request of its own
		synctest.Wait()
		if ended != 1 {
			t.Error("the request goes on")
		}
		c.Disconnect()
		synctest.Wait()
		if ended != 2 {
			t.Error("the second request goes on")
		}
		d.want(t) // such a request has not failed
		if log.String() != "" {
			t.Errorf("the log is %s", log)
		}
		closeClient(t, c)
	})
}

// With Off there is one attempt, and no way back.
func TestClientNoReconnection(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		var d diary
		n, client := s.network()
		o := s.dialOptions("websocket", socketio.DialOptions{
			Reconnection: socketio.Reconnection{Off: true},
			Setup:        func(c *socketio.Client) { tellLife(c, &d) },
		})
		o.Engine.HTTPClient = client
		c := s.start(o)
		n.cut(true)
		<-time.After(time.Hour)
		d.want(s.t, "connect recovered=false", "disconnect: transport close")
		if c.Active() {
			s.t.Error("active")
		}
		if _, err := socketio.Dial(s.t.Context(), "http://example.com", o); !errors.Is(err, errNoNetwork) {
			s.t.Errorf("Dial: %v", err)
		}
		synctest.Wait()
		d.take()
		dials := n.dialed()
		c.Connect() // in vain
		<-time.After(time.Hour)
		if d.want(s.t, "failed"); n.dialed() != dials+1 {
			s.t.Errorf("dialed %d times, want once", n.dialed()-dials)
		}
		n.up()
		c.Connect()
		<-time.After(time.Second)
		d.want(s.t, "connect recovered=false")
	})
}

// Which ends lead back, and what the client is told.
func TestClientEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*socketio.Client, *socketio.Socket, *network)
		want map[string]socketio.Reason // by mode; "" is all others
		back bool
	}{
		{"io server disconnect", func(_ *socketio.Client, n *socketio.Socket, _ *network) { n.Disconnect(false) },
			map[string]socketio.Reason{"": socketio.IOServerDisconnect}, false},
		{"with the connection", func(_ *socketio.Client, n *socketio.Socket, _ *network) { n.Disconnect(true) },
			map[string]socketio.Reason{"": socketio.IOServerDisconnect}, false},
		{"io client disconnect", func(c *socketio.Client, _ *socketio.Socket, _ *network) { c.Disconnect() },
			map[string]socketio.Reason{"": socketio.IOClientDisconnect}, false},
		{"cut", func(_ *socketio.Client, _ *socketio.Socket, n *network) { n.cut(false) },
			map[string]socketio.Reason{"polling": socketio.TransportError, "": socketio.TransportClose}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inModes(t, nil, func(s *site, mode string) {
				var d diary
				n, client := s.network()
				sockets := s.sockets(nil)
				o := s.dialOptions(mode, socketio.DialOptions{Setup: func(c *socketio.Client) { tellLife(c, &d) }})
				o.Engine.HTTPClient = client
				c := s.start(o)
				socket := <-sockets
				<-time.After(time.Minute)
				d.take()
				carrier := mode
				if mode == "upgrade" {
					carrier = "websocket"
				}
				if got := c.Transport(); got != carrier {
					s.t.Errorf("the transport is %q, want %q", got, carrier)
				}
				tt.end(c, socket, n)
				synctest.Wait()
				reason, ok := tt.want[mode]
				if !ok {
					reason = tt.want[""]
				}
				if got := d.take(); len(got) == 0 || got[0] != "disconnect: "+reason.String() {
					s.t.Errorf("got %q, want %v", got, reason)
				}
				if c.Active() != tt.back || c.Transport() != "" {
					s.t.Errorf("active: %t, on %q", c.Active(), c.Transport())
				}
				if logged := strings.Contains(s.log.String(), "connection lost"); logged != tt.back { // and else it was closed
					s.t.Errorf("logged as lost: %t", logged)
				}
				<-time.After(time.Minute)
				if got := len(d.take()) > 0; got != tt.back {
					s.t.Errorf("comes back: %t", got)
				}
				if !tt.back {
					c.Connect()
					<-time.After(time.Second)
					d.want(s.t, "connect recovered=false")
				}
			})
		})
	}
}

// Events that were emitted while the client was away come in order, before the handlers
// of OnConnect are called, and once.
func TestClientBuffers(t *testing.T) {
	inModes(t, nil, func(s *site, mode string) {
		var got, d diary
		n, client := s.network()
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.On(n, "n", func(_ context.Context, text string) error {
				got.add("%s", text)
				return nil
			})
		})
		o := s.dialOptions(mode, socketio.DialOptions{Reconnection: steady, Setup: func(c *socketio.Client) {
			tellLife(c, &d)
			c.OnConnect(func() { c.Emit("n", "connected") })
		}})
		o.Engine.HTTPClient = client
		c := s.start(o)
		<-time.After(time.Minute)
		got.want(s.t, "connected")
		n.cut(true)
		synctest.Wait()
		var want []string
		for i := range 1000 {
			text := fmt.Sprint(i)
			want = append(want, text)
			if err := c.Emit("n", text); err != nil {
				s.t.Fatal(err)
			}
			if err := c.Volatile().Emit("n", "volatile"); err != nil {
				s.t.Fatal(err)
			}
		}
		if b := c.Buffered(); b != 1000 {
			s.t.Errorf("%d events are buffered", b)
		}
		<-time.After(30 * time.Second)
		got.want(s.t)
		n.up()
		<-time.After(30 * time.Second)
		got.want(s.t, append(want, "connected")...)
		if b := c.Buffered(); b != 0 {
			s.t.Errorf("%d events are buffered", b)
		}
	})
}
