package wstest

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// A Frame is a frame of a script. The functions Text, Binary, Cont, Ping, Pong
// and Close return frames with Fin set and without reserved bits. A test may
// change every field.
type Frame struct {
	// Header is the header that is sent. Peer.Send sets Masked and MaskKey for
	// the role of the Peer, and Length to the length of Payload. Peer.SendAsIs
	// sends Header unchanged.
	Header frame.Header
	// Payload is the payload before masking. A Frame that Peer.Next returns holds
	// the unmasked payload.
	Payload []byte
}

// Text returns a frame that holds a whole text message.
func Text(s string) Frame { return newFrame(frame.Text, []byte(s)) }

// Binary returns a frame that holds a whole binary message. The frame keeps p.
func Binary(p []byte) Frame { return newFrame(frame.Binary, p) }

// Cont returns a continuation frame, which is the last frame of its message.
func Cont(s string) Frame { return newFrame(frame.Continuation, []byte(s)) }

// Ping returns a Ping frame.
func Ping(s string) Frame { return newFrame(frame.Ping, []byte(s)) }

// Pong returns a Pong frame.
func Pong(s string) Frame { return newFrame(frame.Pong, []byte(s)) }

// Close returns a Close frame. With frame.StatusNoStatus its payload is empty.
func Close(code frame.StatusCode, reason string) Frame {
	return newFrame(frame.Close, frame.AppendClose(nil, code, reason))
}

func newFrame(op frame.Opcode, p []byte) Frame {
	return Frame{frame.Header{Fin: true, Opcode: op, Length: int64(len(p))}, p}
}

// More returns f as a frame that is not the last one of its message.
func (f Frame) More() Frame {
	f.Header.Fin = false
	return f
}

// Rsv returns f with the reserved bit of the given number set. It panics unless
// number is 1, 2 or 3.
func (f Frame) Rsv(number int) Frame {
	switch number {
	case 1:
		f.Header.Rsv1 = true
	case 2:
		f.Header.Rsv2 = true
	case 3:
		f.Header.Rsv3 = true
	default:
		panic("wstest: no such reserved bit")
	}
	return f
}

// Deflated returns f with Rsv1 set and its payload compressed as a whole message,
// without context takeover (RFC 7692, section 7.2.1).
func (f Frame) Deflated() Frame {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		panic(err)
	}
	w.Write(f.Payload)
	w.Flush()
	f.Payload = bytes.TrimSuffix(b.Bytes(), []byte(flushTail))
	f.Header.Rsv1, f.Header.Length = true, int64(len(f.Payload))
	return f
}

// Append appends the wire form of f to b and returns the extended slice. The
// header is appended unchanged. The payload is masked with MaskKey if Masked is
// set.
func (f Frame) Append(b []byte) []byte {
	b = f.Header.Append(b)
	start := len(b)
	b = append(b, f.Payload...)
	if f.Header.Masked {
		mask.Bytes(b[start:], f.Header.MaskKey, 0)
	}
	return b
}

// String describes f in one line.
func (f Frame) String() string {
	var b strings.Builder
	b.WriteString(f.Header.Opcode.String())
	for _, bit := range []struct {
		set  bool
		name string
	}{
		{!f.Header.Fin, "more"}, {f.Header.Rsv1, "rsv1"}, {f.Header.Rsv2, "rsv2"}, {f.Header.Rsv3, "rsv3"},
	} {
		if bit.set {
			b.WriteString(" " + bit.name)
		}
	}
	if f.Header.Opcode == frame.Close {
		if code, reason, err := frame.ParseClose(f.Payload); err == nil {
			return fmt.Sprintf("%s %v %q", b.String(), code, reason)
		}
	}
	return b.String() + " " + short(f.Payload)
}

// short describes p in a few words.
func short(p []byte) string {
	const shown = 64
	if len(p) <= shown {
		return fmt.Sprintf("%q", p)
	}
	return fmt.Sprintf("%q... (%d bytes)", p[:shown], len(p))
}

// sameAs reports whether f and g are equal but for their masking.
func (f Frame) sameAs(g Frame) bool {
	a, b := f.Header, g.Header
	return a.Fin == b.Fin && a.Rsv1 == b.Rsv1 && a.Rsv2 == b.Rsv2 && a.Rsv3 == b.Rsv3 &&
		a.Opcode == b.Opcode && bytes.Equal(f.Payload, g.Payload)
}
