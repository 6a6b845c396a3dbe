package engineio_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
)

// withVersion3 are options that let in clients of version 3.
func withVersion3(l engineio.Limits) *engineio.Options {
	return &engineio.Options{AllowEIO3: true, Limits: l}
}

// An old client speaks version 3 over long-polling.
type old struct {
	*site
	sid string
}

const base3 = base + "?EIO=3&transport=polling"

// open3 opens a session on long-polling. query is "" or begins with &.
func (s *site) open3(query string) old {
	s.t.Helper()
	r, err := s.raw(s.t.Context(), "GET", base3+query, "")
	if err != nil {
		s.t.Fatal(err)
	}
	length, packet, _ := strings.Cut(r.body, ":")
	if r.status != 200 || !strings.HasPrefix(packet, "0{") || length != strconv.Itoa(len(packet)) {
		s.t.Fatalf("handshake: %d %q", r.status, r.body)
	}
	var data openData
	if err := json.Unmarshal([]byte(packet[1:]), &data); err != nil {
		s.t.Fatal(err)
	}
	return old{s, data.SID}
}

func (o old) request(method, body string, header ...string) response {
	r, err := o.raw(o.t.Context(), method, base3+"&sid="+url.QueryEscape(o.sid), body, header...)
	if err != nil {
		r = response{body: err.Error()}
	}
	return r
}

func (o old) wantGet(status int, body string) {
	o.t.Helper()
	if r := o.request("GET", ""); r.status != status || r.body != body {
		o.t.Errorf("GET: %d %q, want %d %q", r.status, r.body, status, body)
	}
}

func (o old) wantPost(packets string, status int, body string, header ...string) {
	o.t.Helper()
	if r := o.request("POST", packets, header...); r.status != status || r.body != body {
		o.t.Errorf("POST %.40q: %d %q, want %d %q", packets, r.status, r.body, status, body)
	}
}

// later starts a GET and returns where its answer will be.
func (o old) later() <-chan response {
	answer := make(chan response, 1)
	go func() { answer <- o.request("GET", "") }()
	synctest.Wait()
	return answer
}

// websocket3 connects a WebSocket. query is "" or begins with &.
func (s *site) websocket3(query string) socket {
	s.t.Helper()
	c, _, err := s.dial("ws://example.com/engine.io/?EIO=3&transport=websocket" + query)
	if err != nil {
		s.t.Fatal(err)
	}
	return socket{s, c}
}

func (s *site) openWebSocket3(query string) socket {
	s.t.Helper()
	w := s.websocket3(query)
	if open := w.read(); !strings.HasPrefix(open, "0{") {
		s.t.Fatalf("first packet: %q", open)
	}
	return w
}

// upgrade moves the session to a WebSocket.
func (o old) upgrade() socket {
	o.t.Helper()
	w := o.websocket3("&sid=" + o.sid)
	w.send("2probe")
	w.want("3probe")
	w.send("5")
	synctest.Wait()
	return w
}

// Version 3 is refused unless the option is set, and it changes nothing for the
// others.
func TestVersion3Refusals(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		for _, query := range []string{"EIO=3&transport=polling", "transport=polling", "EIO=3&transport=polling&b64=1"} {
			if r, err := s.raw(s.t.Context(), "GET", base+"?"+query, ""); err != nil || r.status != 400 || r.body != badVersion {
				t.Errorf("%s: %d %q, %v", query, r.status, r.body, err)
			}
		}
		if _, r, err := s.dial("ws://example.com/engine.io/?EIO=3&transport=websocket"); err == nil || r == nil || r.StatusCode != 400 {
			t.Errorf("a WebSocket of version 3: %v, %v", r, err)
		}
	})
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		older, newer := s.open3(""), s.open()
		for _, tt := range []struct{ query, want string }{
			{"EIO=2&transport=polling", badVersion},
			{"EIO=5&transport=polling", badVersion},
			{"EIO=&transport=polling", badVersion},
			{"EIO=3&transport=polling&j=0", unknownTransport},
			{"EIO=4&transport=polling&sid=" + older.sid, badVersion},
			{"EIO=3&transport=polling&sid=" + newer, badVersion},
		} {
			if r, err := s.raw(s.t.Context(), "GET", base+"?"+tt.query, ""); err != nil || r.status != 400 || r.body != tt.want {
				t.Errorf("%s: %d %q, %v; want %q", tt.query, r.status, r.body, err, tt.want)
			}
		}
		s.wantAlive()
		s.wantPost(newer, "4new", 200, "ok")
		s.wantGet(newer, 200, "4new")
		older.wantPost("4:4old", 200, "ok")
		older.wantGet(200, "4:4old")
	})
}

// The open packet is that of version 4, after its length. A client that names no
// version speaks version 3.
func TestVersion3Open(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		for _, query := range []string{"?EIO=3&transport=polling", "?transport=polling"} {
			r, err := s.raw(s.t.Context(), "GET", base+query, "")
			n := s.session()
			packet := fmt.Sprintf(`0{"sid":"%s","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`, n.ID())
			if want := fmt.Sprintf("%d:%s", len(packet), packet); err != nil || r.body != want {
				t.Errorf("%s: %q, %v; want %q", query, r.body, err, want)
			}
			if got := r.header.Get("Content-Type"); got != "text/plain; charset=UTF-8" {
				t.Errorf("Content-Type %q", got)
			}
			if got := n.Version(); got != 3 {
				t.Errorf("Version() = %d, want 3", got)
			}
		}
		s.open()
		if got := s.session().Version(); got != 4 {
			t.Errorf("Version() = %d, want 4", got)
		}
	})
}

// A client gets binary data as bytes, unless it has said that it wants base64. It may
// send either.
func TestVersion3Polling(t *testing.T) {
	const octets = "application/octet-stream"
	for _, tt := range []struct {
		name, query string
		body        string
		header      []string
		want        string
		contentType string
	}{
		{"text", "", "6:4hello2:4€3:4😀", nil, "6:4hello2:4€3:4😀", "text/plain; charset=UTF-8"},
		{"binary", "", "\x00\x02\xff4a\x01\x03\xff\x04\x01\x02", []string{"Content-Type", octets},
			"\x00\x02\xff4a\x01\x03\xff\x04\x01\x02", octets},
		{"binary in base64", "", "2:4a6:b4AQI=", nil, "\x00\x02\xff4a\x01\x03\xff\x04\x01\x02", octets},
		{"base64", "&b64=1", "2:4a6:b4AQI=", nil, "2:4a6:b4AQI=", "text/plain; charset=UTF-8"},
		{"text beside binary", "", "\x00\x08\xff4€😀\x01\x01\xff\x04", []string{"Content-Type", octets},
			"\x00\x08\xff4€😀\x01\x01\xff\x04", octets},
		{"binary, answered in base64", "&b64=1", "\x01\x03\xff\x04\x01\x02", []string{"Content-Type", octets},
			"6:b4AQI=", "text/plain; charset=UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
				o := s.open3(tt.query)
				o.wantPost(tt.body, 200, "ok", tt.header...)
				r := o.request("GET", "")
				if r.status != 200 || r.body != tt.want || r.header.Get("Content-Type") != tt.contentType {
					t.Errorf("GET: %d %q %q, want %q %q", r.status, r.header.Get("Content-Type"), r.body, tt.contentType, tt.want)
				}
			})
		})
	}
}

// On WebSocket binary data has its type before it.
func TestVersion3WebSocket(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		w := s.openWebSocket3("")
		w.send("4€")
		w.want("4€")
		w.sendBinary("\x04\x01\x02")
		w.want("binary:\x04\x01\x02")
		w.sendBinary("\x04")
		w.want("binary:\x04")
		w.send("b4AQI=")
		w.want("binary:\x04\x01\x02")
		w = s.openWebSocket3("&b64=1")
		w.sendBinary("\x04\x01\x02")
		w.want("b4AQI=")
		s.wantAlive()
	})
}

// One message goes to clients of both versions, on both transports, each time the
// same.
func TestVersion3Together(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		for _, m := range []*engineio.Message{
			engineio.NewMessage([]byte("\x01\x02"), true),
			engineio.NewMessage([]byte("\x01\x02"), true).Uncompressed(),
		} {
			newer := s.openWebSocket()
			list := []*engineio.Session{s.session()}
			var older []socket
			for range 2 {
				for _, query := range []string{"", "&b64=1"} {
					older = append(older, s.openWebSocket3(query))
					list = append(list, s.session())
				}
			}
			newPolling := s.open()
			list = append(list, s.session())
			oldPolling := s.open3("")
			list = append(list, s.session())
			engineio.SendAll(list, m, engineio.NewMessage([]byte("ž"), false))
			newer.want("binary:\x01\x02")
			newer.want("4ž")
			for i, w := range older {
				w.want([]string{"binary:\x04\x01\x02", "b4AQI="}[i%2])
				w.want("4ž")
			}
			s.wantGet(newPolling, 200, "bAQI=\x1e4ž")
			oldPolling.wantGet(200, "\x01\x03\xff\x04\x01\x02\x00\x03\xff4ž")
		}
	})
}

// What was queued on polling goes over the WebSocket first, in the form that it has
// there. Meanwhile a GET that waits is released.
func TestVersion3Upgrade(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		o := s.open3("")
		n := s.session()
		waiting := o.later()
		w := o.websocket3("&sid=" + o.sid)
		w.send("2probe")
		w.want("3probe")
		s.wantAnswer(waiting, 200, "1:6")
		n.Send(engineio.NewMessage([]byte("text"), false), engineio.NewMessage([]byte("\x01"), true))
		w.send("5")
		w.want("4text")
		w.want("binary:\x04\x01")
		w.send("4hello")
		w.want("4hello")
		o.wantGet(400, badRequest)
		s.wantAlive()
	})
}

// The client pings, the server answers, and never pings.
func TestVersion3Heartbeat(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{PingInterval: 10 * time.Second, PingTimeout: 5 * time.Second}), func(s *site) {
		polling := s.open3("")
		sockets := []socket{s.openWebSocket3(""), s.open3("").upgrade()}
		for range 5 {
			time.Sleep(15*time.Second - time.Millisecond)
			polling.wantPost("1:2", 200, "ok")
			polling.wantGet(200, "1:3")
			for _, w := range sockets {
				w.send("2")
				w.want("3")
			}
		}
		s.wantAlive()
		time.Sleep(15*time.Second - time.Millisecond)
		s.wantAlive()
		time.Sleep(time.Millisecond)
		for range 3 {
			s.wantEnd(engineio.PingTimeout)
		}
	})
}

// A client that never pings is dropped, and told so on polling.
func TestVersion3PingTimeout(t *testing.T) {
	var log lines
	o := withVersion3(engineio.Limits{})
	o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	inBubble(t, o, func(s *site) {
		waiting := s.open3("").later()
		time.Sleep(45*time.Second - time.Nanosecond)
		s.wantAlive()
		s.wantWaiting(waiting)
		time.Sleep(time.Nanosecond)
		s.wantEnd(engineio.PingTimeout)
		s.wantAnswer(waiting, 200, "1:1")
		if want := `error="no ping within Limits.PingInterval and Limits.PingTimeout"`; !strings.Contains(log.String(), want) {
			t.Errorf("log %q, want %s", log.String(), want)
		}
	})
}

// A busy is a receiver that takes its time.
type busy struct {
	echo
	time.Duration
}

func (b busy) Message(data []byte, binary bool) { time.Sleep(b.Duration) }

// A ping that comes after a message which is still being handled is not too late.
func TestVersion3BusyReceiver(t *testing.T) {
	receive := func(e echo) engineio.Receiver { return busy{e, time.Minute} }
	withReceiver(t, withVersion3(engineio.Limits{}), receive, func(s *site) {
		w := s.openWebSocket3("")
		w.send("4work")
		w.send("2")
		w.want("3")
		s.wantAlive()
	})
}

// A pong from the client is a violation, as a ping is in version 4.
func TestVersion3ClientPongs(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		s.open3("").wantPost("1:3", 400, badRequest)
		s.wantEnd(engineio.TransportError)
		w := s.openWebSocket3("")
		w.send("3")
		w.wantClosed()
		s.wantEnd(engineio.TransportError)
	})
}

// Both sides close as in version 4.
func TestVersion3Close(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		o := s.open3("") // the server closes, a GET waits
		n, waiting := s.session(), o.later()
		n.Close()
		s.wantAnswer(waiting, 200, "1:1")
		s.wantEnd(engineio.ForcedClose)

		o = s.open3("") // the server closes, no GET waits
		n = s.session()
		n.Send(engineio.NewMessage([]byte("last"), false))
		n.Close()
		s.wantEnd(engineio.ForcedServerClose)
		o.wantGet(200, "5:4last")
		o.wantGet(200, "1:1")
		o.wantGet(400, unknownSession)

		o = s.open3("") // the client closes, a GET waits
		waiting = o.later()
		o.wantPost("1:1", 200, "ok")
		s.wantAnswer(waiting, 200, "1:6")
		s.wantEnd(engineio.TransportClose)

		o = s.open3("") // both close
		s.session().Close()
		s.wantEnd(engineio.ForcedServerClose)
		o.wantPost("2:4a1:1", 200, "ok")
		o.wantGet(400, unknownSession)

		o = s.open3("") // the server closes, the client sends something else
		s.session().Close()
		s.wantEnd(engineio.ForcedServerClose)
		o.wantPost("1:12:4a", 400, unknownSession)
		o.wantPost("1:1x", 400, unknownSession)
		o.wantGet(200, "1:1")

		w := s.openWebSocket3("")
		s.session().Close()
		w.wantClosed()
		s.wantEnd(engineio.ForcedClose)
	})
}

// Bytes that are no packets end the session, whatever they are and wherever they
// come.
func TestVersion3ParseErrors(t *testing.T) {
	const octets = "application/octet-stream"
	for _, tt := range []struct {
		name, body string
		header     []string
	}{
		{"packet of version 4", "4hello", nil},
		{"length of the greatest int", "9223372036854775807:4a", nil},
		{"length beyond 64 bits", "18446744073709551617:4a", nil},
		{"length below zero", "-1:4a", nil},
		{"length in bytes", "4:4€", nil},
		{"length in half a character", "2:4😀", nil},
		{"type", "1:7", nil},
		{"base64", "4:b4??", nil},
		{"not UTF-8", "2:4\xff", nil},
		{"binary length of the greatest int", "\x01\x09\x02\x02\x03\x03\x07\x02\x00\x03\x06\x08\x05\x04\x07\x07\x05\x08\x00\x07\xff\x04", []string{"Content-Type", octets}},
		{"binary ping", "\x01\x01\xff\x02", []string{"Content-Type", octets}},
		{"binary text that is not UTF-8", "\x00\x02\xff4\xff", []string{"Content-Type", octets}},
		{"no bytes", "", []string{"Content-Type", octets}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
				s.open3("").wantPost(tt.body, 400, badRequest, tt.header...)
				s.wantEnd(engineio.ParseError)
			})
		})
	}
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		for _, frame := range []string{"\x02", "4text", ""} {
			w := s.openWebSocket3("")
			w.sendBinary(frame)
			w.wantClosed()
			s.wantEnd(engineio.ParseError)
		}
	})
}

// The limit on a payload is the same in all forms.
func TestVersion3MaxPayload(t *testing.T) {
	const octets = "application/octet-stream"
	inBubble(t, withVersion3(engineio.Limits{MaxPayload: 1000}), func(s *site) {
		s.open3("").wantPost("997:4"+strings.Repeat("x", 995), 400, badRequest) // shorter than it says
		s.wantEnd(engineio.ParseError)
		s.open3("").wantPost("996:4"+strings.Repeat("x", 995), 200, "ok")
		s.wantAlive()
		s.open3("").wantPost("997:4"+strings.Repeat("x", 996), 413, `{"code":3,"message":"Payload too large"}`)
		s.wantEnd(engineio.TransportError)
		long := "\x01\x01\x00\x00\x00\xff\x04" + strings.Repeat("x", 999)
		s.open3("").wantPost(long, 413, `{"code":3,"message":"Payload too large"}`, "Content-Type", octets)
		s.wantEnd(engineio.TransportError)
		w := s.openWebSocket3("")
		w.sendBinary("\x04" + strings.Repeat("x", 1000))
		w.wantClosed()
		s.wantEnd(engineio.TransportError)
	})
}

// Thousands of packets in one POST are ordinary, in both forms.
func TestVersion3ManyPackets(t *testing.T) {
	const count = 10_000
	inBubble(t, withVersion3(engineio.Limits{}), func(s *site) {
		var text, binary, want bytes.Buffer
		for i := range count {
			message := fmt.Sprintf("4😀%d", i)
			units := len(utf16.Encode([]rune(message)))
			fmt.Fprintf(&text, "%d:%s", units, message)
			fmt.Fprintf(&want, "%d:%s", units, message)
			binary.WriteByte(0)
			for _, digit := range strconv.Itoa(len(message)) {
				binary.WriteByte(byte(digit - '0'))
			}
			binary.WriteString("\xff" + message)
		}
		o := s.open3("")
		o.wantPost(text.String(), 200, "ok")
		o.wantGet(200, want.String())
		o.wantPost(binary.String(), 200, "ok", "Content-Type", "application/octet-stream")
		o.wantGet(200, want.String())
	})
}

// What is never compressed is not compressed for a client of version 3 either; all
// else is.
func TestVersion3Uncompressed(t *testing.T) {
	o := withVersion3(engineio.Limits{})
	o.Deflate = &handshake.DeflateOptions{}
	inBubble(t, o, func(s *site) {
		c, err := s.listener.DialContext(s.t.Context(), "tcp", "example.com:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET /engine.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: example.com\r\n"+
			"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
		in := bufio.NewReader(c)
		if r, err := http.ReadResponse(in, nil); err != nil || r.StatusCode != 101 {
			t.Fatalf("handshake: %v, %v", r, err)
		}
		m := engineio.NewMessage(bytes.Repeat([]byte("again "), 100), true)
		s.session().Send(m, m.Uncompressed())
		const compressed, plain = 0xC2, 0x82 // binary frames with and without RSV1
		for i, want := range []byte{0, compressed, plain} {
			var head [4]byte
			io.ReadFull(in, head[:2])
			size := int(head[1])
			if size == 126 {
				io.ReadFull(in, head[2:])
				size = int(head[2])<<8 | int(head[3])
			}
			payload := make([]byte, size)
			if _, err := io.ReadFull(in, payload); err != nil {
				t.Fatal(err)
			}
			if i > 0 && head[0] != want { // the first is the open packet
				t.Errorf("frame %d begins with %#x, want %#x", i, head[0], want)
			}
		}
	})
}

// Pongs that a client does not fetch count in the queue like everything else: what
// it costs is bounded.
func TestVersion3Pings(t *testing.T) {
	inBubble(t, withVersion3(engineio.Limits{QueueBytes: 1000}), func(s *site) {
		o := s.open3("")
		o.wantPost(strings.Repeat("1:2", 5), 200, "ok")
		o.wantGet(200, strings.Repeat("1:3", 5))
		o.wantPost(strings.Repeat("1:2", 100), 200, "ok")
		s.wantEnd(engineio.TransportError)
	})
	const each = 161
	inBubble(t, withVersion3(engineio.Limits{QueueBytes: 4 * each}), func(s *site) {
		o := s.open3("")
		o.wantPost(strings.Repeat("1:2", 5), 200, "ok") // the queue is full before the last one
		s.wantAlive()
		o.wantPost("1:2", 200, "ok")
		s.wantEnd(engineio.TransportError)
	})
}
