package conn

import (
	"testing"
	"unicode/utf8"
)

// Every sequence of up to three octets, in parts at every split, against
// unicode/utf8.
func TestUTF8Exhaustive(t *testing.T) {
	for first := range 1 << 8 {
		checkSplits(t, []byte{byte(first)})
		for second := range 1 << 8 {
			checkSplits(t, []byte{byte(first), byte(second)})
			for third := range 1 << 8 {
				checkSplits(t, []byte{byte(first), byte(second), byte(third)})
			}
		}
	}
}

// checkSplits feeds p to a checker, cut into parts in every possible way.
func checkSplits(t *testing.T, p []byte) {
	bad := firstBad(p)
	for cuts := range 1 << (len(p) - 1) {
		var u utf8Checker
		begin, ok := 0, true
		for end := 1; end <= len(p); end++ {
			if end < len(p) && cuts>>(end-1)&1 == 0 {
				continue
			}
			ok = u.write(p[begin:end])
			if ok != (end <= bad) {
				t.Fatalf("% x, cuts %b: after octet %d write = %t; the first bad octet is %d", p, cuts, end-1, ok, bad)
			}
			begin = end
		}
		if got, want := u.done(), utf8.Valid(p); got != want {
			t.Fatalf("% x, cuts %b: done = %t, utf8.Valid = %t", p, cuts, got, want)
		}
	}
}

// firstBad returns the index of the first octet after which no text can begin
// with p, len(p) if there is none: found by trying what could follow.
func firstBad(p []byte) int {
	for n := range p {
		if !canGoOn(p[:n+1]) {
			return n
		}
	}
	return len(p)
}

// canGoOn reports whether p is the beginning of some text. Since the bounds of
// RFC 3629 are on a character's second octet, the least and the greatest of each
// range are enough to try.
func canGoOn(p []byte) bool {
	if utf8.Valid(p) {
		return true
	}
	edges := []byte{0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF}
	for _, second := range edges {
		for _, more := range []string{"", "\x80", "\x80\x80"} {
			whole := append(append(make([]byte, 0, 8), p...), second)
			if utf8.Valid(append(whole, more...)) {
				return true
			}
		}
	}
	return false
}
