package conn_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// userTimeoutOf returns what TCP_USER_TIMEOUT (tcp(7)) of nc, which may be below
// TLS, is set to.
func userTimeoutOf(t *testing.T, nc net.Conn) time.Duration {
	t.Helper()
	if c, ok := nc.(*tls.Conn); ok {
		nc = c.NetConn()
	}
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	err2 := raw.Control(func(fd uintptr) {
		const tcpUserTimeout = 18
		ms, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout)
	})
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return time.Duration(ms) * time.Millisecond
}

// An acceptor hands out what it accepts as well.
type acceptor struct {
	net.Listener
	accepted chan net.Conn
}

func (a acceptor) Accept() (net.Conn, error) {
	nc, err := a.Listener.Accept()
	if err == nil {
		a.accepted <- nc
	}
	return nc, err
}

// The kernel gives up a peer that acknowledges nothing for 30 s, on either side of
// a real connection, with TLS or without; not where the keepalive is off.
func TestUserTimeout(t *testing.T) {
	if *inLoop {
		t.Skip("a loop closes the net.Conn whose options this looks at")
	}
	for _, tt := range []struct {
		name    string
		options conn.Options
		tls     bool
		want    time.Duration
	}{
		{"ws", conn.Options{}, false, 30 * time.Second},
		{"wss", conn.Options{}, true, 30 * time.Second},
		{"no keepalive", conn.Options{Limits: conn.Limits{PingInterval: -1}}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accepted := make(chan net.Conn, 1)
			opened := make(chan struct{})
			hs := httptest.NewUnstartedServer(&conn.Server{
				Options: &conn.AcceptOptions{Conn: tt.options},
				Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
					close(opened)
					_, _, err := c.Read(ctx)
					return err
				},
			})
			hs.Listener = acceptor{hs.Listener, accepted}
			if tt.tls {
				hs.StartTLS()
			} else {
				hs.Start()
			}
			defer hs.Close()
			o := &conn.DialOptions{Conn: tt.options}
			o.Handshake.HTTPClient = hs.Client()
			var dialled net.Conn
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GotConn: func(got httptrace.GotConnInfo) { dialled = got.Conn },
			})
			c, _, err := conn.Dial(ctx, hs.URL, o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(frame.StatusNormalClosure, "")
			<-opened
			if got := userTimeoutOf(t, <-accepted); got != tt.want {
				t.Errorf("the socket that was accepted has %v, want %v", got, tt.want)
			}
			if got := userTimeoutOf(t, dialled); got != tt.want {
				t.Errorf("the socket that was dialled has %v, want %v", got, tt.want)
			}
		})
	}
}
