package handshake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"net/http"
	"slices"
	"strings"
)

// isTokenChar reports whether c can be in a token (RFC 9110, section 5.6.2).
func isTokenChar(c byte) bool { return tokenChars[c] }

var tokenChars = lettersDigitsAnd("!#$%&'*+-.^_`|~")

// lettersDigitsAnd returns the set of the ASCII letters, the digits and the
// characters of more.
func lettersDigitsAnd(more string) (t [256]bool) {
	for c := range t {
		t[c] = '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	for _, c := range more {
		t[c] = true
	}
	return t
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s []byte) bool {
	for _, c := range s {
		if !isTokenChar(c) {
			return false
		}
	}
	return len(s) > 0
}

// isFieldValue reports whether s can be the value of a header field (RFC 9110,
// section 5.5).
func isFieldValue(s []byte) bool { return indexControl(s) == len(s) }

// indexControl returns the index of the first control character other than the
// horizontal tab, or the length of s if there is none.
func indexControl(s []byte) int {
	i := 0
	for i+8 <= len(s) {
		c := controls(binary.LittleEndian.Uint64(s[i:]))
		if c == 0 {
			i += 8
			continue
		}
		if i += bits.TrailingZeros64(c) / 8; s[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(s) && (s[i] >= ' ' && s[i] != 0x7F || s[i] == '\t') {
		i++
	}
	return i
}

// controls sets the top bit of each byte of x that is below 0x20, or 0x7F. Because
// the subtraction borrows from byte to byte, only the lowest bit that is set is
// reliable.
func controls(x uint64) uint64 {
	return ((x - ' '*ones) | (x&^tops + ones)) &^ x & tops
}

// Words of eight bytes: each is 1, or has the top bit alone.
const ones, tops = 0x0101010101010101, 0x8080808080808080

// trimOWS removes optional white space (RFC 9110, section 5.6.3) from both ends.
func trimOWS(s []byte) []byte {
	for len(s) > 0 && isOWS(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isOWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

// lower returns the lower-case form of c if it is an ASCII capital, and otherwise c.
func lower(c byte) byte { return lowerCase[c] }

var lowerCase = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			t[c] += 'a' - 'A'
		}
	}
	return t
}()

// equalFold reports whether s equals t without regard to case. t consists of
// lower-case letters, digits and hyphens. Unlike in bytes.EqualFold, only ASCII
// letters have a case.
func equalFold(s []byte, t string) bool { return len(s) == len(t) && foldsTo(s, t) }

// foldsTo is equalFold for s and t of the same length. It is a function of its own
// so that the comparison of the lengths, which usually decides, is inlined.
func foldsTo(s []byte, t string) bool {
	n := len(s)
	if n < 4 {
		for i, c := range s {
			if lower(c) != t[i] {
				return false
			}
		}
		return true
	}
	// The last eight or four bytes may overlap those before them.
	u := []byte(t)
	if n < 8 {
		return wordFoldsTo(
			uint64(binary.LittleEndian.Uint32(s))<<32|uint64(binary.LittleEndian.Uint32(s[n-4:])),
			uint64(binary.LittleEndian.Uint32(u))<<32|uint64(binary.LittleEndian.Uint32(u[n-4:])))
	}
	for i := 0; i < n-8; i += 8 {
		if !wordFoldsTo(binary.LittleEndian.Uint64(s[i:]), binary.LittleEndian.Uint64(u[i:])) {
			return false
		}
	}
	return wordFoldsTo(binary.LittleEndian.Uint64(s[n-8:]), binary.LittleEndian.Uint64(u[n-8:]))
}

// wordFoldsTo is foldsTo for eight bytes. Of the characters of t only letters have
// the bit 0x40, and the bit that distinguishes their case is 0x20.
func wordFoldsTo(s, t uint64) bool { return (s^t)&^(t>>1&(0x20*ones)) == 0 }

// nextElement returns the first element of a list (RFC 9110, section 5.6.1) and the
// rest of the list. The element may be empty.
func nextElement(list []byte) (element, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trimOWS(list[:i]), list[i+1:]
		}
	}
	return trimOWS(list), nil
}

// hasToken reports whether the list has the token, which is given in lower case.
func hasToken(list []byte, token string) bool {
	if equalFold(list, token) { // as it mostly is
		return true
	}
	for len(list) > 0 {
		var e []byte
		if e, list = nextElement(list); equalFold(e, token) {
			return true
		}
	}
	return false
}

// errReserved is the error for a header field that the handshake itself sets.
var errReserved = errors.New("the handshake itself sets the field")

// isReserved reports whether the handshake itself sets the field, or may not have
// it.
func isReserved(name string) bool {
	switch name = strings.ToLower(name); name {
	case "connection", "content-length", "host", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return strings.HasPrefix(name, "sec-websocket-")
}

// checkHeader reports what is wrong with header fields that the caller gave. A name
// that is not a token, or a value with CR or LF, would let the caller's data become
// further fields, so nothing of such a header is sent.
func checkHeader(h http.Header) error {
	if len(h) == 0 { // to iterate over none takes longer
		return nil
	}
	for name, values := range h {
		if !isToken([]byte(name)) {
			return fmt.Errorf("%s is not a field name", quote([]byte(name)))
		}
		if isReserved(name) {
			return fmt.Errorf("%w: %s", errReserved, name)
		}
		for _, v := range values {
			if !isFieldValue([]byte(v)) {
				return fmt.Errorf("%s is %s, which has a control character", name, quote([]byte(v)))
			}
		}
	}
	return nil
}

// appendHeader appends the fields of h to b, sorted by name.
func appendHeader(b []byte, h http.Header) []byte {
	if len(h) == 0 {
		return b
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	return b
}

// checkSubprotocols reports what is wrong with subprotocols that the caller gave.
// They must be tokens, each given once (RFC 6455, section 4.1, item 10).
func checkSubprotocols(names []string) error {
	for i, name := range names {
		if !isToken([]byte(name)) {
			return fmt.Errorf("%s is not a token", quote([]byte(name)))
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%q is listed twice", name)
		}
	}
	return nil
}
