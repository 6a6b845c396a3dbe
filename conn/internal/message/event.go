package message

import "github.com/parleyws/parley/frame"

// An Event is a control frame, a message or a part of a message that a Parser
// found in the bytes that it was given.
//
// It has four fields and takes four words, Payload first, because the compiler
// keeps a value of that shape in registers.
type Event struct {
	// Payload is unmasked and inflated. It is a view of the bytes that were given
	// to the Parser, or of the Parser's own buffer. It is valid until the next call
	// of the Parser other than Take, and until those bytes are moved. The caller
	// may modify it.
	Payload []byte
	Kind    EventKind
	Opcode  frame.Opcode // opcode of the control frame, or of the first frame of the message
	Last    bool         // false for a Part that is not the last of its message, and for None
}

// An EventKind says what an Event is.
type EventKind uint8

// The kinds of events.
const (
	None    EventKind = iota // nothing is complete; all other fields are zero
	Control                  // a control frame
	Message                  // a whole message; in mode Whole, also the rest of a message after parts of it
	Part                     // a part of a message; the payload of the last part may be empty
)

// A Mode says how messages are handed out.
type Mode uint8

// The modes of a Parser.
const (
	// Whole hands out each message as one Message.
	Whole Mode = iota
	// Parts hands out a message as Parts while its bytes arrive. Two kinds of
	// messages are a Message even so: compressed ones, and those of which bytes
	// were collected in another mode.
	Parts
	// Stream is Parts for a stream that has no messages. Options.Limit does not
	// apply to bytes that are handed out in parts, because the Parser does not
	// hold them. It does apply to compressed messages and to bytes that are
	// collected. The bound on the number of fragments applies always.
	Stream
)
