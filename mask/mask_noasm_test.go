//go:build !amd64 || purego

package mask

import "testing"

// eachPath runs f once for each implementation that can mask long payloads.
func eachPath(t *testing.T, f func(t *testing.T)) { t.Run("words", f) }
