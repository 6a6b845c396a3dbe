package handshake

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
)

// keyLen is the length of a Sec-WebSocket-Key: 16 octets in base64 (RFC 6455,
// section 4.1).
const keyLen = 24

// acceptLen is the length of a Sec-WebSocket-Accept: a SHA-1 sum in base64.
const acceptLen = 28

// keyGUID is appended to a key before it is hashed (RFC 6455, section 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// newKey returns a fresh Sec-WebSocket-Key (RFC 6455, section 4.1, item 7).
func newKey() string {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// validKey reports whether key is the base64 form of exactly 16 octets (RFC
// 6455, section 4.2.1, item 5). Their length alone decides where the padding
// is; its unused bits may have any value, as RFC 4648, section 3.5 allows.
func validKey(key []byte) bool {
	if len(key) != keyLen || key[keyLen-2] != '=' || key[keyLen-1] != '=' {
		return false
	}
	for _, c := range key[:keyLen-2] {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}

// appendAccept appends the Sec-WebSocket-Accept that answers key to b (RFC
// 6455, section 4.2.2, item 5.4).
func appendAccept(b []byte, key [keyLen]byte) []byte {
	var in [keyLen + len(keyGUID)]byte
	copy(in[:], key[:])
	copy(in[keyLen:], keyGUID)
	sum := sha1.Sum(in[:])
	return base64.StdEncoding.AppendEncode(b, sum[:])
}
