package handshake

import (
	"strings"
	"testing"
)

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
	{"method POST, fragment", strings.Replace(sample(""), "GET /chat", "POST /chat#x", 1), 400},
	{"method HEAD", strings.Replace(sample(""), "GET", "HEAD", 1), 405},
	{"method CONNECT", strings.Replace(sample(""), "GET", "CONNECT", 1), 405},
	{"no method", strings.Replace(sample(""), "GET", "", 1), 400},
	{"method is not a token", strings.Replace(sample(""), "GET", "G(T", 1), 400},
	{"space before the method", " " + sample(""), 400},
	{"two spaces before the target", strings.Replace(sample(""), "GET ", "GET  ", 1), 400},
	{"tab before the target", strings.Replace(sample(""), "GET ", "GET\t", 1), 400},
	{"two spaces before the version", strings.Replace(sample(""), " HTTP/1.1", "  HTTP/1.1", 1), 400},
	{"space behind the version", strings.Replace(sample(""), "HTTP/1.1\r\n", "HTTP/1.1 \r\n", 1), 400},
	{"no target", strings.Replace(sample(""), " /chat?x=1", "", 1), 400},
	{"empty target", strings.Replace(sample(""), "/chat?x=1", "", 1), 400},
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
	{"fragment of digits", strings.Replace(sample(""), "/chat", "/chat#2F", 1), 400},
	{"percent sign alone", strings.Replace(sample(""), "/chat", "/chat%", 1), 400},
	{"percent sign and one digit", strings.Replace(sample(""), "/chat?x=1", "/chat%2", 1), 400},
	{"percent sign before no digits", strings.Replace(sample(""), "/chat", "/chat%GG", 1), 400},
	{"percent sign before marks", strings.Replace(sample(""), "/chat", "/chat%--", 1), 400},
	{"percent sign before one digit and a letter", strings.Replace(sample(""), "/chat", "/chat%2G", 1), 400},
	{"percent sign before a letter and one digit", strings.Replace(sample(""), "/chat", "/chat%G2", 1), 400},
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
	{"two bare LF at the end", strings.TrimSuffix(sample(""), "\r\n") + "\n\n", 400},
	{"bare LF everywhere", strings.ReplaceAll(sample(""), "\r\n", "\n"), 400},
	{"bare CR in a value", sample("X: a\rb\r\n"), 400},
	{"bare CR as the end of a line", sample("X: a\rY: b\r\n"), 400},
	{"CR CR LF", sample("X: a\r\r\n"), 400},
	{"bare CR as a line", sample("\r\r\n"), 400},
	{"NUL in a value", sample("X: a\x00b\r\n"), 400},
	{"NUL instead of CR", sample("X: a\x00\n"), 400},
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
	{"name that is not a token", sample("X(Y): a\r\n"), 400},
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
		{"one letter", strings.Replace(sample(""), "/chat?x=1", "/a", 1), "/a", "http://example.com"},
		{"host of one letter", strings.Replace(sample(""), "example.com", "a", 1), "/chat?x=1", "http://a"},
		{"root", strings.Replace(sample(""), "/chat?x=1", "/", 1), "/", "http://example.com"},
		{"marks in the target", strings.Replace(sample(""), "/chat?x=1", `//a%2F%fF%09%9a%Af;b='"<>[]{}|^?\`, 1), `//a%2F%fF%09%9a%Af;b='"<>[]{}|^?\`, "http://example.com"},
		{"percent sign and two digits at the end", strings.Replace(sample(""), "/chat?x=1", "/%2F", 1), "/%2F", "http://example.com"},
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
		{"name that begins with any mark", sample("_x: 1\r\n~x: 1\r\n^x: 1\r\n`x: 1\r\n|x: 1\r\n"), "/chat?x=1", "http://example.com"},
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

// TestLargeParserDropped: the memory of a large request is not there for the next ones.
func TestLargeParserDropped(t *testing.T) {
	o := &Options{Limits: Limits{HeadBytes: -1}}
	for range 20 {
		if _, err := AcceptConn(newMemConn(filled(2*keepBytes, 40)), o); err != nil {
			t.Fatal(err)
		}
		var h Opening
		h.Room()
		if n := len(h.p.in); n > keepBytes {
			t.Fatalf("the next request has %d bytes, want at most %d", n, keepBytes)
		}
		h.Release()
	}
}

// TestParserSmall: what a request has made large is not kept.
func TestParserSmall(t *testing.T) {
	for _, tt := range []struct {
		in, out int
		want    bool
	}{
		{readBytes, 512, true},
		{64 << 10, 64 << 10, true},
		{64<<10 + 1, 512, false},
		{readBytes, 64<<10 + 1, false},
		{1 << 20, 1 << 20, false},
	} {
		p := &parser{in: make([]byte, tt.in), out: make([]byte, 0, tt.out)}
		if got := p.small(); got != tt.want {
			t.Errorf("%d bytes in, %d out: small = %v, want %v", tt.in, tt.out, got, tt.want)
		}
	}
}
