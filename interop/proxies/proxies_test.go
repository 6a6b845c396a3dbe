package proxies

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/socketio"
)

// echo is a server that greets before it is asked, and echoes.
func echo(limits conn.Limits) *conn.Server {
	return &conn.Server{
		Options: &conn.AcceptOptions{Conn: conn.Options{Limits: limits}},
		Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
			if err := c.Write(ctx, conn.Text, []byte("hello")); err != nil {
				return err
			}
			return c.Each(ctx, func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) })
		},
	}
}

func dial(t *testing.T, url string, limits conn.Limits) *conn.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := conn.Dial(ctx, url, &conn.DialOptions{Conn: conn.Options{Limits: limits}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func wantMessage(t *testing.T, c *conn.Conn, want []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, got, err := c.Read(ctx); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%.50q, %v; want %.50q", got, err, want)
	}
}

// What a server sends at once after its answer comes, and so do large messages both ways and the
// closing handshake.
func TestMessages(t *testing.T) {
	each(t, echo(conn.Limits{}), func(t *testing.T, _ proxy, url string) {
		for range 20 {
			c := dial(t, url, conn.Limits{})
			wantMessage(t, c, []byte("hello"))
			for _, n := range []int{0, 1, 125, 126, 1 << 16, 1 << 20} {
				p := bytes.Repeat([]byte("x"), n)
				if err := c.Write(t.Context(), conn.Binary, p); err != nil {
					t.Fatal(err)
				}
				wantMessage(t, c, p)
			}
			if err := c.Close(frame.StatusNormalClosure, "bye"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A client is told why it was refused: the status and the text of the answer come through.
func TestRefused(t *testing.T) {
	each(t, echo(conn.Limits{}), func(t *testing.T, _ proxy, url string) {
		for _, tt := range []struct {
			name, field, value string
			status             int
			text               string
		}{
			{"another origin", "Origin", "http://other.example", http.StatusForbidden, "other.example"},
			{"another version", "Sec-WebSocket-Version", "12", http.StatusUpgradeRequired, "12"},
			{"no key", "Sec-WebSocket-Key", "", http.StatusBadRequest, ""}, // HAProxy says so itself
			{"no upgrade", "Upgrade", "", http.StatusUpgradeRequired, "Upgrade"},
		} {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			r.Header = http.Header{
				"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
			}
			if r.Header.Set(tt.field, tt.value); tt.value == "" {
				r.Header.Del(tt.field)
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != tt.status || !strings.Contains(string(text), tt.text) {
				t.Errorf("%s: %s, %q; want %d and something about %s", tt.name, resp.Status, text, tt.status, tt.text)
			}
		}
		// The same as Dial sees it.
		_, resp, err := conn.Dial(t.Context(), url, &conn.DialOptions{Handshake: handshake.DialOptions{Header: http.Header{"Origin": {"http://other.example"}}}})
		if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("Dial from another origin: %v", err)
		}
	})
}

// Pings of either end keep a connection that is otherwise silent, and without them a proxy
// that has a timeout ends it, which both ends are told of.
func TestIdle(t *testing.T) {
	const often = idle / 6
	off := conn.Limits{PingInterval: -1, PingTimeout: -1}
	for _, tt := range []struct {
		name           string
		server, client conn.Limits
	}{
		{"server pings", conn.Limits{PingInterval: often}, off},
		{"client pings", off, conn.Limits{PingInterval: often}},
		{"nobody pings", off, off},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range proxies {
				ended := make(chan error, 1)
				server := echo(tt.server)
				serve := server.Serve
				server.Serve = func(ctx context.Context, c *conn.Conn, r *http.Request) error {
					err := serve(ctx, c, r)
					ended <- err
					return err
				}
				p.run(t, server, func(t *testing.T, url string) {
					c := dial(t, url, tt.client)
					wantMessage(t, c, []byte("hello"))
					if p.cuts && tt.name == "nobody pings" {
						if _, _, err := c.Read(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
							t.Errorf("the client was told %v", err)
						}
						if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
							t.Errorf("the server was told %v", err)
						}
						return
					}
					time.AfterFunc(idle*3/2, func() { c.Write(context.Background(), conn.Text, []byte("still there")) })
					wantMessage(t, c, []byte("still there")) // Pings are answered while it waits
					c.CloseNow()
					<-ended
				})
			}
		})
	}
}

// Socket.IO goes through on long-polling, whose responses a proxy may buffer, on WebSocket, and
// from one to the other, with large events both ways.
func TestSocketIO(t *testing.T) {
	// A poll ends before the proxies think that nothing goes over it.
	io, err := socketio.NewServer(&socketio.Options{Engine: engineio.Options{Limits: engineio.Limits{PingInterval: idle / 3}}})
	if err != nil {
		t.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.Handle(s, "echo", func(_ context.Context, p []byte) ([]byte, error) { return p, nil })
	})
	t.Cleanup(func() { io.Shutdown(context.Background()) })
	each(t, io, func(t *testing.T, _ proxy, url string) {
		for name, transports := range map[string][]string{"polling": {"polling"}, "websocket": {"websocket"}, "upgrade": nil} {
			t.Run(name, func(t *testing.T) {
				c, err := socketio.Dial(t.Context(), url, &socketio.DialOptions{Engine: engineio.DialOptions{Transports: transports}, Reconnection: socketio.Reconnection{Off: true}})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				lost := make(chan error, 1)
				c.OnDisconnect(func(_ socketio.Reason, err error) { lost <- err })
				for i, n := range []int{0, 100, 700_000, 100} {
					if i == 3 { // several heartbeats, and longer than the proxies wait
						select {
						case err := <-lost:
							t.Fatal(err)
						case <-time.After(idle * 3 / 2):
						}
					}
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					got, err := socketio.Call[[]byte](ctx, c, "echo", make([]byte, n))
					cancel()
					if err != nil || len(got) != n {
						t.Fatalf("%d of %d bytes, %v", len(got), n, err)
					}
				}
				if want := strings.Replace(name, "upgrade", "websocket", 1); c.Transport() != want {
					t.Errorf("the transport is %s, want %s", c.Transport(), want)
				}
			})
		}
	})
}

// With the PROXY protocol a server knows who its clients are. What speaks it is the listener: ours
// takes any. One whose proxy says nothing does not keep others from being served.
func TestProxyProtocol(t *testing.T) {
	haproxy := proxies[1]
	haproxy.file = strings.NewReplacer("mode http", "mode tcp", "server one SERVER", "server one SERVER send-proxy-v2 source 127.0.0.3\n", "bind PROXY", "bind PROXY").Replace(haproxyConf)
	server := &conn.Server{Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
		return c.Write(ctx, conn.Text, []byte(r.RemoteAddr+" "+c.RemoteAddr().String()))
	}}
	for name, serve := range map[string]func(net.Listener) error{
		"net/http": func(l net.Listener) error { return http.Serve(l, server) },
		"raw":      server.ServeConns,
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go serve(&proxyproto.Listener{Listener: l, ReadHeaderTimeout: patience})
			silent, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			url := haproxy.start(t, l.Addr().String())
			d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			c, _, err := conn.Dial(t.Context(), url, &conn.DialOptions{Handshake: handshake.DialOptions{
				HTTPClient: &http.Client{Transport: &http.Transport{DialContext: d.DialContext}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			want := c.LocalAddr().String()
			wantMessage(t, c, []byte(want+" "+want))
		})
	}
}
