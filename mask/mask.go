// Package mask applies the masking of WebSocket payloads (RFC 6455, section
// 5.3): octet i of the payload is combined by exclusive or with octet i mod 4
// of the key. Masking twice with the same key gives back the octets.
//
// A payload may be masked in parts of any length: each call returns the
// position that the next one starts from.
//
// On amd64 with AVX2 longer parts are masked by assembly; the build tag purego
// leaves the portable code alone everywhere.
//
// # Concurrency and ownership
//
// Both functions are pure, allocate nothing, and may be called from any
// goroutine. Slices that are passed in are not kept, and nothing outside them
// is read or written.
package mask

import "encoding/binary"

// Bytes masks b in place. pos is the position of b[0] in the payload, any
// number not below zero, of which only pos mod 4 matters; the result is the
// position behind b, mod 4, for the next part.
func Bytes(b []byte, key [4]byte, pos int) int {
	xor(b, b, binary.LittleEndian.Uint32(key[:]), pos)
	return (pos + len(b)) & 3
}

// Copy masks src into dst in one pass, and returns the next position as Bytes
// does. dst must be at least as long as src and either not overlap it or begin
// where it begins. src is not modified, unless it is dst; nor is dst behind
// len(src). Copy panics before it writes when dst is shorter than src.
func Copy(dst, src []byte, key [4]byte, pos int) int {
	xor(dst[:len(src):len(dst)], src, binary.LittleEndian.Uint32(key[:]), pos)
	return (pos + len(src)) & 3
}
