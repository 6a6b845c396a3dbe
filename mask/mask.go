// Package mask applies the masking of WebSocket payloads (RFC 6455, section
// 5.3): octet i of the payload is combined by exclusive or with octet i mod 4
// of the key. Masking twice with the same key restores the original bytes.
//
// A payload may be masked in parts of any length: each call returns the
// position at which the next call starts.
//
// On amd64 with AVX2, assembly masks parts of more than 64 bytes. The build tag
// purego replaces the assembly by portable Go.
//
// # Concurrency and ownership
//
// Both functions are pure, allocate nothing, and may be called from any
// goroutine. They do not keep the slices that are passed in, and they read and
// write nothing outside those slices.
package mask

import "encoding/binary"

// Bytes masks b in place. pos is the position of b[0] in the payload. It must
// not be negative, and only pos mod 4 matters. Bytes returns the position after
// b, mod 4: it is the pos of the next part.
func Bytes(b []byte, key [4]byte, pos int) int {
	xor(b, b, binary.LittleEndian.Uint32(key[:]), pos)
	return (pos + len(b)) & 3
}

// Copy masks src into dst in one pass and returns the next position, as Bytes
// does. dst must be at least as long as src. The two must either not overlap or
// begin at the same byte. Copy writes len(src) bytes of dst and nothing else. If
// dst is shorter than src, Copy panics before it writes anything.
func Copy(dst, src []byte, key [4]byte, pos int) int {
	xor(dst[:len(src):len(dst)], src, binary.LittleEndian.Uint32(key[:]), pos)
	return (pos + len(src)) & 3
}
