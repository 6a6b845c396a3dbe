package suite

import (
	"errors"
	"math/bits"
)

// Errors of an inflater.
var (
	errWindow    = errors.New("inflate: distance beyond the negotiated window")
	errTooFar    = errors.New("inflate: distance beyond the start of the data")
	errCorrupt   = errors.New("inflate: corrupt data")
	errTruncated = errors.New("inflate: message ends inside a block")
	errLimit     = errors.New("inflate: message too long")
)

// An inflater inflates the messages of one direction (RFC 1951; RFC 7692, section
// 7.2.2). Unlike the reader of compress/flate, which always keeps 32 KiB, it knows the
// agreed window and fails on a distance beyond it. Without context takeover no distance
// may reach before the message.
type inflater struct {
	window   int // size in bytes
	takeover bool

	in   bitReader
	out  []byte // the window and the message so far
	base int    // where the message starts in out
	max  int    // greatest length of out
}

func newInflater(d direction) *inflater {
	return &inflater{window: 1 << d.bits, takeover: !d.noTakeover}
}

// message inflates p, which lacks the tail that the sender has removed (RFC
// 7692, section 7.2.1). The caller owns the result.
func (z *inflater) message(p []byte, limit int) ([]byte, error) {
	z.base = len(z.out)
	z.max = z.base + limit
	z.in = bitReader{data: append(p[:len(p):len(p)], 0x00, 0x00, 0xFF, 0xFF)}
	for !z.in.empty() {
		if err := z.block(); err != nil {
			return nil, err
		}
	}
	message := append([]byte(nil), z.out[z.base:]...)
	if z.takeover {
		z.out = append(z.out[:0], z.out[max(0, len(z.out)-z.window):]...)
	} else {
		z.out = z.out[:0]
	}
	return message, nil
}

// block inflates one block. After a final block the next one starts at a byte boundary
// (RFC 7692, section 7.2.3.4).
func (z *inflater) block() error {
	final := z.in.take(1)
	var err error
	switch z.in.take(2) {
	case 0:
		err = z.stored()
	case 1:
		err = z.codes(fixedLiterals, fixedDistances)
	case 2:
		var literals, distances *huffman
		if literals, distances, err = z.tables(); err == nil {
			err = z.codes(literals, distances)
		}
	default:
		err = errCorrupt
	}
	if final == 1 {
		z.in.align()
	}
	if z.in.failed {
		return errTruncated
	}
	return err
}

func (z *inflater) stored() error {
	z.in.align()
	n, check := z.in.take(16), z.in.take(16)
	if n != ^check&0xFFFF {
		return errCorrupt
	}
	if len(z.out)+int(n) > z.max {
		return errLimit
	}
	for range n {
		z.out = append(z.out, byte(z.in.take(8)))
	}
	return nil
}

// codes inflates the symbols of a compressed block (RFC 1951, section 3.2.5).
func (z *inflater) codes(literals, distances *huffman) error {
	for !z.in.failed {
		symbol := literals.decode(&z.in)
		switch {
		case symbol < endOfBlock:
			if len(z.out) >= z.max {
				return errLimit
			}
			z.out = append(z.out, byte(symbol))
		case symbol == endOfBlock:
			return nil
		case symbol-endOfBlock > len(lengths):
			return errCorrupt
		default:
			length := lengths[symbol-endOfBlock-1].read(&z.in)
			code := distances.decode(&z.in)
			if code >= len(reaches) {
				return errCorrupt
			}
			if err := z.copy(length, reaches[code].read(&z.in)); err != nil {
				return err
			}
		}
	}
	return errTruncated
}

// copy appends the length bytes that begin distance bytes back. They may overlap the
// bytes that it appends.
func (z *inflater) copy(length, distance int) error {
	switch {
	case z.in.failed:
		return errTruncated
	case distance > z.window:
		return errWindow
	case distance > len(z.out):
		return errTooFar
	case len(z.out)+length > z.max:
		return errLimit
	}
	for from := len(z.out) - distance; length > 0; {
		n := min(length, len(z.out)-from)
		z.out = append(z.out, z.out[from:from+n]...)
		length -= n
	}
	return nil
}

// tables reads the codes of a dynamic block (RFC 1951, section 3.2.7).
func (z *inflater) tables() (literals, distances *huffman, err error) {
	order := [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	nLiterals, nDistances := int(z.in.take(5))+257, int(z.in.take(5))+1
	var widths [320]byte
	for _, i := range order[:z.in.take(4)+4] {
		widths[i] = byte(z.in.take(3))
	}
	code, ok := newHuffman(widths[:19])
	if !ok || nLiterals > 286 || nDistances > 30 {
		return nil, nil, errCorrupt
	}
	clear(widths[:19])
	for i := 0; i < nLiterals+nDistances; {
		symbol := code.decode(&z.in)
		if z.in.failed || symbol > 18 {
			return nil, nil, errCorrupt
		}
		width, times := byte(symbol), 1
		switch symbol {
		case 16:
			if i == 0 {
				return nil, nil, errCorrupt
			}
			width, times = widths[i-1], 3+int(z.in.take(2))
		case 17:
			width, times = 0, 3+int(z.in.take(3))
		case 18:
			width, times = 0, 11+int(z.in.take(7))
		}
		if i+times > nLiterals+nDistances {
			return nil, nil, errCorrupt
		}
		for range times {
			widths[i] = width
			i++
		}
	}
	literals, ok = newHuffman(widths[:nLiterals])
	distances, okDistances := newHuffman(widths[nLiterals : nLiterals+nDistances])
	if !ok || !okDistances || widths[endOfBlock] == 0 {
		return nil, nil, errCorrupt
	}
	return literals, distances, nil
}

// A bitReader reads bits, the lowest bit of each byte first. After the end it returns
// zeros, and it has failed.
type bitReader struct {
	data   []byte
	held   uint64
	count  int
	failed bool
}

// fill loads as many bytes as there is room for, so that more than 32 bits are loaded.
func (b *bitReader) fill() {
	for b.count <= 32 && len(b.data) > 0 {
		b.held |= uint64(b.data[0]) << b.count
		b.data = b.data[1:]
		b.count += 8
	}
}

func (b *bitReader) take(n int) uint32 {
	if b.count < n {
		b.fill()
	}
	v := uint32(b.held & (1<<n - 1))
	b.drop(n)
	return v
}

func (b *bitReader) drop(n int) {
	if n > b.count {
		b.failed, n = true, b.count
	}
	b.held >>= n
	b.count -= n
}

// align drops the rest of the current byte.
func (b *bitReader) align() { b.drop(b.count % 8) }

// empty reports whether no bit is left.
func (b *bitReader) empty() bool { return b.failed || b.count == 0 && len(b.data) == 0 }

// reversed returns the lowest n bits of v in reverse order.
func reversed(v uint16, n int) uint16 { return bits.Reverse16(v) >> (16 - n) }
