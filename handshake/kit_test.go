package handshake

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// sampleKey and sampleAccept are those of RFC 6455, section 1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// sampleFields are the fields of a good request but for Host.
const sampleFields = "Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Key: " + sampleKey + "\r\n" +
	"Sec-WebSocket-Version: 13\r\n"

// sample returns a good request with some fields more, each with its CR LF.
func sample(fields string) string {
	return "GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\n" + sampleFields + fields + "\r\n"
}

// without returns a good request that lacks the field.
func without(name string) string {
	var b strings.Builder
	for line := range strings.Lines(sample("")) {
		if !strings.HasPrefix(line, name+":") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// A memConn is a connection in memory: what it reads is given, what is written
// to it is kept.
type memConn struct {
	in       io.Reader
	out      bytes.Buffer
	deadline time.Time
	closed   bool
}

func newMemConn(in string) *memConn { return &memConn{in: strings.NewReader(in)} }

func (c *memConn) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *memConn) Write(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.out.Write(p)
}

func (c *memConn) Close() error                       { c.closed = true; return nil }
func (c *memConn) LocalAddr() net.Addr                { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (c *memConn) RemoteAddr() net.Addr               { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8} }
func (c *memConn) SetDeadline(t time.Time) error      { c.deadline = t; return nil }
func (c *memConn) SetReadDeadline(t time.Time) error  { return nil }
func (c *memConn) SetWriteDeadline(t time.Time) error { return nil }

// A memTLSConn is a memConn that passes for one with TLS.
type memTLSConn struct{ *memConn }

func (memTLSConn) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{ServerName: "example.com"}
}

// response reads the response that was written and returns it with its body.
func (c *memConn) response(t *testing.T) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(&c.out), nil)
	if err != nil {
		t.Fatalf("malformed response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("malformed response: %v", err)
	}
	return resp, string(body)
}

// A hijackRecorder is a ResponseWriter whose connection can be taken over.
type hijackRecorder struct {
	*httptest.ResponseRecorder
	conn     net.Conn
	buffered string // read along with the request
}

func newHijackRecorder(nc net.Conn) *hijackRecorder {
	return &hijackRecorder{ResponseRecorder: httptest.NewRecorder(), conn: nc}
}

func (w *hijackRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r := bufio.NewReader(io.MultiReader(strings.NewReader(w.buffered), w.conn))
	if w.buffered != "" {
		r.Peek(1)
	}
	return w.conn, bufio.NewReadWriter(r, bufio.NewWriter(w.conn)), nil
}

// readRequest parses a request as net/http does.
func readRequest(t *testing.T, s string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(s)))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return r
}

// acceptBoth accepts a request through net/http and on the raw connection, and
// calls f with each outcome: the status that was answered and the connection.
func acceptBoth(t *testing.T, in string, o *Options, f func(t *testing.T, path string, res *Result, c *memConn, err error)) {
	t.Helper()
	c := newMemConn(in)
	res, err := AcceptConn(c, o)
	f(t, "raw", res, c, err)

	c = newMemConn("")
	w := newHijackRecorder(c)
	res, err = Accept(w, readRequest(t, in), o)
	if err != nil {
		// As the server would have sent it.
		w.Result().Write(&c.out)
	}
	f(t, "net/http", res, c, err)
}

// wantRefusal fails unless err is a refusal with that status and the peer was
// told so.
func wantRefusal(t *testing.T, path string, c *memConn, err error, status int) *http.Response {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%s: error %v, want a refusal with %d", path, err, status)
	}
	resp, body := c.response(t)
	if e.Status != status || resp.StatusCode != status {
		t.Fatalf("%s: refused with %d, answered %d, want %d: %v", path, e.Status, resp.StatusCode, status, err)
	}
	if !resp.Close && !strings.Contains(resp.Header.Get("Connection"), "close") {
		t.Errorf("%s: refusal without Connection: close: %v", path, resp.Header)
	}
	if want := e.text() + "\n"; body != want {
		t.Errorf("%s: body %q, want %q", path, body, want)
	}
	return resp
}
