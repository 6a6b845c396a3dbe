// Allows the go:linkname of the tests.
