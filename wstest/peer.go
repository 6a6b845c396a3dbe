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

// A Peer is one end of a connection, on which the handshake is done, and which
// a script drives frame by frame. It answers nothing by itself.
//
// The methods whose names begin with Send or Want end the test when they fail,
// and must be called by the goroutine that runs the test; Next may be called
// by any, one at a time.
type Peer struct {
	// Timeout is how long a call may wait. Zero is for ever; NewPeer sets a
	// minute.
	Timeout time.Duration

	tb     testing.TB
	nc     net.Conn
	client bool
	keys   *rand.ChaCha8 // of masks: the same in every run

	came   []byte // and not yet used up
	window []byte // the last octets of messages that came, for the next to refer to
}

// maxWindow is how far back deflated data may refer (RFC 1951, section 2).
const maxWindow = 32 << 10

// NewPeer returns a Peer that speaks on nc in the given role: a Peer with
// conn.RoleClient masks what it sends, and talks to a server. nc is closed
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

// NetConn returns the stream. What the Peer has read of it already is lost to
// others.
func (p *Peer) NetConn() net.Conn { return p.nc }

// Send sends frames in one write, with the masking that p's role demands and
// the length of their payloads.
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

// SendAsIs sends frames in one write, each with the header that it has,
// whether it is true or not.
func (p *Peer) SendAsIs(frames ...Frame) {
	p.tb.Helper()
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	p.SendOctets(b)
}

// SendOctets sends b as it is.
func (p *Peer) SendOctets(b []byte) {
	p.tb.Helper()
	p.nc.SetWriteDeadline(p.deadline())
	if _, err := p.nc.Write(b); err != nil {
		p.tb.Fatalf("wstest: send of %d octets: %v", len(b), err)
	}
}

// CloseWrite ends p's direction of the stream: the other side reads EOF.
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

// Next returns the next frame. It fails on one that no peer may send: with the
// wrong masking for its role, or a length not in its shortest form. io.EOF
// says that the stream ended between two frames, io.ErrUnexpectedEOF that it
// ended within one. After a timeout Next may be called again: nothing is lost.
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

// unmask unmasks the payload of f in place, once its masking is found right.
func (p *Peer) unmask(f Frame) error {
	if f.Header.Masked == p.client {
		return fmt.Errorf("wstest: masked is %t, which RFC 6455, section 5.1, forbids here: %v", f.Header.Masked, f)
	}
	if f.Header.Masked {
		mask.Bytes(f.Payload, f.Header.MaskKey, 0)
	}
	return nil
}

// fill reads once, behind what has come.
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

// deadline returns when a call that begins now has to be over.
func (p *Peer) deadline() time.Time {
	if p.Timeout <= 0 {
		return time.Time{}
	}
	return time.Now().Add(p.Timeout)
}

// Want waits for frames, one after the other, and compares all but their masks.
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

// WantMessage waits for a message, in any number of frames, compressed or not,
// but without control frames in between.
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

// message reads a message and returns it as one frame that is not compressed.
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

// WantEOF waits for the orderly end of the stream, and fails on any octet
// before it.
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

// WantSilence waits for d and fails on any octet, or the end, before it has
// gone. It is meant for bubbles of testing/synctest.
func (p *Peer) WantSilence(d time.Duration) {
	p.tb.Helper()
	defer func(before time.Duration) { p.Timeout = before }(p.Timeout)
	p.Timeout = d
	f, err := p.Next()
	if err == nil {
		p.tb.Fatalf("wstest: got %v, want nothing for %v", f, d)
	}
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() || len(p.came) > 0 {
		p.tb.Fatalf("wstest: got %v with %d octets, want nothing for %v", err, len(p.came), d)
	}
}
