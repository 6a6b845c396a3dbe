package proof

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"net/http"
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
	return a.peer("Sec-WebSocket-Extensions: permessage-deflate\r\n")
}

// deflate compresses p, so many times, as one message.
func deflate(p []byte, times int) wstest.Frame {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	for range times {
		w.Write(p)
	}
	w.Flush()
	f := wstest.Binary(bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}))
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
				f.Header.Length, f.Header.Masked = n, true
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
		what: "frames without a mask", value: "none (section 5.1)", answer: "1002", says: "mask",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			p.SendBytes([]byte{0x81, 1, 'a'})
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
			f.Header.Length, f.Header.Masked = 1000, true
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
		},
	},
	{
		what: "the time that a message takes", value: "120 s, and a second for each KiB", field: "conn.Limits.MessageTime", answer: "1008", says: "too long",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			p.Timeout = time.Hour
			start := time.Now()
			p.Send(wstest.Text("a").More())
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				f := wstest.Cont("b").More()
				for ctx.Err() == nil {
					p.NetConn().Write(masked(f))
					select {
					case <-time.After(10 * time.Second):
					case <-ctx.Done():
					}
				}
			}()
			p.WantClose(frame.StatusPolicyViolation)
			if d := time.Since(start); d < 115*time.Second || d > 130*time.Second {
				a.Errorf("after %v", d)
			}
			cancel()
			<-done
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
		what: "a peer that does not read", value: "10 s without progress, and a second for each KiB over all", field: "conn.Limits.WriteTimeout", answer: "the connection is cut", says: "without progress",
		trip: func(a *arena) {
			a.served(&conn.Server{Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
				if m, p, err := c.Read(ctx); err != nil || string(p) == "honest" {
					c.Write(ctx, m, p)
					return a.echoes(ctx, c, nil)
				}
				start := time.Now()
				err := c.Write(ctx, conn.Binary, make([]byte, 8<<20))
				for err == nil {
					_, _, err = c.Read(ctx)
				}
				if d := time.Since(start); d < 10*time.Second || d > 21*time.Second {
					a.Errorf("after %v", d)
				}
				a.tell("%v", err)
				return err
			}}, true)
			p := a.peer("")
			p.Send(wstest.Text("go on"))
			time.Sleep(time.Minute)
		},
	},
	{
		what: "what is queued by Send", value: "1 MiB and 1,024 messages", field: "conn.Limits.QueueBytes, QueueMessages; conn.Options.Overflow", answer: "1013, or the oldest are dropped", says: "queue full",
		trip: func(a *arena) {
			a.served(&conn.Server{Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
				if m, p, err := c.Read(ctx); err != nil || string(p) == "honest" {
					c.Write(ctx, m, p)
					return a.echoes(ctx, c, nil)
				}
				message := conn.NewPrepared(conn.Text, []byte("message"))
				for n := range 1_000_000 {
					if err := c.Send(message); err != nil {
						if !errors.Is(err, conn.ErrQueueFull) || n < 1024 {
							a.Errorf("message %d: %v", n, err)
						}
						a.tell("%v", err)
						return err
					}
				}
				a.Error("no queue is full")
				return nil
			}}, true)
			a.peer("").Send(wstest.Text("go on"))
			time.Sleep(time.Minute)
		},
	},
	{
		what: "a peer that says nothing", value: "a Ping after 25 s, cut 20 s later", field: "conn.Limits.PingInterval, PingTimeout", answer: "the connection is cut", says: "ping timeout",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			start := time.Now()
			p.Timeout = time.Hour
			if f, err := p.Next(); err != nil || f.Header.Opcode != frame.Ping || time.Since(start) != 25*time.Second {
				a.Errorf("%v, %v after %v", f, err, time.Since(start))
			}
			a.wantOver(p)
			if d := time.Since(start); d != 45*time.Second {
				a.Errorf("cut after %v", d)
			}
		},
	},
	{
		what: "a closing handshake", value: "5 s for the peer's Close frame and the end of the stream", field: "conn.Limits.CloseTimeout", answer: "the stream is closed",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			p.Send(wstest.Text("\xff"))
			start := time.Now()
			if f, err := p.Next(); err != nil || f.Header.Opcode != frame.Close {
				a.Errorf("%v, %v", f, err)
			}
			go func() { // a flood is no answer
				for {
					if _, err := p.NetConn().Write(masked(wstest.Binary(make([]byte, 10000)))); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}()
			io.Copy(io.Discard, p.NetConn())
			time.Sleep(10 * time.Second)
			if d := time.Since(start); d > 20*time.Second {
				a.Errorf("closed after %v", d)
			}
		},
	},
	{
		what: "what comes after the peer's Close frame", value: "nothing counts (section 5.5.1)", answer: "it is not delivered",
		trip: func(a *arena) {
			a.raw()
			p := a.peer("")
			p.Send(wstest.Close(4000, "bye"), wstest.Text("late"), wstest.Ping("late"))
			p.Want(wstest.Close(4000, ""))
			p.WantEOF()
		},
	},
	{
		what: "a function that panics", value: "ends its own connection", field: "conn.Server.OnError", answer: "1011", says: "it was asked to",
		trip: func(a *arena) { a.wantClose(frame.StatusInternalError, wstest.Text("panic")) },
	},
	{
		what: "frames of a server with a mask, as a client", value: "none (section 5.1)", answer: "1002",
		trip: func(a *arena) {
			c, p := wstest.PipePeer(a, conn.RoleClient, nil)
			p.SendBytes([]byte{0x81, 0x81, 0, 0, 0, 0, 'a'})
			go c.Read(context.Background())
			p.WantClose(frame.StatusProtocolError)
			p.Close()
			<-c.Done()
		},
	},
}

// masked returns a frame as a client sends it.
func masked(f wstest.Frame) []byte {
	f.Header.Masked, f.Header.Length = true, int64(len(f.Payload))
	return f.Append(nil)
}
