//go:build !purego

package conn

// withoutVectors runs f with the generic code.
func withoutVectors(f func()) {
	defer func(was bool) { useAVX2 = was }(useAVX2)
	useAVX2 = false
	f()
}
