package message

import "github.com/parleyws/parley/frame"

// An Event is what a Parser made of the bytes that it was shown.
type Event struct {
	// Payload is unmasked and, of a message, inflated. It is a view of the bytes
	// that the Parser was shown or of what it has collected: valid until the next
	// call of the Parser other than Take, and until those bytes are moved. It may
	// be modified.
	Payload []byte
	Kind    EventKind
	Opcode  frame.Opcode // of the control frame, or of the first frame of the message
	Last    bool         // a message ends with this event
}

// The fields of an Event are four and take four words, Payload first: the compiler
// keeps a value of that size in registers.

// An EventKind says what has come.
type EventKind uint8

// The kinds of events.
const (
	None    EventKind = iota // nothing yet; all other fields are zero
	Control                  // a control frame
	Message                  // a whole message, or in mode Whole what is left of it after parts; Last is set
	Part                     // a part of a message; Last is set with the last one, whose payload may be empty
)

// A Mode says how messages are handed out.
type Mode uint8

// The modes of a Parser.
const (
	// Whole hands out each message as one Message.
	Whole Mode = iota
	// Parts hands out a message as Parts, as its bytes come. A compressed
	// message is a Message nevertheless, and so is one of which something was
	// collected in another mode.
	Parts
	// Octets is Parts for a stream that has no messages: Options.Limit does not
	// hold for what is handed out in parts, since nothing of it is held. It does
	// hold for compressed messages and for what is collected, as does the bound
	// on the number of fragments.
	Octets
)
