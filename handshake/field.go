package handshake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// isTokenChar reports whether c may stand in a token (RFC 9110, section 5.6.2).
func isTokenChar(c byte) bool { return tokenChars[c] }

var tokenChars = func() (t [256]bool) {
	for c := '0'; c <= 'z'; c++ {
		t[c] = '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s []byte) bool {
	for _, c := range s {
		if !isTokenChar(c) {
			return false
		}
	}
	return len(s) > 0
}

// isFieldValue reports whether s may be the value of a header field (RFC 9110,
// section 5.5): no control characters but the horizontal tab.
func isFieldValue(s []byte) bool {
	for ; len(s) >= 8; s = s[8:] {
		if mayHoldControl(binary.LittleEndian.Uint64(s)) && !isFieldText(s[:8]) {
			return false
		}
	}
	return isFieldText(s)
}

// isFieldText is isFieldValue, one octet at a time.
func isFieldText(s []byte) bool {
	for _, c := range s {
		if c < ' ' && c != '\t' || c == 0x7F {
			return false
		}
	}
	return true
}

// mayHoldControl reports whether any of the eight octets in x is below 0x20 or
// 0x7F. The subtractions borrow from octet to octet, so that it may be wrong in
// saying yes, but only if one is.
func mayHoldControl(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	del := x ^ 0x7F*ones
	return ((x-' '*ones)&^x|(del-ones)&^del)&tops != 0
}

// trimOWS cuts optional white space (RFC 9110, section 5.6.3) off both ends.
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

// lower returns c, or its lower-case form if it is an ASCII capital.
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

// equalFold reports whether s is t, letters of any case. t is in lower case;
// unlike in bytes.EqualFold, only ASCII letters have a case.
func equalFold(s []byte, t string) bool {
	if len(s) != len(t) {
		return false
	}
	for i, c := range s {
		if lower(c) != t[i] {
			return false
		}
	}
	return true
}

// nextElement splits off the first element of a list (RFC 9110, section 5.6.1).
// Empty elements are returned like others.
func nextElement(list []byte) (element, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trimOWS(list[:i]), list[i+1:]
		}
	}
	return trimOWS(list), nil
}

// hasToken reports whether token, given in lower case, is in list.
func hasToken(list []byte, token string) bool {
	for len(list) > 0 {
		var e []byte
		if e, list = nextElement(list); equalFold(e, token) {
			return true
		}
	}
	return false
}

// errReserved is a header field that the handshake itself writes.
var errReserved = errors.New("header field is set by the handshake itself")

// isReserved reports whether the handshake writes the field, or forbids it.
func isReserved(name string) bool {
	switch name = strings.ToLower(name); name {
	case "connection", "content-length", "host", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return strings.HasPrefix(name, "sec-websocket-")
}

// checkHeader tells what is wrong with header fields that the user gave. Names
// that are no tokens and values with CR, LF or NUL would let a caller's data
// become header fields, so nothing of such a header is sent.
func checkHeader(h http.Header) error {
	for name, values := range h {
		if !isToken([]byte(name)) {
			return fmt.Errorf("invalid header field name %q", name)
		}
		if isReserved(name) {
			return fmt.Errorf("%w: %q", errReserved, name)
		}
		for _, v := range values {
			if !isFieldValue([]byte(v)) {
				return fmt.Errorf("invalid value of header field %q", name)
			}
		}
	}
	return nil
}

// appendHeader appends the fields of h to b, in the order of their names.
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

// checkSubprotocols tells what is wrong with subprotocols that the user gave:
// they are tokens, each given once (RFC 6455, section 4.1, item 10).
func checkSubprotocols(names []string) error {
	for i, name := range names {
		if !isToken([]byte(name)) {
			return fmt.Errorf("invalid subprotocol %q", name)
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("subprotocol %q given twice", name)
		}
	}
	return nil
}
