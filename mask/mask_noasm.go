//go:build !amd64 || purego

package mask

// xorVectors reports false: without assembly, xorWords does everything.
func xorVectors(_, _ []byte, _ uint32) bool { return false }
