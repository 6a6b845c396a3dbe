// Package mask applies the masking of WebSocket payloads (RFC 6455, section
// 5.3): octet i is combined by exclusive or with octet i mod 4 of the key.
// Masking twice gives back the octets.
package mask

// Bytes masks b in place. pos is the position of b[0] in the payload, any
// number not below zero, of which only pos mod 4 matters; the result is the
// position behind b, mod 4, for the next part.
func Bytes(b []byte, key [4]byte, pos int) int {
	for i := range b {
		b[i] ^= key[(pos+i)&3]
	}
	return (pos + len(b)) & 3
}

// Copy masks src into dst, which must be at least as long and either not
// overlap src or begin where it begins, and returns the next position as Bytes
// does. src is not modified.
func Copy(dst, src []byte, key [4]byte, pos int) int {
	for i, c := range src {
		dst[i] = c ^ key[(pos+i)&3]
	}
	return (pos + len(src)) & 3
}
