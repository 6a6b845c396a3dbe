package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
	"github.com/gorilla/websocket"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A bytesConn is a connection whose peer has sent some bytes and then nothing more, and
// takes whatever is written.
type bytesConn struct{ *bytes.Reader }

func (bytesConn) Write(p []byte) (int, error)      { return len(p), nil }
func (bytesConn) Close() error                     { return nil }
func (bytesConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (bytesConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (bytesConn) SetDeadline(time.Time) error      { return nil }
func (bytesConn) SetReadDeadline(time.Time) error  { return nil }
func (bytesConn) SetWriteDeadline(time.Time) error { return nil }

// A hijacked is the response to a handshake that takes the connection over.
type hijacked struct {
	http.ResponseWriter
	c net.Conn
}

func (hijacked) Header() http.Header { return http.Header{} }

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.c, bufio.NewReadWriter(bufio.NewReader(h.c), bufio.NewWriter(h.c)), nil
}

const (
	length  = "payload length not in its shortest form"
	text    = "text is not UTF-8"
	corrupt = "compressed message does not inflate" // after a block that is marked as the last one
)

// readers read what a client has sent, and return its messages up to the first error.
var readers = []struct {
	name string
	read func(stream []byte, deflate bool) ([]message, error)
	// more are the reasons of ours to stop where this reader may go on.
	more []string
}{
	{"gorilla", gorillaReads, []string{length, text, corrupt}},
	{"gobwas", gobwasReads, []string{length, text, corrupt, "RSV2 or RSV3 set"}},
}

func ourReads(stream []byte, deflate bool) (all []message, err error) {
	hs := &handshake.Result{Conn: bytesConn{bytes.NewReader(stream)}}
	if deflate {
		hs.Deflate = &handshake.Deflate{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	}
	c, err := conn.New(hs, conn.RoleServer, &conn.Options{Limits: conn.Limits{CloseTimeout: time.Millisecond}})
	if err != nil {
		return nil, err
	}
	defer c.CloseNow()
	for {
		t, p, err := c.Read(context.Background())
		if err != nil {
			return all, err
		}
		op := frame.Text
		if t == conn.Binary {
			op = frame.Binary
		}
		all = append(all, message{op: op, payload: p})
	}
}

func gorillaReads(stream []byte, deflate bool) (all []message, err error) {
	header := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Extensions": {"permessage-deflate"},
	}
	upgrader := websocket.Upgrader{EnableCompression: deflate}
	w := hijacked{c: bytesConn{bytes.NewReader(stream)}}
	// Data before the handshake is complete would be refused: the buffer is empty, as nothing was read.
	c, err := upgrader.Upgrade(w, &http.Request{Method: http.MethodGet, Header: header}, nil)
	if err != nil {
		return nil, err
	}
	for {
		op, p, err := c.ReadMessage()
		if err != nil {
			return all, err
		}
		all = append(all, message{op: frame.Opcode(op), payload: p})
	}
}

func gobwasReads(stream []byte, deflate bool) (all []message, err error) {
	r := wsutil.Reader{Source: bytes.NewReader(stream), State: ws.StateServerSide, MaxFrameSize: 2 * maxMessage}
	var state wsflate.MessageState
	if deflate {
		r.State |= ws.StateExtended
		r.Extensions = []wsutil.RecvExtension{&state}
	}
	for {
		h, err := r.NextFrame()
		if err != nil {
			return all, err
		}
		p, err := io.ReadAll(&r)
		if err != nil {
			return all, err
		}
		switch {
		case h.OpCode == ws.OpClose:
			return all, closedError{}
		case h.OpCode.IsControl():
			continue
		case state.IsCompressed():
			if p, err = wsflate.DefaultHelper.Decompress(p); err != nil {
				return all, err
			}
		}
		all = append(all, message{op: frame.Opcode(h.OpCode), payload: p})
	}
}

// In whatever a client sends, two other readers find the messages that ours does, and more only
// if ours stops at a limit, or at a rule that they don't keep.
func FuzzReaders(f *testing.F) {
	for seed := range uint64(16) {
		f.Add(clientStream(seed, seed%2 == 0), seed%2 == 0)
	}
	f.Add([]byte("\x82\xfe\x00\x01\x00\x00\x00\x00a\x81\x81\x00\x00\x00\x00b"), false)
	for _, stream := range floods() {
		f.Add(stream, true)
	}
	f.Add([]byte("\x88\x82\x00\x00\x00\x00\x03\xe8\x81\x81\x00\x00\x00\x00b"), false)
	f.Fuzz(func(t *testing.T, stream []byte, deflate bool) {
		stream = stream[:min(len(stream), 1<<16)] // more takes too long
		ours, err := ourReads(stream, deflate)
		broken, _ := errors.AsType[*frame.Error](err)
		for _, r := range readers {
			theirs, theirErr := r.read(bytes.Clone(stream), deflate)
			for i := range min(len(ours), len(theirs)) {
				if theirs[i].op != ours[i].op || !bytes.Equal(theirs[i].payload, ours[i].payload) {
					t.Fatalf("message %d: %s finds %v %.50x, ours %v %.50x", i, r.name, theirs[i].op, theirs[i].payload, ours[i].op, ours[i].payload)
				}
			}
			more := broken != nil && (slices.Contains(r.more, broken.Reason) || overLimit(broken))
			// Gorilla takes a compressed message as complete after a block that is marked as the last
			// one, whether or not its last fragment has come.
			more = more || deflate && r.name == "gorilla" && len(theirs) == len(ours)+1
			if len(theirs) < len(ours) || len(theirs) > len(ours) && !more {
				t.Fatalf("%s finds %d messages, then %v; ours %d, then %v", r.name, len(theirs), theirErr, len(ours), err)
			}
		}
	})
}

// overLimit reports whether a reader stopped at a limit of its own rather than at a rule of
// RFC 6455.
func overLimit(err *frame.Error) bool {
	return err.Code == frame.StatusPolicyViolation || err.Code == frame.StatusMessageTooBig
}

// floods returns streams that exceed the limits of ours alone, with a message after that.
func floods() [][]byte {
	masked := func(opcode frame.Opcode, fin, rsv1 bool, p string) string {
		return string(frame.Header{Fin: fin, Rsv1: rsv1, Opcode: opcode, Masked: true, Length: int64(len(p))}.Append(nil)) + p
	}
	zeros, _ := wsflate.DefaultHelper.Compress(make([]byte, maxMessage+1))
	last := masked(frame.Text, true, false, "a")
	return [][]byte{
		[]byte(strings.Repeat(masked(frame.Ping, true, false, ""), 2000) + last),
		[]byte(masked(frame.Text, false, false, "") + strings.Repeat(masked(frame.Continuation, false, false, ""), 2000) + masked(frame.Continuation, true, false, "") + last),
		[]byte(masked(frame.Binary, true, true, string(zeros)) + last),
	}
}

// clientStream returns what a client might send: messages of all lengths in fragments, with
// Pings between them, and a Close frame.
func clientStream(seed uint64, deflate bool) (b []byte) {
	r := rand.New(rand.NewPCG(seed, 13))
	add := func(h frame.Header, p []byte) {
		h.Masked, h.Length = true, int64(len(p))
		b = append(h.Append(b), p...) // the key is 0
	}
	for range 1 + r.IntN(4) {
		p := randomText(r, r.IntN(300))
		compressed := deflate && r.IntN(4) > 0
		if compressed {
			p, _ = wsflate.DefaultHelper.Compress(p)
		}
		n := 1 + r.IntN(3)
		for i, part := range parts(p, n) {
			h := frame.Header{Fin: i == n-1, Opcode: frame.Continuation}
			if i == 0 {
				h.Opcode, h.Rsv1 = frame.Text, compressed
			}
			add(h, part)
			if r.IntN(3) == 0 {
				add(frame.Header{Fin: true, Opcode: frame.Ping}, []byte("ping"))
			}
		}
	}
	if r.IntN(2) == 0 {
		add(frame.Header{Fin: true, Opcode: frame.Close}, []byte("\x03\xe8bye"))
	}
	return b
}
