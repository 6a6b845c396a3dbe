package handshake

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
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

// malformed is a corpus of requests that are refused on the raw connection.
var malformed = []struct {
	name   string
	in     string
	status int
}{
	// The request line (RFC 9112, section 3).
	{"empty first line", "\r\n" + sample(""), 400},
	{"lower-case method", strings.Replace(sample(""), "GET", "get", 1), 405},
	{"method POST", strings.Replace(sample(""), "GET", "POST", 1), 405},
	{"method HEAD", strings.Replace(sample(""), "GET", "HEAD", 1), 405},
	{"method CONNECT", strings.Replace(sample(""), "GET", "CONNECT", 1), 405},
	{"no method", strings.Replace(sample(""), "GET", "", 1), 400},
	{"method is no token", strings.Replace(sample(""), "GET", "G(T", 1), 400},
	{"space before the method", " " + sample(""), 400},
	{"two spaces before the target", strings.Replace(sample(""), "GET ", "GET  ", 1), 400},
	{"tab before the target", strings.Replace(sample(""), "GET ", "GET\t", 1), 400},
	{"two spaces before the version", strings.Replace(sample(""), " HTTP/1.1", "  HTTP/1.1", 1), 400},
	{"space behind the version", strings.Replace(sample(""), "HTTP/1.1\r\n", "HTTP/1.1 \r\n", 1), 400},
	{"no target", strings.Replace(sample(""), " /chat?x=1", "", 1), 400},
	{"no version", strings.Replace(sample(""), " HTTP/1.1", "", 1), 400},
	{"HTTP/1.0", strings.Replace(sample(""), "HTTP/1.1", "HTTP/1.0", 1), 400},
	{"HTTP/0.9", strings.Replace(sample(""), "HTTP/1.1", "HTTP/0.9", 1), 400},
	{"HTTP/2.0", strings.Replace(sample(""), "HTTP/1.1", "HTTP/2.0", 1), 400},
	{"HTTP/1.10", strings.Replace(sample(""), "HTTP/1.1", "HTTP/1.10", 1), 400},
	{"http/1.1", strings.Replace(sample(""), "HTTP/1.1", "http/1.1", 1), 400},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400},
	{"space in the target", strings.Replace(sample(""), "/chat", "/ch at", 1), 400},
	{"NUL in the target", strings.Replace(sample(""), "/chat", "/ch\x00at", 1), 400},
	{"DEL in the target", strings.Replace(sample(""), "/chat", "/ch\x7Fat", 1), 400},
	{"bare CR in the target", strings.Replace(sample(""), "/chat", "/ch\rat", 1), 400},
	{"8-bit octet in the target", strings.Replace(sample(""), "/chat", "/ch\xE4t", 1), 400},
	{"fragment", strings.Replace(sample(""), "/chat", "/chat#x", 1), 400},
	{"percent sign alone", strings.Replace(sample(""), "/chat", "/chat%", 1), 400},
	{"percent sign and one digit", strings.Replace(sample(""), "/chat?x=1", "/chat%2", 1), 400},
	{"percent sign before no digits", strings.Replace(sample(""), "/chat", "/chat%2G", 1), 400},
	{"target in asterisk form", strings.Replace(sample(""), "/chat?x=1", "*", 1), 400},
	{"target in authority form", strings.Replace(sample(""), "/chat?x=1", "example.com:80", 1), 400},
	{"target without a slash", strings.Replace(sample(""), "/chat", "chat", 1), 400},
	{"target of another scheme", strings.Replace(sample(""), "/chat", "ftp://example.com/chat", 1), 400},
	{"absolute target without a host", strings.Replace(sample(""), "/chat", "http:///chat", 1), 400},
	{"absolute target with user information", strings.Replace(sample(""), "/chat", "http://user@example.com/chat", 1), 400},

	// Lines and fields (RFC 9112, sections 2.2 and 5).
	{"bare LF behind the request line", strings.Replace(sample(""), "1.1\r\n", "1.1\n", 1), 400},
	{"bare LF behind a field", strings.Replace(sample(""), "13\r\n", "13\n", 1), 400},
	{"bare LF at the end", strings.TrimSuffix(sample(""), "\r\n") + "\n", 400},
	{"bare LF everywhere", strings.ReplaceAll(sample(""), "\r\n", "\n"), 400},
	{"bare CR in a value", sample("X: a\rb\r\n"), 400},
	{"bare CR as the end of a line", sample("X: a\rY: b\r\n"), 400},
	{"CR CR LF", sample("X: a\r\r\n"), 400},
	{"bare CR as a line", sample("\r\r\n"), 400},
	{"NUL in a value", sample("X: a\x00b\r\n"), 400},
	{"NUL in a name", sample("X\x00Y: a\r\n"), 400},
	{"control character in a value", sample("X: a\x1Bb\r\n"), 400},
	{"DEL in a value", sample("X: a\x7Fb\r\n"), 400},
	{"obs-fold with a space", sample("X: a\r\n b\r\n"), 400},
	{"obs-fold with a tab", sample("X: a\r\n\tb\r\n"), 400},
	{"obs-fold with a colon", sample("X: a\r\n b: c\r\n"), 400},
	{"white space before the first field", strings.Replace(sample(""), "Host", " Host", 1), 400},
	{"space before the colon", sample("X : a\r\n"), 400},
	{"tab before the colon", sample("X\t: a\r\n"), 400},
	{"no colon", sample("X\r\n"), 400},
	{"no name", sample(": a\r\n"), 400},
	{"name that is no token", sample("X(Y): a\r\n"), 400},
	{"8-bit octet in a name", sample("\xC3\xA4: a\r\n"), 400},

	// Host (RFC 9112, section 3.2).
	{"no Host", without("Host"), 400},
	{"empty Host", strings.Replace(sample(""), "Host: example.com", "Host:", 1), 400},
	{"Host twice, equal", sample("Host: example.com\r\n"), 400},
	{"Host twice, different", sample("Host: example.org\r\n"), 400},
	{"Host twice, in other letters", sample("host: example.com\r\n"), 400},
	{"Host with user information", strings.Replace(sample(""), ": example.com", ": user@example.com", 1), 400},
	{"Host with a path", strings.Replace(sample(""), ": example.com", ": example.com/x", 1), 400},
	{"Host with a bad port", strings.Replace(sample(""), ": example.com", ": example.com:http", 1), 400},
	{"Host with an empty port", strings.Replace(sample(""), ": example.com", ": example.com:", 1), 400},
	{"Host is a list", strings.Replace(sample(""), ": example.com", ": example.com, example.org", 1), 400},
	{"Host with half a bracket", strings.Replace(sample(""), ": example.com", ": [::1", 1), 400},

	// A body (RFC 9112, section 6).
	{"Content-Length", sample("Content-Length: 1\r\n") + "x", 400},
	{"Content-Length twice", sample("Content-Length: 0\r\nContent-Length: 0\r\n"), 400},
	{"Content-Length negative", sample("Content-Length: -0\r\n"), 400},
	{"Content-Length with a sign", sample("Content-Length: +0\r\n"), 400},
	{"Content-Length empty", sample("Content-Length:\r\n"), 400},
	{"Content-Length is a list", sample("Content-Length: 0, 0\r\n"), 400},
	{"chunked", sample("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400},
	{"identity", sample("Transfer-Encoding: identity\r\n"), 400},
	{"chunked and Content-Length: 0", sample("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400},
}

func TestMalformedRequests(t *testing.T) {
	if len(malformed) < 60 {
		t.Errorf("only %d requests", len(malformed))
	}
	for _, tt := range malformed {
		t.Run(tt.name, func(t *testing.T) {
			c := newMemConn(tt.in)
			_, err := AcceptConn(c, nil)
			wantRefusal(t, "raw", c, err, tt.status)
			if !c.closed {
				t.Error("connection left open")
			}
		})
	}
}

// TestUnusualRequests are legal, if rare.
func TestUnusualRequests(t *testing.T) {
	for _, tt := range []struct{ name, in, target, origin string }{
		{"absolute form", strings.Replace(sample(""), "/chat?x=1", "http://example.org:81/a?b", 1), "http://example.org:81/a?b", "http://example.org:81"},
		{"absolute form, no path", strings.Replace(sample(""), "/chat?x=1", "HTTPS://example.org", 1), "HTTPS://example.org", "https://example.org"},
		{"absolute form, query alone", strings.Replace(sample(""), "/chat?x=1", "http://[::1]?b", 1), "http://[::1]?b", "http://[::1]"},
		{"absolute form, Host first", strings.Replace(sample("X: 1\r\n"), "/chat?x=1", "http://example.org/", 1), "http://example.org/", "http://example.org"},
		{"root", strings.Replace(sample(""), "/chat?x=1", "/", 1), "/", "http://example.com"},
		{"marks in the target", strings.Replace(sample(""), "/chat?x=1", `//a%2F;b='"<>[]{}|^?\`, 1), `//a%2F;b='"<>[]{}|^?\`, "http://example.com"},
		{"letters of any case", strings.NewReplacer("Host", "hOST", "Upgrade: websocket", "UPGRADE: WebSocket", "Connection: Upgrade", "connection: uPGRADE", "Sec-WebSocket", "SEC-WEBSOCKET").Replace(sample("")), "/chat?x=1", "http://example.com"},
		{"lists", strings.NewReplacer("Upgrade: websocket", "Upgrade: h2c , websocket,foo/2", "Connection: Upgrade", "Connection: keep-alive,Upgrade\r\nConnection: x").Replace(sample("")), "/chat?x=1", "http://example.com"},
		{"lists in several fields", strings.NewReplacer("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket", "Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade").Replace(sample("")), "/chat?x=1", "http://example.com"},
		{"no white space", strings.ReplaceAll(sample(""), ": ", ":"), "/chat?x=1", "http://example.com"},
		{"much white space", strings.ReplaceAll(strings.Replace(sample(""), "13\r\n", "13 \t \r\n", 1), ": ", ":\t \t"), "/chat?x=1", "http://example.com"},
		{"Content-Length: 0", sample("Content-Length: 0\r\n"), "/chat?x=1", "http://example.com"},
		{"empty value", sample("X:\r\nY: \t\r\n"), "/chat?x=1", "http://example.com"},
		{"8-bit octets in a value", sample("X: \xC3\xA4\xFF\r\n"), "/chat?x=1", "http://example.com"},
		{"long name", sample("X-" + strings.Repeat("y", 100) + ": 1\r\n"), "/chat?x=1", "http://example.com"},
		{"name like one of ours", sample("Sec-WebSocket-Ke: 1\r\nSec-WebSocket-Keys: 1\r\nHos: 1\r\n"), "/chat?x=1", "http://example.com"},
		{"tab in a value", sample("X: a\tb\r\n"), "/chat?x=1", "http://example.com"},
		{"Expect", sample("Expect: 100-continue\r\n"), "/chat?x=1", "http://example.com"},
	} {
		in := strings.TrimSuffix(tt.in, "\r\n") + "Origin: " + tt.origin + "\r\n\r\n"
		acceptBoth(t, in, &Options{KeepHeader: true}, func(t *testing.T, path string, res *Result, _ *memConn, err error) {
			if err != nil {
				t.Errorf("%s: %s: %v", tt.name, path, err)
				return
			}
			if res.Target != tt.target {
				t.Errorf("%s: %s: target %q, want %q", tt.name, path, res.Target, tt.target)
			}
			if got := res.Header.Get("Origin"); got != tt.origin {
				t.Errorf("%s: %s: header has the origin %q, want %q", tt.name, path, got, tt.origin)
			}
		})
	}
}

// filled returns a good request whose head has n octets, with the given number of
// fields besides, none of them longer than 4 KiB.
func filled(n, fields int) string {
	var b strings.Builder
	left := n - len(sample(""))
	for i := range fields {
		k := min(4<<10, left-len("X: \r\n")*(fields-i)) - len("X: \r\n")
		if i == fields-1 {
			k = left - len("X: \r\n")
		}
		k = max(k, 0)
		b.WriteString("X: " + strings.Repeat("x", k) + "\r\n")
		left -= k + len("X: \r\n")
	}
	return sample(b.String())
}

func TestHeadLimits(t *testing.T) {
	line := func(n int) string { return sample("X: " + strings.Repeat("x", n-len("X: ")) + "\r\n") }
	target := func(n int) string {
		return strings.Replace(sample(""), "/chat?x=1", "/"+strings.Repeat("x", n-len("GET / HTTP/1.1")), 1)
	}
	fields := func(n int) string { return sample(strings.Repeat("X: y\r\n", n-5)) } // 5 in the sample
	off := &Options{Limits: Limits{HeadBytes: -1, LineBytes: -1, Fields: -1, Timeout: -1}}
	for _, tt := range []struct {
		name    string
		options *Options
		in      string
		status  int // 0: accepted
	}{
		{"head of 16 KiB", nil, filled(16<<10, 8), 0},
		{"head of 16 KiB and one", nil, filled(16<<10+1, 8), 431},
		{"head of 17 KiB", nil, filled(17<<10, 8), 431},
		{"line of 8 KiB", nil, line(8 << 10), 0},
		{"line of 8 KiB and one", nil, line(8<<10 + 1), 431},
		{"line without an end", nil, strings.TrimSuffix(sample("X: "+strings.Repeat("x", 9<<10)), "\r\n"), 431},
		{"request line of 8 KiB", nil, target(8 << 10), 0},
		{"request line of 8 KiB and one", nil, target(8<<10 + 1), 414},
		{"request line without an end", nil, strings.Repeat("x", 20<<10), 414},
		{"100 fields", nil, fields(100), 0},
		{"101 fields", nil, fields(101), 431},
		{"endless fields", nil, "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 1<<20), 431},
		{"own limit of the head", &Options{Limits: Limits{HeadBytes: 300}}, filled(300, 1), 0},
		{"own limit of the head and one", &Options{Limits: Limits{HeadBytes: 300}}, filled(301, 1), 431},
		{"own limit of lines", &Options{Limits: Limits{LineBytes: 50}}, line(50), 0},
		{"own limit of lines and one", &Options{Limits: Limits{LineBytes: 50}}, line(51), 431},
		{"own limit of fields", &Options{Limits: Limits{Fields: 5}}, fields(5), 0},
		{"own limit of fields and one", &Options{Limits: Limits{Fields: 5}}, fields(6), 431},
		{"no limits", off, filled(1<<20, 300), 0},
		{"no limits, long line", off, line(1 << 20), 0},
	} {
		for _, way := range []struct {
			name string
			wrap func(io.Reader) io.Reader
		}{
			{"at once", func(r io.Reader) io.Reader { return r }},
			{"one octet at a time", iotest.OneByteReader},
			{"halves", iotest.HalfReader},
			{"data with the error", iotest.DataErrReader},
		} {
			t.Run(tt.name+", "+way.name, func(t *testing.T) {
				c := newMemConn("")
				c.in = way.wrap(strings.NewReader(tt.in))
				_, err := AcceptConn(c, tt.options)
				if tt.status != 0 {
					wantRefusal(t, "raw", c, err, tt.status)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestHeadLinear: a head that comes one octet at a time costs each octet once.
func TestHeadLinear(t *testing.T) {
	o := &Options{Limits: Limits{HeadBytes: -1, LineBytes: -1, Fields: -1}}
	for _, tt := range []struct{ name, unit string }{
		{"one line", "x"},
		{"many lines", "x\r\nX: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const size = 64 << 10
			in := map[int]string{}
			for _, n := range []int{size, 2 * size} {
				in[n] = sample("X: " + strings.Repeat(tt.unit, n/len(tt.unit)) + "\r\n")
			}
			linear(t, size, func(n int) {
				c := newMemConn("")
				c.in = iotest.OneByteReader(strings.NewReader(in[n]))
				if _, err := AcceptConn(c, o); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestGluedFrames sends a request with frames behind it, cut in two at every
// place, and one octet at a time.
func TestGluedFrames(t *testing.T) {
	const frames = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" + "\x89\x80\x00\x00\x00\x00"
	in := sample("") + frames
	for cut := range len(in) + 1 {
		c := newMemConn("")
		c.in = io.MultiReader(strings.NewReader(in[:cut]), strings.NewReader(in[cut:]))
		res, err := AcceptConn(c, nil)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		rest, _ := io.ReadAll(c)
		if got := string(res.Buffered) + string(rest); got != frames {
			t.Errorf("cut at %d: %q behind the request, want %q", cut, got, frames)
		}
	}
}

// TestGluedLimit: of what is behind the request less than 4 KiB is taken.
func TestGluedLimit(t *testing.T) {
	for _, head := range []string{sample(""), filled(4<<10, 2), filled(4<<10+1, 2), filled(9000, 4), filled(16<<10, 8)} {
		behind := strings.Repeat("0123456789abcdef", 1<<10)
		c := newMemConn(head + behind)
		res, err := AcceptConn(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(res.Buffered); n >= 4<<10 {
			t.Errorf("head of %d octets: %d octets taken from behind", len(head), n)
		}
		rest, _ := io.ReadAll(c)
		if got := string(res.Buffered) + string(rest); got != behind {
			t.Errorf("head of %d octets: octets behind it were lost", len(head))
		}
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

// TestResponseFails: the connection breaks before the response is out.
func TestResponseFails(t *testing.T) {
	for _, in := range []string{sample(""), without("Upgrade")} {
		c := newMemConn(in)
		c.closed = true
		_, err := AcceptConn(c, nil)
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
// find nothing wrong with, the request is refused.
func TestHookTarget(t *testing.T) {
	var p parser
	p.reset(&Options{KeepHeader: true})
	err := p.hooks(newMemConn(""), &Result{Target: "/%zz"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusBadRequest {
		t.Errorf("error %v", err)
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

// TestAcceptConnAllocs: the result and the target, and no more.
func TestAcceptConnAllocs(t *testing.T) {
	var nc replay
	request := []byte(benchRequest)
	got := testing.AllocsPerRun(100, func() {
		nc.in.Reset(request)
		if _, err := AcceptConn(&nc, nil); err != nil {
			t.Fatal(err)
		}
	})
	if got > 2 && !raceEnabled {
		t.Errorf("%v allocations, want 2", got)
	}
}

// TestOneOctetConn runs both sides over connections that give one octet at a
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

// TestHalfHandshakes: a thousand peers that stop in the middle of their request
// are gone at 10 s, while others are served.
func TestHalfHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		failed := make(chan error, 1000)
		var peers sync.WaitGroup
		for i := range 1000 {
			a, b := pipe.NewSize(4 << 10)
			in := sample("")
			peers.Go(func() {
				defer a.Close()
				io.WriteString(a, in[:i%len(in)])
				// Some trickle: each octet is well within any idle timeout.
				for n := i % len(in); i%3 == 0 && n < len(in)-1; n++ {
					<-time.After(time.Second)
					if _, err := io.WriteString(a, in[n:n+1]); err != nil {
						return
					}
				}
				io.Copy(io.Discard, a)
			})
			go func() {
				_, err := AcceptConn(b, nil)
				failed <- err
			}()
		}
		synctest.Wait()
		a, b := pipe.New()
		io.WriteString(a, sample(""))
		if _, err := AcceptConn(b, nil); err != nil {
			t.Error(err)
		}
		a.Close()
		b.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("a whole handshake took %v among halves", took)
		}
		for range 1000 {
			if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("error %v, want %v", err, os.ErrDeadlineExceeded)
			}
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("the last was gone after %v", took)
		}
		peers.Wait()
	})
}

func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		timeout, want time.Duration
	}{
		{0, 10 * time.Second},
		{3 * time.Second, 3 * time.Second},
		{-1, 20 * time.Second}, // when the peer gives up
	} {
		for _, deadlines := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				a, b := pipe.New()
				start := time.Now()
				time.AfterFunc(20*time.Second, func() { a.Close() })
				if !deadlines {
					b = noDeadlines{b}
				}
				_, err := AcceptConn(b, &Options{Limits: Limits{Timeout: tt.timeout}})
				if took := time.Since(start); err == nil || took != tt.want {
					t.Errorf("timeout %v, deadlines %v: %v after %v, want %v", tt.timeout, deadlines, err, took, tt.want)
				}
				<-time.After(20 * time.Second)
			})
		}
	}
}

// noDeadlines is a connection without deadlines.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (noDeadlines) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (noDeadlines) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// TestNoDeadlines: after the handshake the timeout has no hold on a connection
// without deadlines.
func TestNoDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		io.WriteString(a, sample(""))
		res, err := AcceptConn(noDeadlines{b}, nil)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if _, err := res.Conn.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		a.Close()
		b.Close()
	})
}

// A lateConn's response goes out as the timeout strikes.
type lateConn struct{ noDeadlines }

func (c lateConn) Write(p []byte) (int, error) {
	<-time.After(defaultTimeout)
	synctest.Wait()
	return len(p), nil
}

func TestTimeoutDuringResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer a.Close()
		io.WriteString(a, sample(""))
		if _, err := AcceptConn(lateConn{noDeadlines{b}}, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v, want %v", err, os.ErrDeadlineExceeded)
		}
	})
}

// TestRefusalArrives: the peer that was refused reads the answer although it
// goes on sending, and is not listened to for ever.
func TestRefusalArrives(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flood int // octets that follow, -1: no end
		want  time.Duration
	}{
		{"silent", 0, time.Second},
		{"some octets", 100 << 10, time.Second},
		{"flood", -1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pipe.NewSize(4 << 10)
				start := time.Now()
				go func() {
					io.WriteString(a, without("Upgrade"))
					p := make([]byte, 1<<10)
					for n := 0; tt.flood < 0 || n < tt.flood; n += len(p) {
						if _, err := a.Write(p); err != nil {
							return
						}
					}
				}()
				_, err := AcceptConn(b, nil)
				if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusUpgradeRequired {
					t.Errorf("error %v", err)
				}
				if took := time.Since(start); took != tt.want {
					t.Errorf("took %v, want %v", took, tt.want)
				}
				a.SetReadDeadline(time.Now().Add(time.Second))
				answer, err := io.ReadAll(a)
				if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 426 ")) {
					t.Errorf("the peer got %q, %v", answer, err)
				}
				a.Close()
			})
		})
	}
}

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

// TestTLSTimeout: half a TLS handshake is half a handshake.
func TestTLSTimeout(t *testing.T) {
	config := tlsConfig(t)
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer a.Close()
		start := time.Now()
		_, err := AcceptConn(tls.Server(b, config.server), nil)
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != defaultTimeout {
			t.Errorf("%v after %v", err, took)
		}
	})
}
