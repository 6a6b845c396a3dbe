package mask

import (
	"encoding/binary"
	"math/bits"
)

// xor masks src into dst, starting at position pos of the payload. dst has the
// length of src and is either disjoint from src or the same slice. The lowest
// byte of key is the first byte of the masking key.
//
// xor handles up to 64 bytes itself. Half of the words are taken from the front
// and half from the end; the halves meet or overlap, so no loop over leftover
// bytes is needed. All words are read before any is written, because dst may be
// src.
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

// xorWords is xor for 32 bytes or more, in portable code. It is the reference
// for the assembly. Whole blocks are masked from front to back. The last 32 bytes
// are read first and written last, and they cover what the blocks leave. Each
// loop leaves at least one byte, so the compiler can advance the slices without
// a branch.
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

// xorBlock masks the first 32 bytes. It is small enough to be inlined.
func xorBlock(dst, src []byte, k uint64) {
	d, s := (*[32]byte)(dst), (*[32]byte)(src)
	binary.LittleEndian.PutUint64(d[0:], binary.LittleEndian.Uint64(s[0:])^k)
	binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:])^k)
	binary.LittleEndian.PutUint64(d[16:], binary.LittleEndian.Uint64(s[16:])^k)
	binary.LittleEndian.PutUint64(d[24:], binary.LittleEndian.Uint64(s[24:])^k)
}
