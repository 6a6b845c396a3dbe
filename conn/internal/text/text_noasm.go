//go:build !amd64 || purego

package text

// validVectors leaves everything to asciiPrefix and the automaton.
func validVectors([]byte) (int, bool) { return 0, false }
