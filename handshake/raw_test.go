package handshake

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/octetwise"
	"github.com/parleyws/parley/internal/pipe"
)

// TestAcceptConn is the exchange of RFC 6455, section 1.3.
func TestAcceptConn(t *testing.T) {
	c := newMemConn("GET /chat HTTP/1.1\r\n" +
		"Host: server.example.com\r\n" +
		"Upgrade: websocket\r\n" +
		"Connection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Origin: http://server.example.com\r\n" +
		"Sec-WebSocket-Protocol: chat, superchat\r\n" +
		"Sec-WebSocket-Version: 13\r\n\r\n")
	res, err := AcceptConn(c, &Options{Subprotocols: []string{"chat"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "HTTP/1.1 101 Switching Protocols\r\n" +
		"Upgrade: websocket\r\n" +
		"Connection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
		"Sec-WebSocket-Protocol: chat\r\n\r\n"
	if got := c.out.String(); got != want {
		t.Errorf("response %q, want %q", got, want)
	}
	if res.Conn != c || res.Subprotocol != "chat" || res.Target != "/chat" || res.Deflate != nil || res.Header != nil || res.Buffered != nil {
		t.Errorf("result %+v", res)
	}
	if c.closed || !c.deadline.IsZero() {
		t.Errorf("connection closed %v, deadline %v", c.closed, c.deadline)
	}
}

// TestBufferedIsOwn: what a Result holds does not change when the next request
// uses the same memory.
func TestBufferedIsOwn(t *testing.T) {
	first, err := AcceptConn(newMemConn(sample("")+"first"), &Options{KeepHeader: true})
	if err != nil {
		t.Fatal(err)
	}
	other := strings.NewReplacer("chat", "tahc", "example", "elpmaxe").Replace(sample("X: 1\r\n")) + "other"
	for range 10 {
		if _, err := AcceptConn(newMemConn(other), nil); err != nil {
			t.Fatal(err)
		}
	}
	if string(first.Buffered) != "first" || first.Target != "/chat?x=1" || first.Header.Get("Upgrade") != "websocket" {
		t.Errorf("the first result became %+v", first)
	}
}

// errConn fails after what it reads.
var errConn = errors.New("connection fails")

func TestCutRequests(t *testing.T) {
	full := sample("")
	for n := range len(full) {
		for _, tt := range []struct{ end, want error }{
			{nil, io.ErrUnexpectedEOF},
			{errConn, errConn},
		} {
			c := newMemConn(full[:n])
			want := tt.want
			if tt.end != nil {
				c.in = io.MultiReader(c.in, iotest.ErrReader(tt.end))
			} else if n == 0 {
				want = io.EOF
			}
			_, err := AcceptConn(c, nil)
			if !errors.Is(err, want) {
				t.Errorf("%d octets, then %v: error %v, want %v", n, tt.end, err, want)
			}
			if !c.closed || c.out.Len() > 0 {
				t.Errorf("%d octets, then %v: closed %v, %q written", n, tt.end, c.closed, c.out.String())
			}
		}
	}
}

// A stuckReader reads nothing and says so.
type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

func TestReaderWithoutProgress(t *testing.T) {
	c := newMemConn("")
	c.in = stuckReader{}
	if _, err := AcceptConn(c, nil); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error %v, want %v", err, io.ErrNoProgress)
	}
}

// TestRefusalWithoutProgress: AcceptConn does not listen for ever to a refused peer either if
// reads of the connection return nothing, not even an error once it is closed.
func TestRefusalWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemConn("")
		reads := 0
		c.in = io.MultiReader(strings.NewReader(without("Upgrade")), readStep(func([]byte) (int, error) {
			if reads++; reads > lingerBytes {
				t.Error("it is read again and again")
				return 0, io.EOF
			}
			return 0, nil
		}))
		if _, err := AcceptConn(c, nil); err == nil || !c.closed {
			t.Errorf("error %v, closed %v", err, c.closed)
		}
	})
}

// TestResponseFails: the connection breaks before the response is out. Nobody listens to a
// peer that can't be told of the refusal. Nor is our direction ended: CloseWrite of a *tls.Conn
// would wait another 5 s for a peer that does not read.
func TestResponseFails(t *testing.T) {
	for _, in := range []string{sample(""), without("Upgrade")} {
		c := &halfCloser{memConn: newMemConn("")}
		c.in = io.MultiReader(strings.NewReader(in), readStep(func([]byte) (int, error) {
			t.Errorf("%.20q: it is read after that", in)
			return 0, io.EOF
		}))
		c.closed = true
		_, err := AcceptConn(c, nil)
		if c.ended {
			t.Errorf("%.20q: CloseWrite is called after that", in)
		}
		if _, refused := errors.AsType[*Error](err); !refused && !errors.Is(err, net.ErrClosed) {
			t.Errorf("error %v, want %v", err, net.ErrClosed)
		}
	}
}

// TestHooks: on the raw connection hooks get the request as net/http has it.
func TestHooks(t *testing.T) {
	in := strings.Replace(sample("X-Y: 1\r\nx-y:\t2 \r\nCookie: a=b\r\n"), "/chat", "/ch%20at", 1)
	want := readRequest(t, in)
	c := memTLSConn{newMemConn(in)}
	check := func(r *http.Request) {
		if r.URL.String() != want.URL.String() || r.RequestURI != want.RequestURI || r.Host != want.Host || r.Method != want.Method ||
			r.Proto != want.Proto || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.URL.Path != "/ch at" || r.FormValue("x") != "1" {
			t.Errorf("request %+v, want %+v", r, want)
		}
		if fmt.Sprint(r.Header) != fmt.Sprint(want.Header) {
			t.Errorf("header %v, want %v", r.Header, want.Header)
		}
		if r.RemoteAddr != "127.0.0.1:8" || r.TLS == nil || r.TLS.ServerName != "example.com" || r.Context() == nil {
			t.Errorf("remote %q, TLS %v", r.RemoteAddr, r.TLS)
		}
		if body, err := io.ReadAll(r.Body); len(body) > 0 || err != nil {
			t.Errorf("body %q, %v", body, err)
		}
	}
	calls := ""
	res, err := AcceptConn(c, &Options{
		CheckOrigin: func(r *http.Request) bool { calls += "origin "; check(r); return true },
		Before: func(r *http.Request) (http.Header, error) {
			calls += "before"
			check(r)
			return http.Header{"Set-Cookie": {"a=1", "b=2"}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls != "origin before" || res.Header.Get("Cookie") != "a=b" {
		t.Errorf("calls %q, header %v", calls, res.Header)
	}
	if !strings.HasSuffix(c.out.String(), "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n") {
		t.Errorf("response %q", c.out.String())
	}
}

// TestHookTarget: should net/url find something wrong with a target that we
// find nothing wrong with, the request is refused, and the error says what it is.
func TestHookTarget(t *testing.T) {
	var p parser
	p.reset(&Options{KeepHeader: true})
	err := p.hooks(newMemConn(""), &Result{Target: "/%zz"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusBadRequest {
		t.Errorf("error %v", err)
	}
	if cause, ok := errors.AsType[url.EscapeError](err); !ok || cause != "%zz" {
		t.Errorf("error %v has the cause %v, want the malformed escape", err, cause)
	}
}

// A bareConn has no addresses.
type bareConn struct{ *memConn }

func (bareConn) RemoteAddr() net.Addr { return nil }

func TestHooksWithoutAddress(t *testing.T) {
	o := &Options{Before: func(r *http.Request) (http.Header, error) {
		if r.RemoteAddr != "" || r.TLS != nil {
			t.Errorf("remote %q, TLS %v", r.RemoteAddr, r.TLS)
		}
		return nil, nil
	}}
	if _, err := AcceptConn(bareConn{newMemConn(sample(""))}, o); err != nil {
		t.Error(err)
	}
}

// unbounded is what leaves out the timer, which a connection that is no socket
// has for want of deadlines that can be relied on.
var unbounded = &Options{Limits: Limits{Timeout: -1}}

// TestAcceptConnAllocs: the result and the target, unless that is the root, and no more.
func TestAcceptConnAllocs(t *testing.T) {
	for target, want := range map[string]float64{"/chat": 2, "/": 1} {
		var nc replay
		request := []byte(strings.Replace(benchRequest, "/chat", target, 1))
		got := testing.AllocsPerRun(100, func() {
			nc.in.Reset(request)
			if _, err := AcceptConn(&nc, unbounded); err != nil {
				t.Fatal(err)
			}
		})
		if got > want && !raceEnabled {
			t.Errorf("target %s: %v allocations, want %v", target, got, want)
		}
	}
}

// TestOneOctetConn runs both sides over connections that give one byte at a
// time.
func TestOneOctetConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer a.Close()
		go io.WriteString(a, sample("")+"frames")
		res, err := AcceptConn(octetwise.New(b), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Buffered) > 0 {
			t.Errorf("%d octets taken from behind the request", len(res.Buffered))
		}
		b.Close()
	})
}

func (noDeadlines) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (noDeadlines) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (noDeadlines) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// TestAcceptConnTLS: the connection's own handshake is part of ours.
func TestAcceptConnTLS(t *testing.T) {
	config := tlsConfig(t)
	for _, tt := range []struct {
		origin string
		ok     bool
	}{
		{"https://example.com", true},
		{"http://example.com", false},
	} {
		a, b := pipe.New()
		client := tls.Client(a, config.client)
		done := make(chan error, 1)
		go func() {
			defer client.Close()
			_, err := io.WriteString(client, sample("Origin: "+tt.origin+"\r\n"))
			if err == nil {
				_, err = io.ReadAtLeast(client, make([]byte, 1<<10), 1)
			}
			done <- err
		}()
		_, err := AcceptConn(tls.Server(b, config.server), nil)
		if (err == nil) != tt.ok {
			t.Errorf("origin %q: %v", tt.origin, err)
		}
		if err := <-done; err != nil {
			t.Errorf("origin %q: client: %v", tt.origin, err)
		}
		b.Close()
	}
}

// TestRefusalOnWire is the whole of a refusal. Its date is the one of RFC 9110, section 5.6.7,
// in another time zone.
func TestRefusalOnWire(t *testing.T) {
	h := Opening{Peer: newMemConn("")}
	defer h.Release()
	if !h.Take(copy(h.Room(), without("Upgrade"))) {
		t.Fatal("not done")
	}
	const want = "HTTP/1.1 426 Upgrade Required\r\n" +
		"Upgrade: websocket\r\n" +
		"Connection: close\r\n" +
		"Connection: Upgrade\r\n" +
		"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\n" +
		"X-Content-Type-Options: nosniff\r\n" +
		"Content-Length: 35\r\n\r\n" +
		"no Upgrade field, want \"websocket\"\n"
	now := time.Date(1994, 11, 6, 10, 49, 37, 0, time.FixedZone("", 2*60*60))
	if got := string(h.Response(now)); got != want {
		t.Errorf("response %q, want %q", got, want)
	}
}

// A halfCloser is a memConn that notes whether its direction was ended.
type halfCloser struct {
	*memConn
	ended bool
}

func (c *halfCloser) CloseWrite() error { c.ended = true; return nil }

// After a refusal our direction of the stream is ended, so that the client need not wait.
func TestRefusalEndsTheStream(t *testing.T) {
	for request, refused := range map[string]bool{sample(""): false, "GET / HTTP/1.1\r\n\r\n": true} {
		c := &halfCloser{memConn: newMemConn(request)}
		if _, err := AcceptConn(c, nil); (err != nil) != refused || c.ended != refused {
			t.Errorf("%.20q: %v, ended %v, want %v", request, err, c.ended, refused)
		}
		if got := c.out.String(); refused && (!strings.HasPrefix(got, "HTTP/1.1 400 Bad Request\r\n") || !strings.Contains(got, "\r\nConnection: close\r\n") || strings.Contains(got, "Upgrade")) {
			t.Errorf("the refusal is %q", got)
		}
	}
}

// Once a refused peer has ended the stream, AcceptConn closes the connection, and nothing closes
// it again after that.
func TestRefusalClosesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemConn(without("Upgrade"))
		if _, err := AcceptConn(c, nil); err == nil || !c.closed {
			t.Errorf("error %v, closed %v", err, c.closed)
		}
		c.closed = false
		<-time.After(time.Minute)
		synctest.Wait()
		if c.closed {
			t.Error("it was closed again")
		}
	})
}

// A limit of zero is over at once, also where a timer does it.
func TestGuardZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		start := time.Now()
		time.AfterFunc(time.Second, func() { a.Close() })
		g := guarded(b, 0)
		_, err := b.Read(make([]byte, 1))
		if err := g.stop(err); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		<-time.After(time.Second)
	})
}

// What a guard has done without an error leaves no deadline, and nothing else bounds the time of
// a socket.
func TestGuardLeavesNoDeadline(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		g := guarded(c, 0)
		if overTLS := guarded(tls.Client(c, nil), 0); g.timer != nil || overTLS.timer != nil {
			t.Errorf("%s: a socket has a timer in addition to its deadline", network)
		}
		if _, err := c.Write([]byte("a")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: while it is guarded: %v", network, err)
		}
		g.stop(nil)
		if _, err := c.Write([]byte("a")); err != nil {
			t.Errorf("%s: after that: %v", network, err)
		}
		c.SetDeadline(past)
		guarded(c, -1)
		if _, err := c.Write([]byte("a")); err != nil {
			t.Errorf("%s: without a limit: %v", network, err)
		}
	}
}
