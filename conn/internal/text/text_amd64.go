//go:build !purego

package text

import "github.com/parleyws/parley/internal/x86"

// validVectors returns how many octets of p, whose length is a multiple of
// vector, are UTF-8 as far as can be told without what follows them: the rest
// begins with the vector in which that becomes false. It reports whether the
// processor can do it.
func validVectors(p []byte) (int, bool) {
	if !x86.AVX2 {
		return 0, false
	}
	return validAVX2(&p[0], len(p)), true
}

// validAVX2 is validVectors for n octets from p on, n being a multiple of 32.
//
//go:noescape
func validAVX2(p *byte, n int) int
