package proof

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// raw starts a server without net/http, whose own parser reads the requests.
func (a *arena) raw() { a.webSocket(nil, true) }

// handshakeLimits are the limits of a request that opens a WebSocket.
var handshakeLimits = []limit{
	{
		what: "the whole handshake", value: "10 s", field: "handshake.Limits.Timeout", raw: true,
		answer: "the connection is closed", says: "timeout",
		trip: func(a *arena) {
			a.raw()
			start := time.Now()
			var all []net.Conn
			for range 1000 {
				nc := a.dial()
				io.WriteString(nc, upgrade[:len(upgrade)/2])
				all = append(all, nc)
			}
			time.Sleep(5 * time.Second)
			a.wantServed()
			for _, nc := range all {
				nc.SetReadDeadline(start.Add(time.Hour))
				io.Copy(io.Discard, nc)
				if d := time.Since(start); d < 9*time.Second || d > 11*time.Second {
					a.Fatalf("closed after %v", d)
				}
			}
		},
	},
	{
		what: "the head of a request", value: "16 KiB", field: "handshake.Limits.HeadBytes", raw: true, answer: "431", says: "431",
		trip: func(a *arena) {
			a.raw()
			a.wantStatus(431, upgrade+strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 17)+"\r\n")
		},
	},
	{
		what: "header fields", value: "100", field: "handshake.Limits.Fields", raw: true, answer: "431", says: "431",
		trip: func(a *arena) {
			a.raw()
			a.wantStatus(431, upgrade+strings.Repeat("X: x\r\n", 101)+"\r\n")
		},
	},
	{
		what: "one line of the head", value: "8 KiB", field: "handshake.Limits.LineBytes", raw: true, answer: "431; 414 for the target", says: "414",
		trip: func(a *arena) {
			a.raw()
			long := strings.Repeat("x", 8<<10)
			a.wantStatus(431, upgrade+"X: "+long+"\r\n\r\n")
			a.wantStatus(414, strings.Replace(upgrade, "GET /", "GET /"+long, 1)+"\r\n")
		},
	},
	{
		what: "malformed heads", value: "none", raw: true, answer: "400", says: "400",
		trip: func(a *arena) {
			a.raw()
			for _, fields := range []string{
				"X: a\r\n b\r\n", "X: a\n", "X: a\rb\r\n", "X: \x00\r\n", "X : a\r\n", ": a\r\n", "X a\r\n", "X: \x7f\r\n", "\r: a\r\n",
			} {
				a.wantStatus(400, upgrade+fields+"\r\n")
			}
			a.wantStatus(400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", strings.Replace(upgrade, "1.1", "1.0", 1)+"\r\n", "\x16\x03\x01\r\n\r\n")
		},
	},
	{
		what: "Sec-WebSocket-Key, -Version and Host", value: "one each, a key of 16 bytes", answer: "400", says: "Sec-WebSocket-Key",
		trip: func(a *arena) {
			a.webSocket(nil, false)
			for n := range 65 {
				key := base64.StdEncoding.EncodeToString(make([]byte, n))
				if n == 16 {
					continue
				}
				a.wantStatus(400, strings.Replace(upgrade, "AAAAAAAAAAAAAAAAAAAAAA==", key, 1)+"\r\n")
			}
			const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
			a.wantStatus(400, upgrade+key+"\r\n", upgrade+strings.Replace(key, "AAAA", "BBBB", 1)+"\r\n",
				strings.Replace(upgrade, "AAAAAA==", "AA==", 1)+"\r\n", strings.Replace(upgrade, key, "", 1)+"\r\n")
		},
	},
	{
		what: "method, Upgrade and version", value: "GET, websocket, 13", answer: "405 with Allow, 426 with Upgrade and Sec-WebSocket-Version", says: "405",
		trip: func(a *arena) {
			a.raw()
			for request, want := range map[string][2]string{
				strings.Replace(upgrade, "GET", "PUT", 1):                 {"405", "Allow"},
				strings.Replace(upgrade, "Upgrade: websocket\r\n", "", 1): {"426", "Upgrade"},
				strings.Replace(upgrade, ": 13", ": 12", 1):               {"426", "Sec-Websocket-Version"},
			} {
				if r := a.answer(request + "\r\n"); r.Status[:3] != want[0] || r.Header.Get(want[1]) == "" {
					a.Errorf("%s, %v; want %v", r.Status, r.Header, want)
				}
			}
		},
	},
	{
		what: "a body", value: "none", answer: "400, and the connection is closed", says: "body",
		trip: func(a *arena) {
			a.webSocket(nil, false)
			a.wantStatus(400, upgrade+"Content-Length: 4\r\n\r\nbody", upgrade+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
			a.wantStatus(101, upgrade+"Content-Length: 0\r\n\r\n")
		},
	},
	{
		what: "bytes after the request", value: "kept, and read as frames", answer: "-", raw: true,
		trip: func(a *arena) {
			a.raw()
			request := append([]byte(upgrade+"\r\n"), masked(wstest.Text("glued"))...)
			for at := range request {
				nc := a.dial()
				nc.Write(request[:at])
				time.Sleep(time.Millisecond)
				nc.Write(request[at:])
				a.readHead(nc, "HTTP/1.1 101 ")
				wstest.NewPeer(a, nc, conn.RoleClient).Want(wstest.Text("glued"))
				nc.Close()
			}
		},
	},
	{
		what: "requests after one that was refused", value: "none", answer: "the refusal has Connection: close, and the end of the stream follows", says: "403",
		trip: func(a *arena) {
			a.webSocket(nil, false)
			nc := a.dial()
			refused := upgrade + "Origin: http://evil.example\r\n\r\n"
			go io.WriteString(nc, refused+upgrade+"\r\n")
			nc.SetReadDeadline(time.Now().Add(time.Minute))
			b, err := io.ReadAll(nc)
			if text := string(b); err != nil || strings.Count(text, "HTTP/1.1") != 1 || !strings.Contains(text, "\r\nConnection: close\r\n") {
				a.Errorf("%q, %v", b, err)
			}
		},
	},
	{
		what: "CR, LF and NUL in what the program puts into a response", value: "none", answer: "500, without that field", says: "header",
		trip: func(a *arena) {
			for _, value := range []string{"a\r\nSet-Cookie: b=c", "a\nb", "a\x00b"} {
				a.tell("%v", (&handshake.Options{Header: http.Header{"X": {value}}}).Check())
			}
			var value atomic.Value
			value.Store("fine")
			a.webSocket(&conn.AcceptOptions{Handshake: handshake.Options{Before: func(*http.Request) (http.Header, error) {
				return http.Header{"X": {value.Load().(string)}}, nil
			}}}, false)
			for _, v := range []string{"a\r\nSet-Cookie: b=c", "a\nb", "a\x00b"} {
				value.Store(v)
				if r := a.answer(upgrade + "\r\n"); r.StatusCode != 500 || r.Header.Get("X") != "" || r.Header.Get("Set-Cookie") != "" {
					a.Errorf("%q: %s, %v", v, r.Status, r.Header)
				}
			}
		},
	},
	{
		what: "pages of other origins", value: "none", field: "handshake.Options.Origins", answer: "403", says: "evil",
		trip: func(a *arena) {
			a.webSocket(nil, false)
			for _, origin := range []string{"http://evil.example", "http://example.com.evil.example", "http://evil-example.com", "http://example.com:81", "null", "http://example.com@evil.example"} {
				a.wantStatus(403, upgrade+"Origin: "+origin+"\r\n\r\n")
			}
		},
	},
	{
		what: "handshakes under way", value: "4,096", field: "conn.Server.MaxHandshakes", raw: true, answer: "others wait until one has ended",
		trip: func(a *arena) {
			a.served(&conn.Server{MaxHandshakes: 1}, true)
			first := a.dial()
			io.WriteString(first, "GET")
			time.Sleep(time.Second)
			start := time.Now()
			a.wantStatus(101, upgrade+"\r\n")
			if d := time.Since(start); d < 8*time.Second || d > 10*time.Second {
				a.Errorf("the next one has waited for %v", d)
			}
		},
	},
	{
		what: "extensions that are offered wrongly", value: "declined", answer: "101 without the extension",
		trip: func(a *arena) {
			a.webSocket(&conn.AcceptOptions{Handshake: handshake.Options{Deflate: &handshake.DeflateOptions{}}}, false)
			for _, offer := range []string{
				"permessage-deflate; server_max_window_bits=7", "permessage-deflate; a=b", "permessage-deflate; client_max_window_bits=16",
				"permessage-deflate; server_no_context_takeover=1", "permessage-bzip2", strings.Repeat("a; b=c, ", 900) + "x",
			} {
				r := a.answer(upgrade + "Sec-WebSocket-Extensions: " + offer + "\r\n\r\n")
				if r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Extensions") != "" {
					a.Errorf("%.40s: %s with %q", offer, r.Status, r.Header.Get("Sec-WebSocket-Extensions"))
				}
			}
		},
	},
}
