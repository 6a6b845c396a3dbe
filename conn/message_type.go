package conn

import "github.com/parleyws/parley/frame"

// A MessageType is the type of a message's data (RFC 6455, section 5.6). There
// are two, and a MessageType can be no other.
type MessageType bool

// The types of messages.
const (
	Text   MessageType = false // UTF-8
	Binary MessageType = true
)

// String returns "text" or "binary".
func (t MessageType) String() string {
	if t == Binary {
		return "binary"
	}
	return "text"
}

// opcode returns the opcode of a message's first frame.
func (t MessageType) opcode() frame.Opcode {
	if t == Binary {
		return frame.Binary
	}
	return frame.Text
}
