package proof

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// inBoth is both shells of a server, and a client.
var inBoth = []shell{onGoroutines, onLoop, aClient}

// header returns the bytes of a frame's header: its first byte, its length in 64 bits and, if
// the peer has to mask, a key that changes nothing.
func (a *arena) header(first byte, length uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{first, 127}, length)
	if a.masks() {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// unlimited is a server, or a client, whose messages have no limit.
func (a *arena) unlimited() {
	a.webSocket(&conn.AcceptOptions{Conn: conn.Options{Limits: conn.Limits{Message: -1}}}, true)
}

// connRegressions are known failures of WebSocket's handshakes and connections.
var connRegressions = []regression{
	{
		kind: "lengths whose sum overflows pass the limit", in: inBoth, says: "over the limit",
		trip: func(a *arena) {
			a.raw()
			for _, length := range []uint64{1<<63 - 1, 1<<63 - 2, 1<<63 - 1<<20} {
				p := a.peer("")
				p.SendBytes(append(a.wire(wstest.Text("ab").More()), a.header(0x80, length)...))
				p.WantClose(frame.StatusMessageTooBig)
			}
		},
	},
	{
		kind: "memory is allocated for a length that is only declared", in: inBoth,
		trip: func(a *arena) {
			a.unlimited()
			for _, length := range []uint64{1 << 31, 1 << 32, 1 << 40, 1 << 62} {
				p := a.peer("")
				used := allocated(func() {
					p.SendBytes(append(a.header(0x82, length), 'a'))
					p.WantSilence(time.Second)
				})
				if used > 128<<10 {
					a.Errorf("%d bytes declared, one sent: %d were allocated", length, used)
				}
			}
		},
	},
	{
		kind: "a limit counts compressed bytes", in: inBoth, says: "over the limit",
		trip: func(a *arena) {
			p := a.deflated()
			bomb := deflate(make([]byte, mebibyte), 16)
			p.Send(bomb)
			p.WantClose(frame.StatusMessageTooBig)
			p = a.another() // in fragments of 100 bytes
			frames := []wstest.Frame{wstest.Binary(nil).Rsv(1).More()}
			for data := bomb.Payload; len(data) > 0; data = data[min(100, len(data)):] {
				frames = append(frames, wstest.Cont(string(data[:min(100, len(data))])).More())
			}
			p.Send(append(frames, wstest.Cont(""))...)
			p.WantClose(frame.StatusMessageTooBig)
		},
	},
	{
		kind: "empty fragments without end", in: inBoth, says: "fragments",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			go p.NetConn().Write(append(a.wire(wstest.Text("").More()), bytes.Repeat(a.wire(wstest.Cont("").More()), 5000)...))
			p.WantClose(frame.StatusPolicyViolation)
		},
	},
	{
		kind: "a long head is parsed again with each byte", in: both, proof: "handshake TestHeadScansOnce",
		trip: func(a *arena) {
			a.raw()
			nc := a.dial()
			head := upgrade + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 15) + "\r\n"
			used := allocated(func() {
				for n := range len(head) {
					nc.Write([]byte{head[n]})
					if n%64 == 0 {
						a.settle()
					}
				}
				a.readHead(nc, "HTTP/1.1 101 ")
			})
			if used > 1<<20 {
				a.Errorf("%d bytes were allocated for a head of %d, byte by byte", used, len(head))
			}
		},
	},
	{
		kind: "a missing field of the handshake crashes", in: append([]shell{aClient}, both...),
		trip: func(a *arena) {
			a.webSocket(nil, false)
			for _, field := range []string{"Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "Host: example.com\r\n"} {
				if r := a.answer(strings.Replace(upgrade, field, "", 1) + "\r\n"); r.StatusCode/100 != 4 {
					a.Errorf("without %s: %s", field, r.Status)
				}
			}
			const fine = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"
			for line := range strings.Lines(fine[strings.Index(fine, "\n")+1:]) {
				if c, err := a.dialWith(strings.Replace(fine, line, "", 1) + "\r\n"); err == nil {
					c.CloseNow()
					a.Errorf("let in without %s", line)
				}
			}
		},
	},
	{
		kind: "a regular expression backtracks over a field", in: both, proof: "handshake TestExtensionLinear",
		trip: func(a *arena) { // which does not end, if it does
			a.webSocket(&conn.AcceptOptions{Handshake: handshake.Options{Deflate: &handshake.DeflateOptions{}}}, true)
			for _, value := range []string{
				`a; b="` + strings.Repeat(`\`, 8000), `a; b="` + strings.Repeat(`\a`, 4000), strings.Repeat("a;", 4000), strings.Repeat(" ", 8000) + ";",
				strings.Repeat("a", 8000) + "\"", strings.Repeat(`a;b="c",`, 1000) + `"`, strings.Repeat("\t ", 4000) + ",",
			} {
				for _, field := range []string{"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "Connection", "Origin", "Sec-WebSocket-Key"} {
					if r := a.answer(upgrade + field + ": " + value + "\r\n\r\n"); r.StatusCode == 101 && r.Header.Get("Sec-WebSocket-Extensions") != "" || r.StatusCode >= 500 {
						a.Errorf("%s: %.20q...: %s", field, value, r.Status)
					}
				}
			}
		},
	},
	{
		kind: "a panic after a second Pong", in: inBoth,
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			p.Send(wstest.Pong(""), wstest.Pong(""), wstest.Pong("a"), wstest.Pong("a"))
			p.Timeout = time.Hour
			f, err := p.Next() // our Ping
			if err != nil || f.Header.Opcode != frame.Ping {
				a.Fatalf("%v, %v", f, err)
			}
			p.Send(wstest.Pong(string(f.Payload)), wstest.Pong(string(f.Payload)), wstest.Pong(""), wstest.Text("alive"))
			p.Want(wstest.Text("alive"))
		},
	},
	{
		kind: "a panic of two who close at once", in: inBoth, proof: "conn TestCloseMany",
		trip: func(a *arena) {
			a.raw()
			for range 20 {
				p := a.peer("")
				p.SendBytes(append(append(a.wire(wstest.Text("close together")), a.wire(wstest.Close(1000, ""))...), a.wire(wstest.Close(1000, ""))...))
				p.WantClose(frame.StatusNormalClosure)
			}
		},
	},
	{
		kind: "a length is cut to 32 bits", in: inBoth,
		trip: func(a *arena) {
			a.raw()
			for _, length := range []uint64{1 << 32, 1<<32 + 1, 1<<33 + 5} {
				p := a.peer("")
				p.SendBytes(append(a.header(0x81, length), "hello"...))
				p.WantClose(frame.StatusMessageTooBig)
			}
			unlimited := &arena{T: a.T, l: pipe.Listen(), shell: a.shell, release: a.release}
			defer unlimited.end()
			unlimited.unlimited()
			for _, length := range []uint64{1 << 32, 1<<32 + 1, 1<<33 + 5} {
				p := unlimited.peer("")
				p.SendBytes(append(a.header(0x81, length), "hello"...))
				p.WantSilence(time.Second) // none of it is a message
				p.Close()
			}
		},
	},
	{
		kind: "memory of others in the reason of a Close frame", in: inBoth,
		trip: func(a *arena) {
			a.raw()
			for range 10 {
				p := a.peer("")
				secret := wstest.Text(strings.Repeat("secret ", 100))
				p.Send(secret)
				p.Want(secret)
				p.Send(wstest.Close(4000, ""))
				if f, err := p.Next(); err != nil || string(f.Payload) != "\x0f\xa0" {
					a.Errorf("%q, %v", f.Payload, err)
				}
				p.Close()
				p = a.peer("")
				p.Send(secret)
				p.Want(secret)
				p.SendBytes(a.wire(wstest.Close(4000, strings.Repeat("r", 123)))[:10]) // the rest does not come
				p.CloseWrite()
				if rest, _ := io.ReadAll(p.NetConn()); bytes.Contains(rest, []byte("secret")) || bytes.Contains(rest, []byte("rrr")) {
					a.Errorf("%q", rest)
				}
			}
		},
	},
	{
		kind: "origins are compared by their beginning or end", in: both, says: "evil",
		trip: func(a *arena) {
			a.webSocket(&conn.AcceptOptions{Handshake: handshake.Options{Origins: []string{"https://*.example.org", "https://app.example.net"}}}, true)
			for _, origin := range []string{
				"http://evil-example.com", "http://example.com.evil.example", "http://example.com@evil.example", "http://evil.example/example.com", "http://evil.example#example.com",
				"http://example.com%00.evil.example", "https://evilexample.org", "https://a.example.org.evil.example", "https://app.example.net.evil.example", "https://app.example.netevil", "https://evil.example?.example.org",
				"https://evil.example/.example.org", "https://app.example.net:8443", "null", "http://example.com:81",
			} {
				a.wantStatus(403, upgrade+"Origin: "+origin+"\r\n\r\n")
			}
			a.wantStatus(101, upgrade+"Origin: http://example.com\r\n\r\n", upgrade+"Origin: https://a.example.org\r\n\r\n", upgrade+"Origin: https://app.example.net\r\n\r\n")
		},
	},
	{
		kind: "a redirect takes credentials along", in: []shell{aClient}, proof: "engineio TestClientRedirect",
		trip: func(a *arena) {
			heads := make(chan string, 2)
			t := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := pipe.New()
				a.later(func() { theirs.Close() })
				go func() {
					heads <- a.readHead(theirs, "GET ")
					io.WriteString(theirs, "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n")
				}()
				return ours, nil
			}}
			defer t.CloseIdleConnections()
			follow := func(_ *http.Request, via []*http.Request) error {
				if len(via) > 1 {
					return http.ErrUseLastResponse
				}
				return nil
			}
			ctx, cancel := within()
			defer cancel()
			_, _, err := conn.Dial(ctx, "ws://user:password@example.com/", &conn.DialOptions{Handshake: handshake.DialOptions{
				Header: http.Header{"Authorization": {"Bearer secret"}, "Cookie": {"session=secret"}}, HTTPClient: &http.Client{Transport: t, CheckRedirect: follow}}})
			if first := <-heads; err == nil || !strings.Contains(first, "secret") {
				a.Errorf("%v; %q", err, first)
			}
			if second := <-heads; !strings.Contains(second, "Host: evil.example") || strings.Contains(second, "secret") || strings.Contains(second, "Authorization") {
				a.Errorf("%q", second)
			}
		},
	},
	{
		kind: "the body of an upgrade is buffered", in: both, says: "body", holds: 1 << 20,
		trip: func(a *arena) {
			a.webSocket(nil, true)
			body := make([]byte, 8<<20)
			for _, field := range []string{"Content-Length: 1073741824\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n40000000\r\n"} {
				nc := a.dial()
				used := allocated(func() {
					go func() {
						io.WriteString(nc, upgrade+field)
						nc.Write(body)
					}()
					a.readHead(nc, "HTTP/1.1 400 ")
				})
				if used > 4<<20 { // the pipe grows to 1 MiB, twice what it has at a time
					a.Errorf("%s: %d bytes were allocated", field, used)
				}
				nc.Close()
			}
		},
	},
}
