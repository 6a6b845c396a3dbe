// Package packet reads and writes the packets of the Engine.IO protocol, versions
// 4 and 3, alone or joined to payloads. It is pure: bytes to values and back,
// without I/O, locks or a clock.
package packet

import (
	"bytes"
	"encoding/base64"
)

// A Type says what a packet is for (Engine.IO protocol v4, "Packet types"). On
// the wire it is one digit.
type Type uint8

// The packet types of the protocol. All others are illegal.
const (
	Open    Type = iota // the handshake, from the server
	Close               // the end of the session, from either side
	Ping                // heartbeat, from the server; "probe" of an upgrade, from the client
	Pong                // the answer to a ping
	Message             // data of the application
	Upgrade             // the client moves to the transport that it has probed
	Noop                // ends a waiting GET and means nothing
)

// String returns the name that the protocol gives to t.
func (t Type) String() string {
	switch t {
	case Open:
		return "open"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Message:
		return "message"
	case Upgrade:
		return "upgrade"
	case Noop:
		return "noop"
	}
	return "unknown"
}

// A Packet is the unit that the two sides of a session exchange.
type Packet struct {
	Type   Type
	Binary bool   // the data is binary and not text; only a message may be
	Data   []byte // what follows the type
}

// An Error says which rule the bytes broke that are no packet. It holds nothing
// that the peer sent.
type Error struct {
	Reason string // the rule, in a few words
}

// Error returns the broken rule.
func (e *Error) Error() string { return "engine.io: " + e.Reason }

// The errors of Parse. They are values, compared by identity, so that refusing
// a packet allocates nothing.
var (
	ErrEmpty  error = &Error{"packet without a type"}
	ErrType   error = &Error{"unknown packet type"}
	ErrBase64 error = &Error{"binary packet is not base64"}
)

// binaryMark precedes the base64 text of a binary message on a transport that
// carries text alone.
const binaryMark = 'b'

// Parse reads one packet in its text form: the data of a WebSocket text
// message, or one part of a payload. The packet's Data is a view of b. The
// base64 text of a binary message is decoded in place, which modifies b. A
// WebSocket binary message is its own data and needs no parsing.
//
// Errors are of type *Error.
func Parse(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrEmpty
	}
	if b[0] == binaryMark {
		data, ok := decodeBase64(b[1:])
		if !ok {
			return Packet{}, ErrBase64
		}
		return Packet{Type: Message, Binary: true, Data: data}, nil
	}
	t := Type(b[0] - '0')
	if t > Noop {
		return Packet{}, ErrType
	}
	return Packet{Type: t, Data: b[1:]}, nil
}

// Append appends the text form of p to b and returns the longer slice. It does
// not keep p.Data. A binary packet is always written as a message, whatever its
// type.
func (p Packet) Append(b []byte) []byte {
	if p.Binary {
		b = append(b, binaryMark)
		return base64.StdEncoding.AppendEncode(b, p.Data)
	}
	b = append(b, '0'+byte(p.Type))
	return append(b, p.Data...)
}

// strictBase64 refuses padding bits that are not zero, and skips line breaks.
var strictBase64 = base64.StdEncoding.Strict()

// decodeBase64 decodes b in place, through a small buffer, because the decoder
// does not promise to work on overlapping slices. CR and LF are skipped, as MIME
// has them: the Java client breaks its lines (RFC 2045, section 6.8).
func decodeBase64(b []byte) (data []byte, ok bool) {
	if bytes.IndexByte(b, '\n') >= 0 || bytes.IndexByte(b, '\r') >= 0 {
		b = unbroken(b)
	}
	const groups = 192
	var buf [3 * groups]byte
	data = b[:0]
	for len(b) > 0 {
		piece := b[:min(len(b), 4*groups)]
		n, err := strictBase64.Decode(buf[:], piece)
		// Only the last piece may be padded.
		if err != nil || n < 3*groups && len(piece) < len(b) {
			return nil, false
		}
		b = b[len(piece):]
		data = append(data, buf[:n]...)
	}
	return data, true
}

// unbroken removes the line breaks from b, in place.
func unbroken(b []byte) []byte {
	whole := b[:0]
	for _, c := range b {
		if c != '\n' && c != '\r' {
			whole = append(whole, c)
		}
	}
	return whole
}
