// Package frame reads and writes the frames of the WebSocket protocol (RFC
// 6455, section 5): the header, the payload of a Close frame, opcodes and
// status codes. It works on byte slices, does no I/O and keeps no state.
//
// Parse and Header.Append are each other's inverse and allocate nothing. They
// know the syntax of a header alone; whether a frame may come now (reserved
// bits and opcodes, fragmentation, masking, the size of control frames) is
// decided by package conn.
//
// # Concurrency and ownership
//
// All functions are pure and may be called from any goroutine. Slices that are
// passed in are neither kept nor, except behind their length by the Append
// functions, modified.
package frame

import "encoding/binary"

// MaxHeaderLen is the length of the longest header, in octets: two, eight of
// extended length, four of masking key.
const MaxHeaderLen = 14

// A Header is what stands before a frame's payload (RFC 6455, section 5.2).
type Header struct {
	Fin              bool // the last frame of its message
	Rsv1, Rsv2, Rsv3 bool // for extensions; Rsv1 marks a compressed message (RFC 7692, section 6)
	Opcode           Opcode
	Masked           bool    // the payload is masked with MaskKey
	Length           int64   // of the payload, in octets
	MaskKey          [4]byte // zero unless Masked
}

// The bits of a header's first two octets.
const (
	bitFin    = 1 << 7
	bitRsv1   = 1 << 6
	bitRsv2   = 1 << 5
	bitRsv3   = 1 << 4
	maskOp    = 1<<4 - 1
	bitMasked = 1 << 7
	maskLen   = 1<<7 - 1

	len16 = 126 // the length is in the next two octets
	len64 = 127 // the length is in the next eight octets
)

// Parse reads the header at the start of b and returns it with its length in
// octets. When b is too short n is 0 and err is nil: call again with more. A
// length that is illegal whatever follows is an *Error with
// StatusProtocolError: ErrLengthRange as soon as it is seen, or ErrLengthForm,
// which comes with the whole header and its length.
func Parse(b []byte) (h Header, n int, err error) {
	n, err = h.Parse(b) // inlined, so that h is copied once less
	return h, n, err
}

// Parse is the function of that name for a header that has its place already: a
// struct that was just written, one field after the other, is slow to copy. When
// n is 0 h is not changed.
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

// Append appends h to b in the shortest form and returns the longer slice. Of
// Opcode the lower four bits are used; MaskKey is written only if Masked. Length
// must not be negative: it would be read as ErrLengthRange.
func (h Header) Append(b []byte) []byte {
	// Inlined and field by field, so that a header just made is not copied: a
	// load that spans several fresh stores waits for all of them.
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

// appendMasked is not inlined: what a caller needs behind its first append is
// stored on the stack before it, whether b has room or not.
//
//go:noinline
func appendMasked(b []byte, start uint16, length uint64, key [4]byte) []byte {
	return append(appendStart(b, start, length), key[:]...)
}

// appendStart appends the octets before the key. start holds the first two
// without a length.
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
