package inflate

import "encoding/binary"

// An input is read bit by bit, the lowest bit of an octet first (RFC 1951,
// section 3.1.1). Behind the last octet it goes on with zeros, without end:
// whether any were used is asked of over, in time.
type input struct {
	octets []byte
	pos    int    // of the next octet to be put into hold
	hold   uint64 // the next bits
	have   uint   // how many of them count; what is above is the octet at pos, or zero
}

// refillBits is how many bits there are at least after a refill.
const refillBits = 56

// refill fills hold up.
func (in *input) refill() {
	in.hold |= word64(in.octets, in.pos) << (in.have & 63)
	in.pos += int(63-in.have) >> 3
	in.have |= refillBits
}

// word64 returns the eight octets from pos on.
func word64(octets []byte, pos int) uint64 {
	if pos <= len(octets)-8 {
		return binary.LittleEndian.Uint64(octets[pos:])
	}
	return lastWord(octets, pos)
}

// lastWord is word64 near the end and behind it.
func lastWord(octets []byte, pos int) uint64 {
	var last [8]byte
	copy(last[:], octets[min(pos, len(octets)):])
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

// skip uses up n bits, which hold has.
func (in *input) skip(n uint) {
	in.hold >>= n & 63
	in.have -= n
}

// over reports whether bits were used that are not there.
func (in *input) over() bool { return 8*in.pos-int(in.have) > 8*len(in.octets) }

// align goes on with the next whole octet, pos, none being behind the end.
func (in *input) align() {
	in.pos -= int(in.have / 8)
	in.hold, in.have = 0, 0
}

// rest is what lies behind align.
func (in *input) rest() []byte { return in.octets[in.pos:] }
