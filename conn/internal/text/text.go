// Package text checks that text is UTF-8 while it arrives. It is pure: it neither
// waits nor keeps anything but the state between two parts.
package text

import "encoding/binary"

// A Checker tells whether text is UTF-8 (RFC 3629) while it arrives, in parts of
// any length: RFC 6455, section 8.1, has the connection fail where it is not,
// and there is no need to wait for the rest of a frame to know it. The zero value
// is ready for a message. A Checker is a value: an assignment of the zero value
// makes it ready for the next one.
type Checker struct {
	state uint64 // the lower six bits: one of the states below
}

// Write checks the next part of the text and reports whether some text could
// go on like this: false as soon as p holds the first byte that can't be, be it
// inside a character, and ever after. It does not keep p.
func (u *Checker) Write(p []byte) bool {
	s := u.state & stateBits
	if s == utf8Done && isShortASCII(p) {
		return true
	}
	for len(p) > 0 && s != utf8Bad {
		if s == utf8Done {
			p = p[validPrefix(p):]
		}
		n := min(len(p), stride)
		for _, c := range p[:n] {
			s = utf8Steps[c] >> (s & stateBits)
		}
		p = p[n:]
		s &= stateBits
	}
	u.state = s
	return s != utf8Bad
}

// Done reports whether the text so far is whole: legal, and not in the middle
// of a character.
func (u *Checker) Done() bool { return u.state == utf8Done }

// stride is how many octets go through the automaton, once it is needed,
// before the faster way is tried again.
const stride = 64

// validPrefix returns the length of a prefix of p that is UTF-8 and ends with a
// whole character. The prefix need not be the longest: what is behind it goes
// through the automaton.
func validPrefix(p []byte) int {
	if n := len(p) &^ (vector - 1); n > 0 {
		if n, ok := validVectors(p[:n]); ok {
			n = wholeCharacters(p[:n])
			// What is left over is less than a vector, and mostly ASCII: to look
			// at some octets again costs less than to go through the automaton.
			if rest := len(p) - n; 0 < rest && rest <= vector && isShortASCII(p[len(p)-vector:]) {
				return len(p)
			}
			return n
		}
	}
	return asciiPrefix(p)
}

// vector is the length of what validVectors looks at at once.
const vector = 32

// wholeCharacters returns the length of p, which is UTF-8 but for its end,
// without the character that it ends inside of.
func wholeCharacters(p []byte) int {
	for i := 1; i <= min(len(p), 3); i++ {
		if c := p[len(p)-i]; c >= 0xC0 { // the first octet of the last character
			if c >= 0xF0 && i < 4 || c >= 0xE0 && i < 3 || i < 2 {
				return len(p) - i
			}
			break
		}
	}
	return len(p)
}

// isShortASCII reports whether p is ASCII of 8 to 32 octets, as most short
// messages are: words from both ends, which meet or overlap, tell it in less
// time than a loop.
func isShortASCII(p []byte) bool {
	n := len(p)
	if n < 8 || n > 32 {
		return false
	}
	w := binary.LittleEndian.Uint64(p) | binary.LittleEndian.Uint64(p[n-8:])
	if n > 16 {
		w |= binary.LittleEndian.Uint64(p[8:]) | binary.LittleEndian.Uint64(p[n-16:])
	}
	return w&highBits == 0
}

// highBits are set in octets that are not ASCII.
const highBits = 0x8080808080808080

// asciiPrefix is validPrefix for ASCII.
func asciiPrefix(p []byte) int {
	rest := p
	for len(rest) >= 32 {
		a := binary.LittleEndian.Uint64(rest) | binary.LittleEndian.Uint64(rest[8:])
		b := binary.LittleEndian.Uint64(rest[16:]) | binary.LittleEndian.Uint64(rest[24:])
		if (a|b)&highBits != 0 {
			break
		}
		rest = rest[32:]
	}
	for len(rest) >= 8 && binary.LittleEndian.Uint64(rest)&highBits == 0 {
		rest = rest[8:]
	}
	return len(p) - len(rest)
}

// The states of the automaton, after the well-formed sequences of RFC 3629,
// section 4. Each is the number of bits by which an entry of utf8Steps is
// shifted to find the next state, so that a step costs one load, which does
// not depend on the state, and one shift.
const (
	utf8Done  uint64 = 6 * iota // between two characters
	utf8Bad                     // no text goes on like this
	utf8One                     // wants one octet of 80..BF
	utf8Two                     // wants two
	utf8Three                   // wants three
	utf8E0                      // wants A0..BF, then one: no overlong forms
	utf8ED                      // wants 80..9F, then one: no surrogates
	utf8F0                      // wants 90..BF, then two: no overlong forms
	utf8F4                      // wants 80..8F, then two: nothing above U+10FFFF

	stateBits = 63
)

// utf8Steps holds, for each octet, the next state of each state.
var utf8Steps = makeSteps()

func makeSteps() (steps [256]uint64) {
	for c := range steps {
		for from := utf8Done; from <= utf8F4; from += 6 {
			steps[c] |= utf8Next(from, byte(c)) << from
		}
	}
	return steps
}

// utf8Next returns the state that c leads to.
func utf8Next(from uint64, c byte) uint64 {
	lo, hi, next := byte(0x80), byte(0xBF), utf8Bad
	switch from {
	case utf8Done:
		return utf8First(c)
	case utf8One:
		next = utf8Done
	case utf8Two:
		next = utf8One
	case utf8Three:
		next = utf8Two
	case utf8E0:
		lo, next = 0xA0, utf8One
	case utf8ED:
		hi, next = 0x9F, utf8One
	case utf8F0:
		lo, next = 0x90, utf8Two
	case utf8F4:
		hi, next = 0x8F, utf8Two
	}
	if c < lo || c > hi {
		return utf8Bad
	}
	return next
}

// utf8First returns the state behind the first octet of a character.
func utf8First(c byte) uint64 {
	switch {
	case c < 0x80:
		return utf8Done
	case c < 0xC2, c > 0xF4: // a continuation, or a sequence that is overlong or too large
		return utf8Bad
	case c < 0xE0:
		return utf8One
	case c == 0xE0:
		return utf8E0
	case c == 0xED:
		return utf8ED
	case c < 0xF0:
		return utf8Two
	case c == 0xF0:
		return utf8F0
	case c == 0xF4:
		return utf8F4
	default:
		return utf8Three
	}
}
