// Package text checks that text is UTF-8 while it arrives. It is pure, and keeps
// nothing but a state of one word between two parts.
package text

import "encoding/binary"

// A Checker checks that text is UTF-8 (RFC 3629) while it arrives, in parts of any
// length. RFC 6455, section 8.1, requires the connection to fail if it is not. The
// Checker finds the first wrong byte without waiting for the rest of a character
// or a frame.
//
// The zero value is ready for a message. Once Done has returned true, a Checker is
// ready for the next message.
type Checker struct {
	state uint64 // the lower six bits are one of the states below
}

// Write checks p, the next part of the text. It reports whether the text so far can
// be the beginning of UTF-8 text. Once a byte makes that impossible, this call and
// all later ones return false. Write does not keep p.
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

// Done reports whether the text so far is UTF-8 and ends with a whole character.
func (u *Checker) Done() bool { return u.state == utf8Done }

// stride is the number of bytes that go through the automaton before validPrefix is
// tried again.
const stride = 64

// validPrefix returns the length of a prefix of p that is UTF-8 and ends with a
// whole character. The prefix need not be the longest, because the automaton checks
// the bytes after it.
func validPrefix(p []byte) int {
	if n := len(p) &^ (vector - 1); n > 0 {
		if n, ok := validVectors(p[:n]); ok {
			n = wholeCharacters(p[:n])
			// The rest is shorter than a vector, and mostly ASCII. It costs less to
			// check some bytes twice than to run the automaton.
			if rest := len(p) - n; 0 < rest && rest <= vector && isShortASCII(p[len(p)-vector:]) {
				return len(p)
			}
			return n
		}
	}
	return asciiPrefix(p)
}

// vector is the number of bytes that validVectors checks at once.
const vector = 32

// wholeCharacters returns the length of p without the incomplete character at its
// end, if there is one. All of p before that character must be UTF-8.
func wholeCharacters(p []byte) int {
	for i := 1; i <= min(len(p), 3); i++ {
		if c := p[len(p)-i]; c >= 0xC0 { // the first byte of the last character
			if c >= 0xF0 && i < 4 || c >= 0xE0 && i < 3 || i < 2 {
				return len(p) - i
			}
			break
		}
	}
	return len(p)
}

// isShortASCII reports whether p is ASCII and has 8 to 32 bytes, as most short
// messages do. It reads words from both ends, which meet or overlap. That takes
// less time than a loop.
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

// highBits has the bits that are set only in bytes that are not ASCII.
const highBits = 0x8080808080808080

// asciiPrefix is validPrefix for text that begins with ASCII.
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

// The states of the automaton follow the well-formed sequences of RFC 3629, section
// 4. The value of a state is the number of bits by which an entry of utf8Steps is
// shifted to get the next state. So a step costs one shift and one load, and the
// load does not wait for the state.
const (
	utf8Done  uint64 = 6 * iota // between two characters
	utf8Bad                     // the text is not UTF-8; no byte leads out of this state
	utf8One                     // wants one byte of 80..BF
	utf8Two                     // wants two bytes of 80..BF
	utf8Three                   // wants three bytes of 80..BF
	utf8E0                      // wants A0..BF, then one of 80..BF: no overlong forms
	utf8ED                      // wants 80..9F, then one of 80..BF: no surrogates
	utf8F0                      // wants 90..BF, then two of 80..BF: no overlong forms
	utf8F4                      // wants 80..8F, then two of 80..BF: nothing above U+10FFFF

	stateBits = 63 // mask of the bits that hold a state
)

// utf8Steps is indexed by a byte. An entry holds six bits for each state: the state
// that follows it.
var utf8Steps = makeSteps()

func makeSteps() (steps [256]uint64) {
	for c := range steps {
		for from := utf8Done; from <= utf8F4; from += 6 {
			steps[c] |= utf8Next(from, byte(c)) << from
		}
	}
	return steps
}

// utf8Next returns the state to which c leads from a state.
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

// utf8First returns the state after c, the first byte of a character.
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
