package engineio

import (
	"bytes"
	"encoding/base64"
)

// A PacketType says what a packet is for (Engine.IO protocol v4, "Packet
// types"). On the wire it is one digit.
type PacketType uint8

// The packet types of the protocol. All others are illegal.
const (
	TypeOpen    PacketType = iota // the handshake, from the server
	TypeClose                     // the end of the session, from either side
	TypePing                      // heartbeat, from the server; "probe" of an upgrade, from the client
	TypePong                      // the answer to a ping
	TypeMessage                   // data of the application
	TypeUpgrade                   // the client moves to the transport that it has probed
	TypeNoop                      // ends a waiting GET and means nothing
)

// String returns the name that the protocol gives to t.
func (t PacketType) String() string {
	switch t {
	case TypeOpen:
		return "open"
	case TypeClose:
		return "close"
	case TypePing:
		return "ping"
	case TypePong:
		return "pong"
	case TypeMessage:
		return "message"
	case TypeUpgrade:
		return "upgrade"
	case TypeNoop:
		return "noop"
	}
	return "unknown"
}

// A Packet is the unit that the two sides of a session exchange.
type Packet struct {
	Type   PacketType
	Binary bool   // octets instead of text; only of a message
	Data   []byte // what stands behind the type
}

// A PacketError tells why octets are no packet. It holds nothing that the peer
// sent.
type PacketError struct {
	Reason string // the rule that was broken, in a few words
}

// Error returns the broken rule.
func (e *PacketError) Error() string { return "engine.io: " + e.Reason }

// Errors that ParsePacket returns. They are values, compared by identity, so
// that refusing a packet allocates nothing.
var (
	ErrPacketEmpty  error = &PacketError{"packet without a type"}
	ErrPacketType   error = &PacketError{"unknown packet type"}
	ErrPacketBase64 error = &PacketError{"binary packet is not base64"}
)

// binaryMark stands before the base64 text of a binary message, where a
// transport carries text alone.
const binaryMark = 'b'

// ParsePacket reads one packet in its text form: the data of a WebSocket text
// message, or what stands between the separators of a payload. Data is a view
// of b. The base64 text of a binary message is decoded in place, so b is
// modified then. A WebSocket binary message is its own data and needs no
// parsing.
//
// Errors are of type *PacketError.
func ParsePacket(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrPacketEmpty
	}
	if b[0] == binaryMark {
		data, ok := decodeBase64(b[1:])
		if !ok {
			return Packet{}, ErrPacketBase64
		}
		return Packet{Type: TypeMessage, Binary: true, Data: data}, nil
	}
	t := PacketType(b[0] - '0')
	if t > TypeNoop {
		return Packet{}, ErrPacketType
	}
	return Packet{Type: t, Data: b[1:]}, nil
}

// Append appends the text form of p to b and returns the longer slice. It does
// not keep p.Data. Of a binary packet the type is not looked at: it is a
// message.
func (p Packet) Append(b []byte) []byte {
	if p.Binary {
		b = append(b, binaryMark)
		return base64.StdEncoding.AppendEncode(b, p.Data)
	}
	b = append(b, '0'+byte(p.Type))
	return append(b, p.Data...)
}

// strictBase64 refuses unused bits that are not zero. Line breaks, which it
// would skip, are refused by decodeBase64: one value has one text.
var strictBase64 = base64.StdEncoding.Strict()

// decodeBase64 decodes b in place, by way of a small buffer since the decoder
// does not promise to work on overlapping slices.
func decodeBase64(b []byte) (data []byte, ok bool) {
	if bytes.IndexByte(b, '\n') >= 0 || bytes.IndexByte(b, '\r') >= 0 {
		return nil, false
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
