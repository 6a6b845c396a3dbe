package packet

import "github.com/parleyws/parley/parser"

// Errors of an Assembler.
var (
	ErrTextAwaited error = &parser.Error{Reason: "text while attachments are awaited"}
	ErrText        error = &parser.Error{Reason: "text where packets are binary"}
	ErrBinary      error = &parser.Error{Reason: "binary without an announcement"}
	ErrLarge       error = &parser.Error{Reason: "attachments over Limits.AttachmentBytes"}
)

// An Assembler puts packets and the binary messages that follow them together
// (Socket.IO protocol v5, "Packet encoding"). Everything that decides whether
// text or binary may come now is in this file.
//
//	   packet without attachments: complete
//	     +---+
//	     |   v       packet with attachments
//	   +-------+ ----------------------------> +---------+
//	   | ready |                               | awaited |--+ binary, not
//	   +-------+ <---------------------------- +---------+<-+ the last
//	     |          the last binary: complete       |
//	     v                                     text v
//	ErrBinary, or ErrText:                   ErrTextAwaited, or ErrLarge
//	not what packets begin with
//
// The zero value is ready.
type Assembler struct {
	awaited *Unit // the packet whose attachments are awaited; nil: ready
	size    int64 // of those of its attachments that have come, in bytes
}

// Awaiting reports whether attachments are awaited.
func (a *Assembler) Awaiting() bool { return a.awaited != nil }

// Judge decides what a message is that is binary or not: an attachment, or the
// first message of a packet, which is binary if first is set.
func (a *Assembler) Judge(binary, first bool) (attachment bool, err error) {
	switch {
	case a.awaited != nil && binary:
		return true, nil
	case a.awaited != nil:
		return false, ErrTextAwaited
	case binary == first:
		return false, nil
	case binary:
		return false, ErrBinary
	}
	return false, ErrText
}

// First takes a packet that was parsed, after Judge. It returns the packet if that
// is complete, and nil while its attachments are awaited.
func (a *Assembler) First(u *Unit) *Unit {
	if u.Attachments == 0 {
		return u
	}
	a.awaited, a.size = u, 0
	return nil
}

// Attachment takes an attachment, after Judge, and keeps data. It returns the packet
// that the attachment belongs to once that is complete. limit bounds the size of the
// packet's attachments together, in bytes.
func (a *Assembler) Attachment(data []byte, limit int64) (*Unit, error) {
	u := a.awaited
	if a.size += int64(len(data)); a.size > limit {
		return nil, ErrLarge
	}
	u.Binary = append(u.Binary, data)
	if len(u.Binary) < u.Attachments {
		return nil, nil
	}
	a.awaited = nil
	return u, nil
}
