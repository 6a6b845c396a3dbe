package inflate

import "encoding/binary"

// An input is read bit by bit, the lowest bit of a byte first (RFC 1951, section
// 3.1.1). After the last byte the input continues with zeros without end, so that
// the reading needs no check. The callers ask over, at the end of each header and
// each run of symbols, whether any of those zeros was used.
type input struct {
	src  []byte
	pos  int    // index of the next byte to be loaded into hold
	hold uint64 // the next bits
	have uint   // number of bits in hold that count; bits above equal those of src[pos], or are zero
}

// refillBits is the least number of bits in hold after a refill.
const refillBits = 56

// refill loads bytes into hold until it has refillBits.
func (in *input) refill() {
	in.hold |= word64(in.src, in.pos) << (in.have & 63)
	in.pos += int(63-in.have) >> 3
	in.have |= refillBits
}

// word64 returns the eight bytes that begin at pos.
func word64(src []byte, pos int) uint64 {
	if pos <= len(src)-8 {
		return binary.LittleEndian.Uint64(src[pos:])
	}
	return lastWord(src, pos)
}

// lastWord is word64 near the end of the input and after it.
func lastWord(src []byte, pos int) uint64 {
	var last [8]byte
	copy(last[:], src[min(pos, len(src)):])
	return binary.LittleEndian.Uint64(last[:])
}

// bits takes n bits, at most refillBits.
func (in *input) bits(n uint) int {
	if in.have < n {
		in.refill()
	}
	v := in.hold & (1<<n - 1)
	in.skip(n)
	return int(v)
}

// skip uses up n bits, which hold must have.
func (in *input) skip(n uint) {
	in.hold >>= n & 63
	in.have -= n
}

// over reports whether bits after the end of the input were used.
func (in *input) over() bool { return 8*in.pos-int(in.have) > 8*len(in.src) }

// align skips to the next whole byte, so that pos is its index. It must not be
// called if over is true.
func (in *input) align() {
	in.pos -= int(in.have / 8)
	in.hold, in.have = 0, 0
}

// rest returns the unread bytes. It must be called after align.
func (in *input) rest() []byte { return in.src[in.pos:] }
