// Package frame reads and writes the frames of the WebSocket protocol (RFC
// 6455, section 5): the header, the payload of a Close frame, opcodes and
// status codes. It works on byte slices, does no I/O and keeps no state.
//
// Parse and Header.Append are inverses of each other and allocate nothing. They
// know only the syntax of a header. Package conn decides whether a frame may
// come now: it judges reserved bits and opcodes, fragmentation, masking and the
// size of control frames.
//
// # Concurrency and ownership
//
// All functions are pure and may be called from any goroutine. They do not keep
// the slices that are passed in. The Append functions may write into the
// capacity of their slice after its length, as append does. No function changes
// the bytes within the length of a slice.
package frame

import "encoding/binary"

// MaxHeaderLen is the length of the longest header, in bytes: two fixed bytes,
// eight of extended payload length and four of masking key.
const MaxHeaderLen = 14

// A Header holds the fields that precede a frame's payload (RFC 6455, section
// 5.2).
type Header struct {
	Fin              bool    // the frame is the last one of its message
	Rsv1, Rsv2, Rsv3 bool    // for extensions; Rsv1 marks a compressed message (RFC 7692, section 6)
	Opcode           Opcode  // how to read the payload
	Masked           bool    // the payload is masked with MaskKey
	Length           int64   // length of the payload, in bytes
	MaskKey          [4]byte // zero unless Masked
}

// The bits of a header's first two bytes.
const (
	bitFin    = 1 << 7
	bitRsv1   = 1 << 6
	bitRsv2   = 1 << 5
	bitRsv3   = 1 << 4
	maskOp    = 1<<4 - 1
	bitMasked = 1 << 7
	maskLen   = 1<<7 - 1

	len16 = 126 // the length is in the next two bytes
	len64 = 127 // the length is in the next eight bytes
)

// Parse reads the header at the start of b and returns it with n, the length of
// the header in bytes. If b holds only a part of a header, n is 0 and err is
// nil: call Parse again with more bytes.
//
// An illegal payload length is an *Error with StatusProtocolError. ErrLengthRange
// is returned as soon as the top bit is seen, with n = 0. ErrLengthForm is
// returned once the header is complete, together with the header and n.
func Parse(b []byte) (h Header, n int, err error) {
	n, err = h.Parse(b) // fills the result in place: one copy less
	return h, n, err
}

// Parse is like the function Parse, but writes the header into h. Package conn
// uses it because a struct whose fields were just written is slow to copy. If n
// is 0, h is not changed.
func (h *Header) Parse(b []byte) (n int, err error) {
	if len(b) < 2 {
		return 0, nil
	}
	b0, b1 := b[0], b[1]
	n = 2
	length := uint64(b1 & maskLen)
	switch length {
	case len16:
		if len(b) < 4 {
			return 0, nil
		}
		length = uint64(binary.BigEndian.Uint16(b[2:]))
		n = 4
		if length < len16 {
			err = ErrLengthForm
		}
	case len64:
		if len(b) > 2 && b[2]&0x80 != 0 {
			return 0, ErrLengthRange
		}
		if len(b) < 10 {
			return 0, nil
		}
		length = binary.BigEndian.Uint64(b[2:])
		n = 10
		if length <= 0xFFFF {
			err = ErrLengthForm
		}
	}
	var key [4]byte
	if b1&bitMasked != 0 {
		if len(b) < n+4 {
			return 0, nil
		}
		key = [4]byte(b[n:])
		n += 4
	}
	h.Masked, h.MaskKey = b1&bitMasked != 0, key
	h.Fin = b0&bitFin != 0
	h.Rsv1 = b0&bitRsv1 != 0
	h.Rsv2 = b0&bitRsv2 != 0
	h.Rsv3 = b0&bitRsv3 != 0
	h.Opcode = Opcode(b0 & maskOp)
	h.Length = int64(length)
	return n, err
}

// Append appends h to b, with the payload length in its shortest form, and
// returns the extended slice. It uses the lower four bits of Opcode and writes
// MaskKey only if Masked is set. Length must not be negative: the receiver would
// refuse such a header with ErrLengthRange.
func (h Header) Append(b []byte) []byte {
	// Append is inlined and passes single fields, so that a header that was just
	// made is not copied. A load that spans several fresh stores waits for all of
	// them.
	return appendHeader(b, h.Opcode, h.Fin, h.Rsv1, h.Rsv2, h.Rsv3, h.Masked, uint64(h.Length), h.MaskKey)
}

func appendHeader(b []byte, op Opcode, fin, rsv1, rsv2, rsv3, masked bool, length uint64, key [4]byte) []byte {
	start := uint16(op&maskOp)<<8 | bit(fin)<<15
	if rsv1 || rsv2 || rsv3 {
		start |= bit(rsv1)<<14 | bit(rsv2)<<13 | bit(rsv3)<<12
	}
	if masked {
		return appendMasked(b, start|bitMasked, length, key)
	}
	return appendStart(b, start, length)
}

// appendMasked is not inlined. If it were, the compiler would spill to the stack
// everything that is needed after the first append, even when b has room.
//
//go:noinline
func appendMasked(b []byte, start uint16, length uint64, key [4]byte) []byte {
	return append(appendStart(b, start, length), key[:]...)
}

// appendStart appends the bytes that precede the masking key. start holds the
// first two bytes with the length bits zero.
func appendStart(b []byte, start uint16, length uint64) []byte {
	switch {
	case length < len16:
		return binary.BigEndian.AppendUint16(b, start|uint16(length))
	case length <= 0xFFFF:
		return binary.BigEndian.AppendUint32(b, uint32(start|len16)<<16|uint32(length))
	}
	b = binary.BigEndian.AppendUint16(b, start|len64)
	return binary.BigEndian.AppendUint64(b, length)
}

// bit returns 1 for true, without a branch.
func bit(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}
