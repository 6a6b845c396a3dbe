//go:build !purego

package mask

import "github.com/parleyws/parley/internal/x86"

// useAVX2 is a variable so that tests can turn it off.
var useAVX2 = x86.AVX2

// xorVectors is xor for 64 bytes or more. It reports false, and does nothing, if
// the processor lacks AVX2. It is small enough to be inlined.
func xorVectors(dst, src []byte, key uint32) bool {
	if !useAVX2 {
		return false
	}
	xorAVX2(&dst[0], &src[0], len(src), key)
	return true
}

// xorAVX2 masks n bytes, 64 or more, from src to dst, which may be src.
//
//go:noescape
func xorAVX2(dst, src *byte, n int, key uint32)
