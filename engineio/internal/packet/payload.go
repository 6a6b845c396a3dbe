package packet

import (
	"bytes"
	"iter"
)

// Separator separates the packets of a payload, the body of a request or
// response of long-polling (Engine.IO protocol v4, "Packet encoding"). It can't
// occur inside a packet: JSON escapes it, and base64 has no such character.
const Separator = 0x1E

// Payload returns the packets of a body, in order, as Parse returns them: their
// data is a view of body, and base64 text is decoded in place. That modifies
// body, which can be ranged over only once. Nothing is collected, so the number
// of packets costs no memory.
//
// The sequence ends with the first error. A body without a single byte is one
// empty packet, hence an error.
func Payload(body []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		for more := true; more; {
			var part []byte
			part, body, more = bytes.Cut(body, []byte{Separator})
			p, err := Parse(part)
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// AppendPayload appends p to the payload b, after a separator unless b is
// empty, and returns the longer slice. It does not keep p.Data, which must not
// hold a Separator unless p is binary.
func AppendPayload(b []byte, p Packet) []byte {
	if len(b) > 0 {
		b = append(b, Separator)
	}
	return p.Append(b)
}
