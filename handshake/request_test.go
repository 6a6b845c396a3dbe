package handshake

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestRequirements is RFC 6455, section 4.2.1, item by item, on both paths.
func TestRequirements(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(sample(""), old, new, 1) }
	for _, tt := range []struct {
		name   string
		in     string
		status int // 0: accepted
	}{
		{"good", sample(""), 0},
		{"method", replace("GET", "PUT"), 405},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), 400},
		{"Content-Length", sample("Content-Length: 3\r\n") + "abc", 400},
		{"Content-Length: 1", sample("Content-Length: 1\r\n") + "a", 400},
		{"Content-Length: 0", sample("Content-Length: 0\r\n"), 0},
		{"chunked", sample("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n", 400},
		{"empty Host", replace("Host: example.com", "Host:"), 400},

		{"no Upgrade", without("Upgrade"), 426},
		{"empty Upgrade", replace("Upgrade: websocket", "Upgrade:"), 426},
		{"other Upgrade", replace("Upgrade: websocket", "Upgrade: h2c"), 426},
		{"Upgrade with a version", replace("Upgrade: websocket", "Upgrade: websocket/13"), 426},
		{"Upgrade with more letters", replace("Upgrade: websocket", "Upgrade: websockets"), 426},
		{"Upgrade of another script", replace("Upgrade: websocket", "Upgrade: web\u017Focket"), 426}, // long s folds to s in Unicode
		{"no Connection", without("Connection"), 426},
		{"other Connection", replace("Connection: Upgrade", "Connection: keep-alive"), 426},
		{"Connection with more letters", replace("Connection: Upgrade", "Connection: Upgrades, an-upgrade"), 426},

		{"no version", without("Sec-WebSocket-Version"), 426},
		{"version 8", replace("Version: 13", "Version: 8"), 426},
		{"version 14", replace("Version: 13", "Version: 14"), 426},
		{"version 013", replace("Version: 13", "Version: 013"), 426},
		{"version list", replace("Version: 13", "Version: 13, 8"), 426},
		{"version twice, equal", sample("Sec-WebSocket-Version: 13\r\n"), 400},
		{"version twice, different", sample("Sec-WebSocket-Version: 8\r\n"), 400},
		{"version twice, 13 last", strings.Replace(sample("sec-websocket-version: 13\r\n"), "Version: 13", "Version: 8", 1), 400},

		{"no key", without("Sec-WebSocket-Key"), 400},
		{"empty key", replace(sampleKey, ""), 400},
		{"short key", replace(sampleKey, "dGhlIHNhbXBsZSBub25j"), 400},
		{"long key", replace(sampleKey, "dGhlIHNhbXBsZSBub25jZSE="), 400},
		{"key with a space", replace(sampleKey, "dGhlIHNhbXBs ZSBub25jZQ=="), 400},
		{"key twice, equal", sample("Sec-WebSocket-Key: " + sampleKey + "\r\n"), 400},
		{"key twice, different", sample("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\n"), 400},

		{"origin twice, equal", sample("Origin: http://example.com\r\nOrigin: http://example.com\r\n"), 400},
		{"origin twice, different", sample("Origin: http://example.com\r\nOrigin: http://evil.example\r\n"), 400},

		{"subprotocol is not a token", sample("Sec-WebSocket-Protocol: a b\r\n"), 400},
		{"subprotocol quoted", sample("Sec-WebSocket-Protocol: \"a\"\r\n"), 400},
		{"subprotocols empty", sample("Sec-WebSocket-Protocol:\r\n"), 400},
		{"subprotocols all empty", sample("Sec-WebSocket-Protocol: , ,\r\n"), 400},
		{"subprotocols with empty elements", sample("Sec-WebSocket-Protocol: , a,, b\r\n"), 0},
		{"extension malformed", sample("Sec-WebSocket-Extensions: foo bar\r\n"), 400},
		{"extension malformed after another", sample("Sec-WebSocket-Extensions: foo, =\r\n"), 400},
		{"extension unknown", sample("Sec-WebSocket-Extensions: foo; bar=1\r\n"), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			acceptBoth(t, tt.in, nil, func(t *testing.T, path string, res *Result, c *memConn, err error) {
				if tt.status == 0 {
					if err != nil || res.Conn != net.Conn(c) || !strings.Contains(c.out.String(), sampleAccept) {
						t.Errorf("%s: %v, response %q", path, err, c.out.String())
					}
					return
				}
				resp := wantRefusal(t, path, c, err, tt.status)
				for name, want := range map[string]bool{
					"Allow":                 tt.status == 405,
					"Upgrade":               tt.status == 426,
					"Sec-Websocket-Version": tt.status == 426 && strings.Contains(err.Error(), "Version"),
				} {
					if got := resp.Header.Get(name) != ""; got != want {
						t.Errorf("%s: refusal with %d has %s: %q", path, tt.status, name, resp.Header.Get(name))
					}
				}
			})
		})
	}
}

// TestKeyOnWire answers keys of every length, on both paths.
func TestKeyOnWire(t *testing.T) {
	for n := range 65 {
		key := strings.Repeat("A", n) + "=="
		acceptBoth(t, strings.Replace(sample(""), sampleKey, key, 1), nil,
			func(t *testing.T, path string, _ *Result, c *memConn, err error) {
				if n == 22 {
					if err != nil {
						t.Errorf("%s: key %q: %v", path, key, err)
					}
					return
				}
				wantRefusal(t, path, c, err, http.StatusBadRequest)
			})
	}
}

func TestSubprotocols(t *testing.T) {
	for _, tt := range []struct {
		ours    []string
		offered string
		want    string
	}{
		{nil, "", ""},
		{nil, "Sec-WebSocket-Protocol: a\r\n", ""},
		{[]string{"a"}, "", ""},
		{[]string{"a"}, "Sec-WebSocket-Protocol: a\r\n", "a"},
		{[]string{"a", "b"}, "Sec-WebSocket-Protocol: b, a\r\n", "a"},
		{[]string{"a", "b"}, "Sec-WebSocket-Protocol: a, b\r\n", "a"},
		{[]string{"b", "a"}, "Sec-WebSocket-Protocol: a,b\r\n", "b"},
		{[]string{"a", "b", "c"}, "Sec-WebSocket-Protocol: c\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: b\r\n", "b"},
		{[]string{"a"}, "Sec-WebSocket-Protocol: A\r\n", ""},
		{[]string{"a"}, "Sec-WebSocket-Protocol: aa, ab, ba\r\n", ""},
		{[]string{"a"}, "Sec-WebSocket-Protocol: a, a\r\n", "a"},
		{[]string{"chat.v1+json"}, "Sec-WebSocket-Protocol: chat.v1+json\r\n", "chat.v1+json"},
	} {
		acceptBoth(t, sample(tt.offered), &Options{Subprotocols: tt.ours},
			func(t *testing.T, path string, res *Result, c *memConn, err error) {
				if err != nil || res.Subprotocol != tt.want {
					t.Errorf("%s: ours %q, offered %q: %v, %+v, want %q", path, tt.ours, tt.offered, err, res, tt.want)
					return
				}
				resp, _ := c.response(t)
				want := []string{tt.want}
				if tt.want == "" {
					want = nil
				}
				if got := resp.Header.Values("Sec-WebSocket-Protocol"); !slices.Equal(got, want) {
					t.Errorf("%s: response has the subprotocols %q, want %q", path, got, want)
				}
			})
	}
}

func TestAcceptDeflate(t *testing.T) {
	in := sample("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
	o := &Options{Deflate: &DeflateOptions{ClientMaxWindowBits: 9}}
	acceptBoth(t, in, o, func(t *testing.T, path string, res *Result, c *memConn, err error) {
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if want := (Deflate{true, true, 15, 9}); *res.Deflate != want {
			t.Errorf("%s: terms %+v, want %+v", path, *res.Deflate, want)
		}
		resp, _ := c.response(t)
		const want = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=9"
		if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != want {
			t.Errorf("%s: answer %q, want %q", path, got, want)
		}
	})
}
