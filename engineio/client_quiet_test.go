package engineio_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
)

// A server that falls silent after a message and some pings is given up like one that never pings.
func TestClientSilentLater(t *testing.T) {
	server := &fake{ws: func(c *conn.Conn, _ *http.Request) {
		c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
		c.Write(context.Background(), conn.Text, []byte("4hello"))
		for range 3 {
			time.Sleep(25 * time.Second)
			c.Write(context.Background(), conn.Text, []byte("2"))
		}
		waitForEnd(c)
	}}
	withFake(t, server, func(s *site) {
		start := time.Now()
		r := s.mustConnect(websocketOnly)
		r.want("hello")
		r.wantEnd(engineio.PingTimeout)
		if d := time.Since(start); d != 120*time.Second {
			t.Errorf("ended after %v, want 45 s after the last ping", d)
		}
	})
}

// A message that is handled for longer than the server may be silent does not cost the session.
func TestClientSlowReceiver(t *testing.T) {
	server := &fake{ws: func(c *conn.Conn, _ *http.Request) {
		c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
		c.Write(context.Background(), conn.Text, []byte("4slow"))
		time.Sleep(time.Hour)
		c.Write(context.Background(), conn.Text, []byte("2"))
		c.Write(context.Background(), conn.Text, []byte("4next"))
		waitForEnd(c)
	}}
	withFake(t, server, func(s *site) {
		r, err := s.connectTo(s.t.Context(), clientURL, websocketOnly, func(_ *taker, got string) {
			if got == "slow" {
				time.Sleep(time.Hour + time.Second) // and no clock rings then
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		r.want("slow")
		r.want("next")
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// The cookies are those of the user's jar, if there is one.
func TestClientJar(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := &fake{any: func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Cookie"))
		return false
	}}
	withFake(t, server, func(s *site) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		jar.SetCookies(&url.URL{Scheme: "http", Host: "example.com"}, []*http.Cookie{{Name: "k", Value: "v"}})
		r := s.mustConnect(&engineio.DialOptions{Transports: []string{"polling"}, HTTPClient: &http.Client{Transport: s.http.Transport, Jar: jar}})
		r.c.Close()
		<-r.c.Done()
		mu.Lock()
		defer mu.Unlock()
		if len(got) == 0 || strings.Join(got, "") != strings.Repeat("k=v", len(got)) {
			t.Errorf("cookies %q", got)
		}
	})
}

// A client without a transport of the user's leaves the idle connections of others alone, also
// when its server is silent.
func TestClientSilentLeavesOthers(t *testing.T) {
	p := &pool{RoundTripper: http.DefaultTransport}
	defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
	http.DefaultTransport = p
	l, err := net.Listen("tcp", "127.0.0.1:0") // where nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := &engineio.DialOptions{Transports: []string{"websocket"}, Limits: engineio.DialLimits{OpenTimeout: time.Millisecond}}
	_, err = engineio.Dial(t.Context(), "http://"+l.Addr().String(), func(*engineio.Client) engineio.Receiver { return ignored{} }, o)
	if n := p.closed.Load(); !errors.Is(err, os.ErrDeadlineExceeded) || n != 0 {
		t.Errorf("%v; idle connections of the default transport were closed %d times", err, n)
	}
}

// A session whose open has returned no receiver is closed at once.
func TestClientWithoutReceiver(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		o := &engineio.DialOptions{Transports: []string{"websocket"}, HTTPClient: s.http}
		_, err := engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { return nil }, o)
		if err == nil {
			t.Error("no error")
		}
		s.wantEnd(engineio.TransportClose)
	})
}

// A noted connection notes that it was closed.
type noted struct {
	net.Conn
	closed *atomic.Bool
}

func (n noted) Close() error {
	defer n.closed.Store(true)
	return n.Conn.Close()
}

// Done tells that the connection is closed, also of a session that open has closed, and whose
// server takes its time to end the stream.
func TestClientDoneWhenClosed(t *testing.T) {
	server := &fake{any: func(w http.ResponseWriter, r *http.Request) bool {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return true
		}
		defer nc.Close()
		io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
			acceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
		open := frame.Header{Fin: true, Opcode: frame.Text, Length: int64(len(goodOpen) + 1)}.Append(nil)
		nc.Write(append(open, "0"+goodOpen...))
		io.ReadFull(nc, make([]byte, 2+4+2)) // a Close frame with its mask and a code
		nc.Write(append(frame.Header{Fin: true, Opcode: frame.Close, Length: 2}.Append(nil), 0x03, 0xE8))
		time.Sleep(time.Second)
		return true
	}}
	withFake(t, server, func(s *site) {
		var closed atomic.Bool
		dial := s.http.Transport.(*http.Transport).DialContext
		o := &engineio.DialOptions{Transports: []string{"websocket"}, HTTPClient: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dial(ctx, network, address)
				return noted{c, &closed}, err
			},
		}}}
		start := time.Now()
		c, err := engineio.Dial(s.t.Context(), clientURL, func(c *engineio.Client) engineio.Receiver {
			c.Close()
			return ignored{}
		}, o)
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if d := time.Since(start); !closed.Load() || d != time.Second {
			t.Errorf("done after %v; the connection is closed: %t", d, closed.Load())
		}
	})
}
