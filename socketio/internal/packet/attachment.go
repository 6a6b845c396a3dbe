package packet

// Errors of an Assembler.
var (
	ErrTextAwaited error = &Error{"text while attachments are awaited"}
	ErrBinary      error = &Error{"binary without an announcement"}
	ErrLarge       error = &Error{"attachments over Limits.AttachmentBytes"}
)

// A Unit is a packet together with its attachments: what handlers and queues
// deal in. A Unit may be parsed into again, which reuses its memory except for
// the attachments: those belong to whoever took them.
type Unit struct {
	Packet
	Binary [][]byte // the attachments that have come

	buf []byte // the packet's fields are views of it
}

// Parse reads the packet in b into u. It keeps a copy of b and not b itself.
func (u *Unit) Parse(b []byte) error {
	u.buf = append(u.buf[:0], b...)
	u.Binary = u.Binary[:0]
	return u.Packet.Parse(u.buf)
}

// What a Unit takes in memory beside its bytes: the Unit and its place in a
// queue, and what stands for an attachment, an argument and a placeholder.
const (
	unitOverhead        = 320
	attachmentOverhead  = 40
	argumentOverhead    = 16
	placeholderOverhead = 24
)

// Size returns about how much memory u takes, in bytes.
func (u *Unit) Size() int {
	n := unitOverhead + len(u.buf) + argumentOverhead*len(u.args) + placeholderOverhead*len(u.placeholders)
	for _, data := range u.Binary {
		n += attachmentOverhead + len(data)
	}
	return n
}

// Held returns how many bytes of memory u keeps for the next Parse.
func (u *Unit) Held() int { return cap(u.buf) }

// Drop forgets the attachments.
func (u *Unit) Drop() {
	clear(u.Binary)
	u.Binary = u.Binary[:0]
}

// Poison overwrites the packet, so that a view of it that is used too late
// shows.
func (u *Unit) Poison() {
	for i := range u.buf {
		u.buf[i] = '!'
	}
}

// An Assembler puts packets and the binary messages that follow them together
// (Socket.IO protocol v5, "Packet encoding"). Everything that decides whether
// text or binary may come now is in this file.
//
//	       text without attachments: complete
//	       +---+
//	       |   v          text with attachments
//	     +-------+ ----------------------------> +---------+
//	     | ready |                               | awaited |--+ binary, not
//	     +-------+ <---------------------------- +---------+<-+ the last
//	       |          the last binary: complete       |
//	binary v                                     text v
//	  ErrBinary                                ErrTextAwaited, or ErrLarge
//
// The zero value with a Limit is ready.
type Assembler struct {
	Limit int64 // of the attachments of one packet together, in bytes

	awaited *Unit // the packet whose attachments are awaited; nil: ready
	size    int64 // of those of its attachments that have come, in bytes
}

// Awaiting reports whether attachments are awaited.
func (a *Assembler) Awaiting() bool { return a.awaited != nil }

// Text takes a packet that was parsed. It returns the packet if that is
// complete, and nil while its attachments are awaited.
func (a *Assembler) Text(u *Unit) (*Unit, error) {
	if a.awaited != nil {
		return nil, ErrTextAwaited
	}
	if u.Attachments == 0 {
		return u, nil
	}
	a.awaited, a.size = u, 0
	return nil, nil
}

// Attachment takes a binary message and keeps data. It returns the packet that
// the message belongs to once that is complete.
func (a *Assembler) Attachment(data []byte) (*Unit, error) {
	u := a.awaited
	if u == nil {
		return nil, ErrBinary
	}
	if a.size += int64(len(data)); a.size > a.Limit {
		return nil, ErrLarge
	}
	u.Binary = append(u.Binary, data)
	if len(u.Binary) < u.Attachments {
		return nil, nil
	}
	a.awaited = nil
	return u, nil
}
