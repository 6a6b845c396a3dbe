package packet

import (
	"bytes"
	"iter"
)

// A Form is a way to write packets one after the other, as a payload: the body of
// a request or response of long-polling.
type Form struct {
	// ContentType is that of a response.
	ContentType string
	// Text says that the whole body is text, which the caller checks: it must be
	// UTF-8. In a form that is not text, Packets checks what is text in it.
	Text bool

	next   func(body []byte) (p Packet, rest []byte, err error) // rest is nil after the last packet
	append func(b []byte, p Packet) []byte
}

// Packets returns the packets of a body, in order: their data is a view of body,
// and base64 text is decoded in place. That modifies body, which can be ranged over
// only once. Nothing is collected, so the number of packets costs no memory.
//
// The sequence ends with the first error. A body without a single byte is an
// error.
func (f *Form) Packets(body []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		for {
			p, rest, err := f.next(body)
			if !yield(p, err) || err != nil || rest == nil {
				return
			}
			body = rest
		}
	}
}

// Append appends p to the payload b and returns the longer slice. It does not keep
// p.Data, which must be UTF-8 unless p is binary. In the form of version 4 it must
// not hold a Separator then.
func (f *Form) Append(b []byte, p Packet) []byte { return f.append(b, p) }

// Separator separates the packets of a payload (Engine.IO protocol v4, "Packet
// encoding"). It can't occur inside a packet: JSON escapes it, and base64 has no
// such character.
const Separator = 0x1E

// textType is the type of a response that is text.
const textType = "text/plain; charset=UTF-8"

// separated is the form of version 4: packets with Separators between them.
var separated = Form{ContentType: textType, Text: true, next: cutSeparated, append: appendSeparated}

func cutSeparated(body []byte) (Packet, []byte, error) {
	part, rest, _ := bytes.Cut(body, []byte{Separator})
	p, err := Parse(part)
	return p, rest, err
}

func appendSeparated(b []byte, p Packet) []byte {
	if len(b) > 0 {
		b = append(b, Separator)
	}
	return p.Append(b)
}
