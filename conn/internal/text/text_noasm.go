//go:build !amd64 || purego

package text

// validVectors reports false: without assembly, asciiPrefix and the automaton do
// everything.
func validVectors([]byte) (int, bool) { return 0, false }
