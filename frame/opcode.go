package frame

import "strconv"

// An Opcode says how to read a frame's payload (RFC 6455, sections 5.2 and
// 11.8). It is a number of four bits.
type Opcode uint8

// The opcodes that RFC 6455 defines. All others are reserved.
const (
	Continuation Opcode = 0x0 // the next fragment of the current message
	Text         Opcode = 0x1 // a UTF-8 message, or its first fragment
	Binary       Opcode = 0x2 // a message of any bytes, or its first fragment
	Close        Opcode = 0x8 // begins or answers the closing handshake
	Ping         Opcode = 0x9 // asks for a Pong with the same payload
	Pong         Opcode = 0xA // answers a Ping, or is an unsolicited heartbeat
)

// IsControl reports whether o is in the range of the control frames, 0x8 to
// 0xF, which includes the reserved ones (RFC 6455, section 5.5).
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

// IsReserved reports whether RFC 6455 leaves o undefined. A receiver must fail
// the connection on a frame with a reserved opcode (section 5.2).
func (o Opcode) IsReserved() bool { return o > Binary && o < Close || o > Pong }

// String returns the name that RFC 6455 gives to o, in lower case.
func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return "reserved opcode " + strconv.Itoa(int(o))
}
