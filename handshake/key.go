package handshake

import (
	"crypto/fips140"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
)

// keyLen is the length of a Sec-WebSocket-Key: 16 bytes in base64 (RFC 6455,
// section 4.1).
const keyLen = 24

// acceptLen is the length of a Sec-WebSocket-Accept: a SHA-1 sum in base64.
const acceptLen = 28

// keyGUID is appended to a key before it is hashed (RFC 6455, section 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// newKey returns a new random Sec-WebSocket-Key (RFC 6455, section 4.1, item 7).
func newKey() string {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// validKey reports whether key is the base64 form of exactly 16 bytes (RFC 6455,
// section 4.2.1, item 5). The padding follows from that length. Its unused bits may
// have any value, as RFC 4648, section 3.5 allows.
func validKey(key []byte) bool {
	if len(key) != keyLen || key[keyLen-2] != '=' || key[keyLen-1] != '=' {
		return false
	}
	for _, c := range key[:keyLen-2] {
		if !keyChars[c] {
			return false
		}
	}
	return true
}

// keyChars is the alphabet of base64 (RFC 4648, section 4).
var keyChars = lettersDigitsAnd("+/")

// An acceptInput is the input of the hash that answers a key: the key and keyGUID.
type acceptInput [keyLen + len(keyGUID)]byte

// set sets the key.
func (a *acceptInput) set(key []byte) {
	copy(a[:keyLen], key)
	copy(a[keyLen:], keyGUID)
}

// append appends the Sec-WebSocket-Accept that answers the key to b (RFC 6455,
// section 4.2.2, item 5.4).
//
// SHA-1 protects nothing here. The answer shows that the server has read the key,
// which the client sent in the clear (RFC 6455, section 10.8). So this one use of
// SHA-1 is exempt from GODEBUG=fips140=only, which forbids it.
func (a *acceptInput) append(b []byte) []byte {
	var sum [sha1.Size]byte
	fips140.WithoutEnforcement(func() { sum = sha1.Sum(a[:]) })
	return base64.StdEncoding.AppendEncode(b, sum[:])
}
