package socketio

// Errors of an assembler.
var (
	errTextAwaited error = &PacketError{"text while attachments are awaited"}
	errBinary      error = &PacketError{"binary without an announcement"}
	errLarge       error = &PacketError{"attachments over Limits.Attachments"}
)

// A unit is a packet with its attachments, complete in itself: what handlers
// and queues deal in. Its memory can be used again, except for the
// attachments, which belong to whom they were given.
type unit struct {
	packet      Packet
	attachments [][]byte
	buf         []byte // what packet is a view of
}

// parse reads the packet in b into u. It keeps a copy of b.
func (u *unit) parse(b []byte) error {
	u.buf = append(u.buf[:0], b...)
	u.attachments = u.attachments[:0]
	return u.packet.Parse(u.buf)
}

// An assembler puts packets and the binary messages that follow them together
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
//	  errBinary                                errTextAwaited, or errLarge
//
// The zero value with a limit is ready.
type assembler struct {
	limit   int64 // octets of the attachments of a packet
	awaited *unit // whose attachments are awaited; nil: ready
	octets  int64 // those of its attachments that have come
}

// text takes a packet that was parsed and returns it when it is complete, nil
// while its attachments are awaited.
func (a *assembler) text(u *unit) (*unit, error) {
	if a.awaited != nil {
		return nil, errTextAwaited
	}
	if u.packet.Attachments == 0 {
		return u, nil
	}
	a.awaited, a.octets = u, 0
	return nil, nil
}

// binary takes an attachment, which it keeps, and returns the packet that it
// belongs to when that is complete.
func (a *assembler) binary(data []byte) (*unit, error) {
	u := a.awaited
	if u == nil {
		return nil, errBinary
	}
	if a.octets += int64(len(data)); a.octets > a.limit {
		return nil, errLarge
	}
	u.attachments = append(u.attachments, data)
	if len(u.attachments) < u.packet.Attachments {
		return nil, nil
	}
	a.awaited = nil
	return u, nil
}
