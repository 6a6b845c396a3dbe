package wstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// A Peer is one end of a connection after its handshake, driven frame by frame by
// a script. It sends nothing on its own: it answers neither Pings nor Close
// frames.
//
// CloseWrite and the methods whose names begin with Send or Want end the test
// when they fail, and the goroutine that runs the test must call them. Next may
// be called from any goroutine. Only Close may be called while another method
// runs.
type Peer struct {
	// Timeout is how long a call may wait. Zero means without limit. NewPeer sets
	// one minute.
	Timeout time.Duration

	tb     testing.TB
	nc     net.Conn
	client bool
	keys   *rand.ChaCha8 // source of masking keys, the same in every run

	came   []byte // bytes that were read and not used up
	window []byte // the last bytes of earlier messages, which later messages may refer to
}

// maxWindow is how far back deflated data may refer, in bytes (RFC 1951, section
// 2).
const maxWindow = 32 << 10

// NewPeer returns a Peer that plays the given role on nc. A Peer with
// conn.RoleClient masks what it sends and expects unmasked frames. nc is closed
// when the test ends.
func NewPeer(tb testing.TB, nc net.Conn, role conn.Role) *Peer {
	tb.Cleanup(func() { nc.Close() })
	return &Peer{
		Timeout: time.Minute,
		tb:      tb,
		nc:      nc,
		client:  role == conn.RoleClient,
		keys:    rand.NewChaCha8([32]byte{}),
	}
}

// NetConn returns the stream. The caller of NetConn can't read bytes that the
// Peer has already read from it.
func (p *Peer) NetConn() net.Conn { return p.nc }

// Send sends frames in one write. It sets the masking of each frame for p's role,
// and its Length, in the slice that is passed.
func (p *Peer) Send(frames ...Frame) {
	p.tb.Helper()
	for i := range frames {
		f := &frames[i]
		f.Header.Length = int64(len(f.Payload))
		if f.Header.Masked = p.client; p.client {
			p.keys.Read(f.Header.MaskKey[:])
		}
	}
	p.SendAsIs(frames...)
}

// SendAsIs sends frames in one write, with their headers unchanged, even if the
// headers are wrong.
func (p *Peer) SendAsIs(frames ...Frame) {
	p.tb.Helper()
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	p.SendBytes(b)
}

// SendBytes sends the bytes of b in one write.
func (p *Peer) SendBytes(b []byte) {
	p.tb.Helper()
	p.nc.SetWriteDeadline(p.deadline())
	if _, err := p.nc.Write(b); err != nil {
		p.tb.Fatalf("wstest: send of %d bytes: %v", len(b), err)
	}
}

// CloseWrite ends p's direction of the stream, so that the other side reads EOF.
// It fails the test if the stream has no CloseWrite method.
func (p *Peer) CloseWrite() {
	p.tb.Helper()
	h, ok := p.nc.(interface{ CloseWrite() error })
	if !ok {
		p.tb.Fatalf("wstest: %T can't be half-closed", p.nc)
	}
	if err := h.CloseWrite(); err != nil {
		p.tb.Fatalf("wstest: half-close: %v", err)
	}
}

// Close closes the stream, without a Close frame.
func (p *Peer) Close() error { return p.nc.Close() }

// Next waits for the next frame and returns it. It returns an error for a frame
// that no peer may send: one with the wrong masking for its role, or with an
// illegal length. The error is io.EOF if the stream ended between two frames, and
// io.ErrUnexpectedEOF if it ended within a frame. After a timeout Next may be
// called again; no byte is lost.
func (p *Peer) Next() (Frame, error) {
	for {
		h, n, err := frame.Parse(p.came)
		if err != nil {
			return Frame{}, err
		}
		if n > 0 && int64(len(p.came)-n) >= h.Length {
			f := Frame{h, bytes.Clone(p.came[n : n+int(h.Length)])}
			p.came = p.came[n+int(h.Length):]
			return f, p.unmask(f)
		}
		if err := p.fill(); err != nil {
			if err == io.EOF && len(p.came) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return Frame{}, err
		}
	}
}

// unmask unmasks the payload of f in place. It returns an error if f has the
// wrong masking for its sender.
func (p *Peer) unmask(f Frame) error {
	if f.Header.Masked == p.client {
		return fmt.Errorf("wstest: masked is %t, which RFC 6455, section 5.1, forbids here: %v", f.Header.Masked, f)
	}
	if f.Header.Masked {
		mask.Bytes(f.Payload, f.Header.MaskKey, 0)
	}
	return nil
}

// fill reads once and appends to p.came.
func (p *Peer) fill() error {
	p.nc.SetReadDeadline(p.deadline())
	b := make([]byte, max(4<<10, len(p.came)))
	n, err := p.nc.Read(b)
	p.came = append(p.came, b[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// deadline returns the time by which a call that begins now must end.
func (p *Peer) deadline() time.Time {
	if p.Timeout <= 0 {
		return time.Time{}
	}
	return time.Now().Add(p.Timeout)
}

// Want waits for the given frames, in order. It compares everything but the
// masking.
func (p *Peer) Want(frames ...Frame) {
	p.tb.Helper()
	for _, want := range frames {
		got, err := p.Next()
		if err != nil {
			p.tb.Fatalf("wstest: got %v, want %v", err, want)
		}
		if !got.sameAs(want) {
			p.tb.Fatalf("wstest: got %v, want %v", got, want)
		}
	}
}

// WantMessage waits for a message with the given opcode and payload. The message
// may come in any number of frames and may be compressed. No control frame may
// come before its end.
func (p *Peer) WantMessage(op frame.Opcode, payload []byte) {
	p.tb.Helper()
	got, err := p.message()
	if err != nil {
		p.tb.Fatalf("wstest: got %v, want a %v message %s", err, op, short(payload))
	}
	if got.Header.Opcode != op || !bytes.Equal(got.Payload, payload) {
		p.tb.Fatalf("wstest: got a message %v, want %v %s", got, op, short(payload))
	}
}

// message reads a message and returns it as one uncompressed frame.
func (p *Peer) message() (Frame, error) {
	m, err := p.Next()
	if err != nil {
		return m, err
	}
	if m.Header.Opcode != frame.Text && m.Header.Opcode != frame.Binary {
		return m, fmt.Errorf("%v", m)
	}
	for !m.Header.Fin {
		f, err := p.Next()
		if err != nil {
			return m, err
		}
		if f.Header.Opcode != frame.Continuation {
			return m, fmt.Errorf("%v within a message", f)
		}
		m.Header.Fin = f.Header.Fin
		m.Payload = append(m.Payload, f.Payload...)
	}
	if m.Header.Rsv1 {
		m.Header.Rsv1 = false
		m.Payload, err = p.inflate(m.Payload)
	}
	return m, err
}

// WantClose waits for a Close frame with the given code and returns its reason.
func (p *Peer) WantClose(code frame.StatusCode) (reason string) {
	p.tb.Helper()
	f, err := p.Next()
	if err != nil {
		p.tb.Fatalf("wstest: got %v, want close %v", err, code)
	}
	if f.Header.Opcode != frame.Close {
		p.tb.Fatalf("wstest: got %v, want close %v", f, code)
	}
	got, reason, err := frame.ParseClose(f.Payload)
	if err != nil || got != code || len(f.Payload) > frame.MaxControlPayload {
		p.tb.Fatalf("wstest: got %v (%v), want close %v", f, err, code)
	}
	return reason
}

// WantEOF waits for the orderly end of the stream. Any byte before the end fails
// the test.
func (p *Peer) WantEOF() {
	p.tb.Helper()
	f, err := p.Next()
	switch {
	case err == nil:
		p.tb.Fatalf("wstest: got %v, want EOF", f)
	case !errors.Is(err, io.EOF):
		p.tb.Fatalf("wstest: got %v, want EOF", err)
	}
}

// WantSilence waits for d. Any byte, and the end of the stream, fails the test if
// it comes before d is over. WantSilence is meant for bubbles of
// testing/synctest: elsewhere it costs the time d.
func (p *Peer) WantSilence(d time.Duration) {
	p.tb.Helper()
	defer func(before time.Duration) { p.Timeout = before }(p.Timeout)
	p.Timeout = d
	f, err := p.Next()
	if err == nil {
		p.tb.Fatalf("wstest: got %v, want nothing for %v", f, d)
	}
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() || len(p.came) > 0 {
		p.tb.Fatalf("wstest: got %v with %d bytes, want nothing for %v", err, len(p.came), d)
	}
}
