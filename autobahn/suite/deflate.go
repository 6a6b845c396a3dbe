package suite

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
)

// A deflater compresses the messages of one direction, within its window. For the
// greatest window it uses compress/flate, which has no other. For smaller windows it
// uses a simple compressor of its own. The distances of that compressor reach to the
// very end of the window, so that a peer that keeps less than the agreed window fails.
type deflater struct {
	direction
	out bytes.Buffer
	w   *flate.Writer

	bits   bitWriter
	recent []byte // the window: bytes before the message
}

func newDeflater(d direction) *deflater {
	z := &deflater{direction: d}
	if d.bits == 15 {
		z.w, _ = flate.NewWriter(&z.out, flate.DefaultCompression) // fails only for unknown levels
	}
	return z
}

// message returns the compressed form of p, without its tail (RFC 7692,
// section 7.2.1), valid until the next call.
func (z *deflater) message(p []byte) []byte {
	if z.w == nil {
		return z.small(p)
	}
	z.out.Reset()
	if z.noTakeover {
		z.w.Reset(&z.out)
	}
	z.w.Write(p) // a write to a bytes.Buffer does not fail
	z.w.Flush()
	return bytes.TrimSuffix(z.out.Bytes(), []byte{0x00, 0x00, 0xFF, 0xFF})
}

const (
	shortest  = 4 // length of the shortest match, in bytes
	longest   = 258
	hashWidth = 12
)

// small compresses p into one block of the fixed codes. It takes the latest match for
// each position that has one.
func (z *deflater) small(p []byte) []byte {
	if z.noTakeover {
		z.recent = z.recent[:0]
	}
	data := append(z.recent, p...)
	window := 1 << z.direction.bits
	var latest [1 << hashWidth]int // by hash: one more than the position of the latest match
	z.bits = bitWriter{out: z.bits.out[:0]}
	z.bits.put(0b010, 3) // not final, fixed codes
	for i := 0; i < len(data); {
		n, distance := 0, 0
		if i+shortest <= len(data) {
			slot := &latest[binary.LittleEndian.Uint32(data[i:])*0x9E3779B1>>(32-hashWidth)]
			if distance = i + 1 - *slot; *slot > 0 && distance <= window {
				n = common(data[i-distance:], data[i:])
			}
			*slot = i + 1
		}
		switch {
		case i < len(z.recent): // the window is only searched for matches
			i++
		case n >= shortest:
			z.bits.match(n, distance)
			i += n
		default:
			z.bits.literal(int(data[i]))
			i++
		}
	}
	z.bits.literal(endOfBlock)
	z.bits.put(0, 3) // an empty stored block, whose tail is removed
	z.recent = append(z.recent[:0], data[max(0, len(data)-window):]...)
	return z.bits.octets()
}

// common returns the length of the longest common prefix of a and b.
func common(a, b []byte) int {
	n := 0
	for n < min(len(b), longest) && a[n] == b[n] {
		n++
	}
	return n
}

// A bitWriter writes bits, the lowest bit of each byte first.
type bitWriter struct {
	out   []byte
	held  uint64
	count int
}

func (b *bitWriter) put(v uint64, n int) {
	b.held |= v << b.count
	for b.count += n; b.count >= 8; b.count -= 8 {
		b.out = append(b.out, byte(b.held))
		b.held >>= 8
	}
}

// octets returns the bytes, the last one filled up with zeros.
func (b *bitWriter) octets() []byte {
	if b.count > 0 {
		b.put(0, 8-b.count)
	}
	return b.out
}

// literal writes a symbol in the fixed code (RFC 1951, section 3.2.6).
func (b *bitWriter) literal(symbol int) {
	code, width := 0x30+symbol, 8
	switch {
	case symbol >= 280:
		code = 0xC0 + symbol - 280
	case symbol >= 256:
		code, width = symbol-256, 7
	case symbol >= 144:
		code, width = 0x190+symbol-144, 9
	}
	b.put(uint64(reversed(uint16(code), width)), width)
}

func (b *bitWriter) match(length, distance int) {
	i := symbolFor(lengths, length)
	b.literal(endOfBlock + 1 + i)
	b.put(uint64(length-lengths[i].base), lengths[i].extra)
	i = symbolFor(reaches, distance)
	b.put(uint64(reversed(uint16(i), 5)), 5)
	b.put(uint64(distance-reaches[i].base), reaches[i].extra)
}

// symbolFor returns the last symbol of t whose base is not greater than v.
func symbolFor(t []extended, v int) int {
	i := len(t) - 1
	for t[i].base > v {
		i--
	}
	return i
}
