//go:build !purego

package mask

import "testing"

// eachPath runs f once for each implementation that can mask long payloads.
func eachPath(t *testing.T, f func(t *testing.T)) {
	if useAVX2 {
		t.Run("AVX2", f)
		useAVX2 = false
		defer func() { useAVX2 = true }()
	}
	t.Run("words", f)
}
