//go:build !amd64 || purego

package conn

// withoutVectors runs f: there are none.
func withoutVectors(f func()) { f() }
