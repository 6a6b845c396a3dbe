package conn_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/octetwise"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/mask"
)

// The scripts of the protocol tests are octets as the RFC prints them, one
// string for each frame, unmasked: they are masked where the peer is a client.
// What comes back is compared as a transcript, one line for each frame or
// message:
//
//	close 1002          a Close frame with this code, of whatever reason
//	pong 6869           a control frame with its payload
//	text Hello          a message, as Read returns it
//
// and the end of reading: "closed 1000 bye" (the peer's Close), "failed 1002"
// (the peer broke a rule), "cut".

// asIs marks a frame of a script that is sent with its mask bit as it stands.
const asIs = "as is "

// endOfStream in a script is the peer's half-close.
const endOfStream = "end of stream"

// A transcript is what one side of an exchange saw.
type transcript []string

func (t transcript) String() string { return strings.Join(t, "\n") }

// play connects a Conn in the given role with a scripted peer and returns the
// frames that the Conn sent and what its reads returned.
func play(t *testing.T, role conn.Role, o *conn.Options, terms *handshake.Deflate, cut bool, script ...string) (sent, read transcript) {
	t.Helper()
	ours, peer := pipe.New()
	defer peer.Close()
	peer.SetDeadline(time.Now().Add(20 * time.Second))
	if cut {
		ours = octetwise.New(ours)
	}
	c := must(conn.New(&handshake.Result{Conn: ours, Deflate: terms}, role, o))
	defer c.CloseNow()
	ended := make(chan transcript)
	go func() { ended <- readAll(t.Context(), c) }()
	for _, s := range script {
		sendScript(t, peer, role, s)
	}
	sent = receiveAll(t, peer, role)
	return sent, <-ended
}

// sendScript sends one line of a script to a Conn in the given role.
func sendScript(t *testing.T, peer net.Conn, role conn.Role, s string) {
	t.Helper()
	if s == endOfStream {
		if err := peer.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		return
	}
	s, literal := strings.CutPrefix(s, asIs)
	b := octets(t, s)
	if role == conn.RoleServer && !literal {
		b = masked(b)
	}
	peer.Write(b) // an error is for the reads to find
}

// octets reads hexadecimal digits with spaces between them.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// masked returns one unmasked frame masked, or its beginning as far as b goes.
func masked(b []byte) []byte {
	header := 2
	switch b[1] & 0x7F {
	case 126:
		header = 4
	case 127:
		header = 10
	}
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	out := append([]byte{}, b[:header]...)
	out[1] |= 0x80
	out = append(out, key[:]...)
	for i, c := range b[header:] {
		out = append(out, c^key[i%4])
	}
	return out
}

// readAll is the application: it reads until the end.
func readAll(ctx context.Context, c *conn.Conn) (read transcript) {
	for {
		op, p, err := c.Read(ctx)
		if err != nil {
			return append(read, ending(err))
		}
		read = append(read, messageLine(op, p))
	}
}

// ending puts the error that ends reading in a line.
func ending(err error) string {
	if e, ok := errors.AsType[*conn.CloseError](err); ok {
		return strings.TrimSpace(fmt.Sprintf("closed %d %s", e.Code, e.Reason))
	}
	if e, ok := errors.AsType[*frame.Error](err); ok {
		return fmt.Sprintf("failed %d", e.Code)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "cut"
	}
	return err.Error()
}

// messageLine puts a message in a line.
func messageLine(t conn.MessageType, p []byte) string {
	if t == conn.Text {
		return line(frame.Text, p)
	}
	return line(frame.Binary, p)
}

// line puts a frame or a message in a line, a long payload as its length.
func line(op frame.Opcode, p []byte) string {
	switch {
	case op == frame.Close && len(p) >= 2:
		return fmt.Sprintf("close %d", int(p[0])<<8|int(p[1]))
	case len(p) > 125:
		return fmt.Sprintf("%v of %d octets", op, len(p))
	case op == frame.Text:
		return strings.TrimSpace("text " + string(p))
	default:
		return strings.TrimSpace(fmt.Sprintf("%v %x", op, p))
	}
}

// receiveAll reads frames until the stream ends, and does what a peer does:
// once the Close frame has come it ends the stream.
func receiveAll(t *testing.T, peer net.Conn, role conn.Role) (sent transcript) {
	t.Helper()
	for _, f := range receiveFrames(t, peer, role) {
		sent = append(sent, line(f.Opcode, f.payload))
	}
	return sent
}

// A received frame is one that the Conn sent, unmasked.
type received struct {
	frame.Header
	payload []byte
	raw     []byte // as it came
}

// receiveFrames reads frames until the stream ends. It fails the test on one
// that no endpoint may send (RFC 6455, sections 5.1, 5.2 and 5.5).
func receiveFrames(t *testing.T, peer net.Conn, role conn.Role) (frames []received) {
	t.Helper()
	var have []byte
	for {
		h, n, err := frame.Parse(have)
		if err != nil {
			t.Fatalf("sent: %v", err)
		}
		if n > 0 && int64(len(have)-n) >= h.Length {
			size := n + int(h.Length)
			f := received{h, append([]byte{}, have[n:size]...), have[:size:size]}
			have = have[size:]
			checkSent(t, f, role)
			mask.Bytes(f.payload, f.MaskKey, 0)
			frames = append(frames, f)
			if f.Opcode == frame.Close {
				peer.(interface{ CloseWrite() error }).CloseWrite()
			}
			continue
		}
		buf := make([]byte, 4096)
		n, err = peer.Read(buf)
		have = append(have, buf[:n]...)
		if err == io.EOF || errors.Is(err, io.ErrClosedPipe) {
			break
		}
		if err != nil {
			t.Fatalf("the Conn does not end: %v; so far %v", err, frames)
		}
	}
	if len(have) > 0 {
		t.Fatalf("sent half a frame: % x", have)
	}
	return frames
}

// checkSent holds each frame that we send to what holds for all.
func checkSent(t *testing.T, f received, role conn.Role) {
	t.Helper()
	switch {
	case f.Masked != (role == conn.RoleClient):
		t.Errorf("sent with the mask bit %t: % x", f.Masked, f.raw[:2])
	case f.Rsv2 || f.Rsv3 || f.Opcode.IsReserved():
		t.Errorf("sent reserved bits: % x", f.raw[:2])
	case f.Rsv1 && (f.Opcode.IsControl() || f.Opcode == frame.Continuation):
		t.Errorf("sent with RSV1: % x", f.raw[:2])
	case f.Opcode.IsControl() && (!f.Fin || f.Length > 125):
		t.Errorf("sent as a control frame: % x", f.raw[:2])
	}
}
