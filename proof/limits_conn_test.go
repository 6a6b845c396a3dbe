package proof

import (
	"bytes"
	"compress/flate"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// mebibyte is the default of conn.Limits.Message.
const mebibyte = 1 << 20

// deflated is a server that compresses.
func (a *arena) deflated() *wstest.Peer {
	a.webSocket(&conn.AcceptOptions{Handshake: handshake.Options{Deflate: &handshake.DeflateOptions{}}}, true)
	return a.another()
}

// another opens a WebSocket that compresses.
func (a *arena) another() *wstest.Peer {
	return a.peer("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n")
}

// deflate compresses p, so many times, as one message.
func deflate(p []byte, times int) wstest.Frame {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(p)
	w.Flush() // what it has written ends with a byte, and says the same once more
	data := bytes.Repeat(b.Bytes(), times)
	f := wstest.Binary(bytes.TrimSuffix(data, []byte{0, 0, 0xff, 0xff}))
	return f.Rsv(1)
}

// connLimits are the limits of a connection.
var connLimits = []limit{
	{
		what: "a message, over all its fragments and after inflation", value: "1 MiB", field: "conn.Limits.Message", answer: "1009", says: "over the limit",
		holds: 8 << 20, // a message of just 1 MiB is on its way back

		trip: func(a *arena) {
			a.raw()
			long := make([]byte, mebibyte+1)
			p := a.peer("")
			go p.Send(wstest.Binary(long))
			p.WantClose(frame.StatusMessageTooBig)
			p = a.peer("")
			go p.Send(wstest.Binary(long[:mebibyte/2]).More(), wstest.Cont(string(long[:mebibyte/2+1])))
			p.WantClose(frame.StatusMessageTooBig)
			p = a.peer("")
			go p.Send(wstest.Binary(long[:mebibyte]))
			if f, err := p.Next(); err != nil || len(f.Payload) != mebibyte {
				a.Errorf("a message of just 1 MiB: %v", err)
			}
		},
	},
	{
		what: "a compressed message", value: "inflated up to the limit of a message, in steps of 32 KiB", answer: "1009", says: "over the limit",
		trip: func(a *arena) {
			p := a.deflated()
			bomb := deflate(make([]byte, mebibyte), 64)
			used := allocated(func() {
				p.Send(bomb)
				p.WantClose(frame.StatusMessageTooBig)
			})
			if used > 8<<20 {
				a.Errorf("64 MiB in %d bytes: %d bytes were allocated", len(bomb.Payload), used)
			}
		},
	},
	{
		what: "a length that is only declared", value: "nothing is allocated for it", answer: "1009, or nothing before the bytes come", says: "over the limit",
		trip: func(a *arena) {
			a.raw()
			for _, n := range []int64{1 << 31, 1 << 32, 1 << 40, 1 << 62} {
				p := a.peer("")
				f := wstest.Binary([]byte{1})
				f.Header.Length, f.Header.Masked = n, a.masks()
				used := allocated(func() {
					p.SendAsIs(f)
					p.WantClose(frame.StatusMessageTooBig)
				})
				if used > 128<<10 {
					a.Errorf("%d bytes declared, one sent: %d were allocated", n, used)
				}
			}
		},
	},
	{
		what: "a length with its top bit set, or not in its shortest form", value: "none (RFC 6455, section 5.2); the option allows the second", field: "conn.Options.LenientLength", answer: "1002", says: "length",
		trip: func(a *arena) {
			a.raw()
			for _, b := range [][]byte{
				{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
				{0x82, 0xfe, 0, 125, 0, 0, 0, 0},
				{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0},
			} {
				if !a.masks() {
					b[1] &^= 0x80
				}
				p := a.peer("")
				p.SendBytes(b)
				p.WantClose(frame.StatusProtocolError)
			}
		},
	},
	{
		what: "reserved bits, opcodes, long or split control frames, fragments out of order", value: "none (sections 5.2, 5.4, 5.5)", answer: "1002", says: "1002",
		trip: func(a *arena) {
			a.raw()
			for _, f := range []wstest.Frame{
				wstest.Text("a").Rsv(1), wstest.Text("a").Rsv(2), wstest.Text("a").Rsv(3), wstest.Ping(strings.Repeat("a", 126)), wstest.Ping("a").More(), wstest.Cont("a"),
				{Header: frame.Header{Fin: true, Opcode: 3}}, {Header: frame.Header{Fin: true, Opcode: 0xB}}, wstest.Close(999, ""), wstest.Close(5000, ""),
				{Header: frame.Header{Fin: true, Opcode: frame.Close}, Payload: []byte{3}},
				{Header: frame.Header{Fin: true, Opcode: frame.Close}, Payload: []byte{3, 0xED}}, // 1005
			} {
				p := a.peer("")
				p.Send(f)
				p.WantClose(frame.StatusProtocolError)
			}
			p := a.peer("")
			p.Send(wstest.Text("a").More(), wstest.Text("b"))
			p.WantClose(frame.StatusProtocolError)
		},
	},
	{
		what: "frames of a client without a mask, and of a server with one", value: "none (section 5.1)", answer: "1002", says: "mask",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			f := wstest.Text("a")
			f.Header.Length, f.Header.Masked = 1, !a.masks()
			p.SendAsIs(f)
			p.WantClose(frame.StatusProtocolError)
		},
	},
	{
		what: "text that is not UTF-8", value: "none (section 8.1); checked as it arrives", answer: "1007", says: "UTF-8",
		trip: func(a *arena) {
			a.raw()
			for _, text := range []string{"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xce"} {
				p := a.peer("")
				p.Send(wstest.Text(text))
				p.WantClose(frame.StatusInvalidPayload)
			}
			p := a.peer("") // inside a frame that has not ended
			f := wstest.Text("\xff")
			f.Header.Length, f.Header.Masked = 1000, a.masks()
			p.SendAsIs(f)
			p.WantClose(frame.StatusInvalidPayload)
		},
	},
	{
		what: "fragments of a message", value: "1,024, and one more for each 16 bytes", answer: "1008", says: "fragments",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			frames := []wstest.Frame{wstest.Text("").More()}
			for range 1100 {
				frames = append(frames, wstest.Cont("").More())
			}
			go p.Send(frames...)
			p.WantClose(frame.StatusPolicyViolation)
			p = a.peer("") // with 64 bytes each there may be as many as the message's size permits
			frames = []wstest.Frame{wstest.Text("").More()}
			for range mebibyte / 64 {
				frames = append(frames, wstest.Cont(strings.Repeat("x", 64)).More())
			}
			go p.Send(append(frames, wstest.Cont(""))...)
			p.WantMessage(frame.Text, bytes.Repeat([]byte("x"), mebibyte))
		},
	},
	{
		what: "the time that a message takes", value: "120 s, and a second for each KiB", field: "conn.Limits.MessageTime", answer: "1008", says: "too long",
		trip: func(a *arena) {
			a.raw()
			whole := wstest.Text(strings.Repeat("a", 1000))
			for _, drip := range []struct{ first, next []byte }{
				{a.wire(wstest.Text("a").More()), a.wire(wstest.Cont("b").More())},
				{a.wire(whole)[:20], []byte("\x00")}, // one frame, byte by byte
			} {
				p := a.peer("")
				p.Timeout = time.Hour
				start := time.Now()
				p.SendBytes(drip.first)
				done := make(chan struct{})
				stop := make(chan struct{})
				go func() {
					defer close(done)
					for {
						select {
						case <-time.After(10 * time.Second):
							p.NetConn().Write(drip.next)
						case <-stop:
							return
						}
					}
				}()
				p.WantClose(frame.StatusPolicyViolation)
				if d := time.Since(start); d < 115*time.Second || d > 130*time.Second {
					a.Errorf("after %v", d)
				}
				close(stop)
				<-done
			}
		},
	},
	{
		what: "Pings", value: "1,000 at once, 100 a second", answer: "1008", says: "pings",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			for range 10 {
				frames := make([]wstest.Frame, 100)
				for i := range frames {
					frames[i] = wstest.Ping("")
				}
				p.Send(frames...)
				for range frames {
					p.Want(wstest.Pong(""))
				}
			}
			p.Send(wstest.Ping(""))
			p.WantClose(frame.StatusPolicyViolation)
		},
	},
	{
		what: "compressed data that is cut, or no DEFLATE", value: "none (RFC 7692, section 7.2.2)", answer: "1007", says: "compressed",
		trip: func(a *arena) {
			p := a.deflated()
			for _, data := range []string{"\xff", "\x07", "\x01\x05\x00\xfa\xff", strings.Repeat("\x00\x00\x00\xff\xff", 1000) + "\xff", "\xed\xfd"} {
				p.Send(wstest.Binary([]byte(data)).Rsv(1))
				p.WantClose(frame.StatusInvalidPayload)
				p = a.another()
			}
			p.Send(wstest.Binary([]byte(strings.Repeat("\x00\x00\x00\xff\xff", 10_000) + "\x00")).Rsv(1)) // stored blocks of nothing
			p.WantMessage(frame.Binary, nil)
		},
	},
	{
		what: "mask keys of a client", value: "of ChaCha8, with a seed from crypto/rand for each connection", answer: "-", in: []shell{aClient},
		trip: func(a *arena) {
			a.raw()
			seen := make(map[[4]byte]int)
			again := 0
			for range 2 {
				p := a.peer("")
				for range 5000 {
					p.Send(wstest.Text("a"))
					f, err := p.Next()
					a.must(err)
					if seen[f.Header.MaskKey]++; seen[f.Header.MaskKey] > 1 {
						again++
					}
				}
			}
			if again > 3 { // 10^4 keys of 2^32: one repeats in a hundred runs
				a.Errorf("%d of 10,000 keys came again", again)
			}
		},
	},
}
