package mask

import (
	"encoding/binary"
	"math/bits"
)

// xor masks src into dst, which is as long and either disjoint from src or the
// same, from position pos on. The lowest octet of key is its first.
//
// Up to 64 octets it does so itself, in words that are taken half from the
// front and half from the end and meet or overlap, so that there is no loop
// over odd octets. Since dst may be src, all words are read before any is
// written.
func xor(dst, src []byte, key uint32, pos int) {
	key = bits.RotateLeft32(key, -8*pos)
	n := len(src)
	if n > 64 {
		if !xorVectors(dst, src, key) {
			xorWords(dst, src, key)
		}
		return
	}
	dst = dst[:n]
	k := uint64(key)<<32 | uint64(key)
	e := bits.RotateLeft64(k, -8*n) // the key for words at the end
	switch {
	case n > 32:
		a := binary.LittleEndian.Uint64(src[0:]) ^ k
		b := binary.LittleEndian.Uint64(src[8:]) ^ k
		c := binary.LittleEndian.Uint64(src[16:]) ^ k
		d := binary.LittleEndian.Uint64(src[24:]) ^ k
		w := binary.LittleEndian.Uint64(src[n-32:]) ^ e
		x := binary.LittleEndian.Uint64(src[n-24:]) ^ e
		y := binary.LittleEndian.Uint64(src[n-16:]) ^ e
		z := binary.LittleEndian.Uint64(src[n-8:]) ^ e
		binary.LittleEndian.PutUint64(dst[0:], a)
		binary.LittleEndian.PutUint64(dst[8:], b)
		binary.LittleEndian.PutUint64(dst[16:], c)
		binary.LittleEndian.PutUint64(dst[24:], d)
		binary.LittleEndian.PutUint64(dst[n-32:], w)
		binary.LittleEndian.PutUint64(dst[n-24:], x)
		binary.LittleEndian.PutUint64(dst[n-16:], y)
		binary.LittleEndian.PutUint64(dst[n-8:], z)
	case n > 16:
		a := binary.LittleEndian.Uint64(src[0:]) ^ k
		b := binary.LittleEndian.Uint64(src[8:]) ^ k
		y := binary.LittleEndian.Uint64(src[n-16:]) ^ e
		z := binary.LittleEndian.Uint64(src[n-8:]) ^ e
		binary.LittleEndian.PutUint64(dst[0:], a)
		binary.LittleEndian.PutUint64(dst[8:], b)
		binary.LittleEndian.PutUint64(dst[n-16:], y)
		binary.LittleEndian.PutUint64(dst[n-8:], z)
	case n >= 8:
		a := binary.LittleEndian.Uint64(src) ^ k
		z := binary.LittleEndian.Uint64(src[n-8:]) ^ e
		binary.LittleEndian.PutUint64(dst, a)
		binary.LittleEndian.PutUint64(dst[n-8:], z)
	case n >= 4:
		a := binary.LittleEndian.Uint32(src) ^ uint32(k)
		z := binary.LittleEndian.Uint32(src[n-4:]) ^ uint32(e)
		binary.LittleEndian.PutUint32(dst, a)
		binary.LittleEndian.PutUint32(dst[n-4:], z)
	default:
		for i, c := range src {
			dst[i] = c ^ byte(k>>(8*i))
		}
	}
}

// xorWords is xor for 32 octets and more, in portable code: the reference for
// the assembly. Whole blocks go from front to back; what they leave is covered
// by the last 32 octets, which are read first and written last. As more than a
// block is left each time, not just one, the slices move on without a check.
func xorWords(dst, src []byte, key uint32) {
	k := uint64(key)<<32 | uint64(key)
	n := len(src)
	e := bits.RotateLeft64(k, -8*n)
	s, d := (*[32]byte)(src[n-32:]), (*[32]byte)(dst[n-32:])
	w := binary.LittleEndian.Uint64(s[0:]) ^ e
	x := binary.LittleEndian.Uint64(s[8:]) ^ e
	y := binary.LittleEndian.Uint64(s[16:]) ^ e
	z := binary.LittleEndian.Uint64(s[24:]) ^ e
	for len(src) > 128 && len(dst) > 128 {
		xorBlock(dst[0:], src[0:], k)
		xorBlock(dst[32:], src[32:], k)
		xorBlock(dst[64:], src[64:], k)
		xorBlock(dst[96:], src[96:], k)
		dst, src = dst[128:], src[128:]
	}
	if len(src) > 64 && len(dst) > 64 {
		xorBlock(dst[0:], src[0:], k)
		xorBlock(dst[32:], src[32:], k)
		dst, src = dst[64:], src[64:]
	}
	if len(src) > 32 && len(dst) > 32 {
		xorBlock(dst, src, k)
	}
	binary.LittleEndian.PutUint64(d[0:], w)
	binary.LittleEndian.PutUint64(d[8:], x)
	binary.LittleEndian.PutUint64(d[16:], y)
	binary.LittleEndian.PutUint64(d[24:], z)
}

// xorBlock masks the first 32 octets. It is small enough to be inlined.
func xorBlock(dst, src []byte, k uint64) {
	d, s := (*[32]byte)(dst), (*[32]byte)(src)
	binary.LittleEndian.PutUint64(d[0:], binary.LittleEndian.Uint64(s[0:])^k)
	binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:])^k)
	binary.LittleEndian.PutUint64(d[16:], binary.LittleEndian.Uint64(s[16:])^k)
	binary.LittleEndian.PutUint64(d[24:], binary.LittleEndian.Uint64(s[24:])^k)
}
