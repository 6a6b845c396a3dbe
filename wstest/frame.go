package wstest

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// A Frame is a frame of a script. The functions of this package that return
// one leave it whole, final and without reserved bits; every field may be set
// to something else.
type Frame struct {
	// Header is completed by Peer.Send: Masked and MaskKey as the Peer's role
	// demands, Length as Payload is long. Peer.SendAsIs leaves it alone.
	Header frame.Header
	// Payload is the payload as the application sees it: it is masked when
	// the frame is sent.
	Payload []byte
}

// Text returns a frame that holds a whole text message.
func Text(s string) Frame { return newFrame(frame.Text, []byte(s)) }

// Binary returns a frame that holds a whole binary message. It keeps p.
func Binary(p []byte) Frame { return newFrame(frame.Binary, p) }

// Cont returns a continuation frame, the last one of its message.
func Cont(s string) Frame { return newFrame(frame.Continuation, []byte(s)) }

// Ping returns a Ping frame.
func Ping(s string) Frame { return newFrame(frame.Ping, []byte(s)) }

// Pong returns a Pong frame.
func Pong(s string) Frame { return newFrame(frame.Pong, []byte(s)) }

// Close returns a Close frame; frame.StatusNoStatus makes its payload empty.
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

// Rsv returns f with the reserved bit of the given number, 1 to 3, set.
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

// Deflated returns f with its payload compressed as a whole message without
// context takeover, and Rsv1 set (RFC 7692, section 7.2.1).
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

// Append appends f to b as it goes over the wire: the header as it is, the
// payload masked with its key if it is Masked.
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
	return fmt.Sprintf("%q... (%d octets)", p[:shown], len(p))
}

// sameAs reports whether f and g differ in nothing but their masking.
func (f Frame) sameAs(g Frame) bool {
	a, b := f.Header, g.Header
	return a.Fin == b.Fin && a.Rsv1 == b.Rsv1 && a.Rsv2 == b.Rsv2 && a.Rsv3 == b.Rsv3 &&
		a.Opcode == b.Opcode && bytes.Equal(f.Payload, g.Payload)
}
