//go:build !purego

package text

import (
	"testing"

	"github.com/parleyws/parley/internal/x86"
)

// A processor without AVX2 is not asked for it, and the text that it checks is
// accepted and refused all the same.
func TestUTF8WithoutAVX2(t *testing.T) {
	defer func(had bool) { x86.AVX2 = had }(x86.AVX2)
	x86.AVX2 = false
	if _, ok := validVectors(make([]byte, vector)); ok {
		t.Error("checked in vectors")
	}
	t.Run("Lengths", TestUTF8Lengths)
	t.Run("FailsFast", TestUTF8FailsFast)
}
