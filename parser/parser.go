// Package parser is the seam between the events of Socket.IO and their form on
// the wire. A Parser turns packets into messages and back; package socketio takes
// one in its options, and has the text form of the protocol without any. The
// module parser/msgpack has another one.
//
// All clients of a server must use the parser that the server uses. The JavaScript
// client takes it as its option parser.
package parser

import "strconv"

// A Parser turns packets into messages of Engine.IO and back. It is used from any
// goroutine, and by many connections at once. It may be called with locks held, so it must not
// call the server or client that uses it.
//
// A packet is one message, which may be followed by its attachments: binary
// messages whose content is Packet.Binary. A parser that puts binary data into the
// first message needs no attachments.
type Parser interface {
	// Binary reports whether the first message of a packet is binary, and not text.
	Binary() bool
	// Parse reads the first message of a packet into p, whose memory it uses again.
	// It sets all exported fields of p but Scratch, and keeps nothing of message.
	//
	// Parse judges everything that can be said of the message by itself, within l,
	// whatever the peer has sent: p.Data must be JSON with the parts that p.Args and
	// p.Placeholders name, and the namespace must begin with a slash and be UTF-8.
	// That the data fits the type, and what an event may be named, is judged by the
	// caller. An error ends the connection and is logged, so it must not hold what
	// the peer has sent; see Error.
	Parse(p *Packet, message []byte, l Limits) error
	// Encode returns the first message of p, and the attachments that follow it.
	// The caller has made p; Args is not set. The message may be a view of p's
	// memory, and is valid until that is used again.
	Encode(p *Packet) (message []byte, attachments [][]byte)
}

// A Type says what a packet is for (Socket.IO protocol v5, "Packet types").
type Type uint8

// The packet types.
const (
	Connect      Type = iota // the client asks to join a namespace; the server grants it
	Disconnect               // either side leaves a namespace
	Event                    // an event with its arguments
	Ack                      // the acknowledgement of an event
	ConnectError             // the server refuses a namespace
)

// String returns the name that the protocol gives to t.
func (t Type) String() string {
	switch t {
	case Connect:
		return "CONNECT"
	case Disconnect:
		return "DISCONNECT"
	case Event:
		return "EVENT"
	case Ack:
		return "ACK"
	case ConnectError:
		return "CONNECT_ERROR"
	}
	return "unknown"
}

// A Packet is the unit that the two sides of a Socket.IO connection exchange,
// whatever its form on the wire. A Packet that is used again keeps its memory.
type Packet struct {
	Type      Type
	Namespace []byte // begins with a slash; the root is "/"
	HasID     bool
	ID        uint64 // of an acknowledgement that is asked for or given

	// Data is JSON: the array of an event, its name first, or of an acknowledgement;
	// a value for the other types, or nothing. Binary data is not in it. A
	// placeholder, which is a JSON value too, stands for each piece.
	Data []byte
	// Args says where the elements of the array are in Data. It is set by Parse.
	Args []Span
	// Placeholders says where the placeholders are in Data, in their order there.
	Placeholders []Placeholder
	// Binary holds the binary data by number. Parse appends copies.
	Binary [][]byte
	// Attachments is the number of binary messages that follow a received packet.
	// They are appended to Binary when they come.
	Attachments int

	// Scratch is memory for the parser, which may use and replace it.
	Scratch []byte

	room []byte // the memory that ends where Data begins; nil for none
}

// A Span is a part of a packet's Data.
type Span struct{ Start, End int }

// A Placeholder is a part of a packet's Data that stands for piece Num of its
// binary data.
type Placeholder struct {
	Span
	Num int
}

// AppendPlaceholder appends the text of a placeholder to b. It is that of the
// protocol, which the text form has on the wire (Socket.IO protocol v5, "Packet
// encoding").
func AppendPlaceholder(b []byte, num int) []byte {
	b = append(b, `{"_placeholder":true,"num":`...)
	if num < 10 { // most have one digit
		return append(b, '0'+byte(num), '}')
	}
	return append(strconv.AppendInt(b, int64(num), 10), '}')
}

// Reset empties p and keeps its memory. The pieces of Binary belong to whoever took
// them.
func (p *Packet) Reset() {
	p.Type, p.HasID, p.ID, p.Attachments = 0, false, 0, 0
	p.Namespace, p.Data, p.room = p.Namespace[:0], p.Data[:0], nil
	p.Args, p.Placeholders = p.Args[:0], p.Placeholders[:0]
	clear(p.Binary)
	p.Binary = p.Binary[:0]
}

// SetData makes buf[start:] the Data of p. The memory before start is free for
// Prepend.
func (p *Packet) SetData(buf []byte, start int) {
	p.Data, p.room = buf[start:], buf[:start]
}

// Prepend returns head followed by Data. Data is not copied if SetData has left
// room for head before it.
func (p *Packet) Prepend(head []byte) []byte {
	if len(head) > len(p.room) {
		return append(append(make([]byte, 0, len(head)+len(p.Data)), head...), p.Data...)
	}
	start := len(p.room) - len(head)
	copy(p.room[start:], head)
	return p.room[start : len(p.room)+len(p.Data)]
}

// Limits bound what a received packet may cost.
type Limits struct {
	Attachments int // pieces of binary data, whether they follow the packet or are in it
	Arguments   int // elements of its array, without the name of an event
	Depth       int // to which arrays and objects may be nested, the array of the arguments counted
}

// MaxID is the greatest id of an acknowledgement: JavaScript counts no further.
const MaxID = 1<<53 - 1

// An Error says which rule was broken: by bytes that are no packet, or by a
// packet that may not come now. It holds nothing that the peer sent.
type Error struct {
	Reason string // the rule, in a few words
}

// Error returns the broken rule.
func (e *Error) Error() string { return "socket.io: " + e.Reason }

// Errors of Parse that every parser may need. They are values, so that refusing a
// packet allocates nothing.
var (
	ErrType        error = &Error{"unknown packet type"}
	ErrID          error = &Error{"acknowledgement id out of range"}
	ErrArguments   error = &Error{"too many arguments"}
	ErrAttachments error = &Error{"more attachments than Limits.Attachments"}
	ErrDepth       error = &Error{"payload is nested too deep"}
)
