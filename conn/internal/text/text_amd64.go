//go:build !purego

package text

import "github.com/parleyws/parley/internal/x86"

// validVectors returns the length of the part of p that holds no error. The length
// of p must be a multiple of vector. The part consists of whole vectors and may end
// inside a character. validVectors reports false, and does nothing, if the processor
// lacks AVX2.
func validVectors(p []byte) (int, bool) {
	if !x86.AVX2 {
		return 0, false
	}
	return validAVX2(&p[0], len(p)), true
}

// validAVX2 is validVectors for the n bytes at p. n must be a multiple of 32.
//
//go:noescape
func validAVX2(p *byte, n int) int
