package text

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parleyws/parley/internal/race"
)

// A character that has begun is not ended by ASCII, which some lengths of have a way of their own.
func TestASCIIInsideACharacter(t *testing.T) {
	for n := range 100 {
		var u Checker
		if !u.Write([]byte("\xc3")) || u.Write([]byte(strings.Repeat("a", n))) != (n == 0) {
			t.Errorf("%d letters after half a character: %v", n, u.Done())
		}
	}
}

// Every sequence of up to three bytes, split in every way, is compared with
// unicode/utf8.
func TestUTF8Exhaustive(t *testing.T) {
	if race.Enabled {
		t.Skip("67 million checks of a pure function: without the race detector")
	}
	for first := range 1 << 8 {
		p := []byte{byte(first)}
		checkSplits(t, p, firstBad(p))
		for second := range 1 << 8 {
			p := []byte{byte(first), byte(second)}
			bad := firstBad(p)
			checkSplits(t, p, bad)
			for third := range 1 << 8 {
				p := []byte{byte(first), byte(second), byte(third)}
				if bad == 2 {
					checkSplits(t, p, firstBad(p))
				} else {
					checkSplits(t, p, bad)
				}
			}
		}
	}
}

// checkSplits feeds p to a Checker, cut into parts in every possible way. bad is the
// index of the first bad byte of p.
func checkSplits(t *testing.T, p []byte, bad int) {
	whole := utf8.Valid(p)
	for cuts := range 1 << (len(p) - 1) {
		var u Checker
		begin := 0
		for end := 1; end <= len(p); end++ {
			if end < len(p) && cuts>>(end-1)&1 == 0 {
				continue
			}
			if ok := u.Write(p[begin:end]); ok != (end <= bad) {
				t.Fatalf("% x, cuts %b: after byte %d Write = %t; the first bad byte is %d", p, cuts, end-1, ok, bad)
			}
			begin = end
		}
		if got := u.Done(); got != whole {
			t.Fatalf("% x, cuts %b: Done = %t, utf8.Valid = %t", p, cuts, got, whole)
		}
	}
}

// firstBad returns the index of the first bad byte of p: with it, p is not the
// beginning of any text. It returns len(p) if there is none. It tries the bytes that
// could follow.
func firstBad(p []byte) int {
	whole := 0
	for whole < len(p) {
		r, n := utf8.DecodeRune(p[whole:])
		if r == utf8.RuneError && n < 2 {
			break
		}
		whole += n
	}
	for n := whole; n < len(p); n++ {
		if !canGoOn(p[whole : n+1]) {
			return n
		}
	}
	return len(p)
}

// canGoOn reports whether p is the beginning of some text. RFC 3629 restricts only
// the second byte of a character further, so it is enough to try the least and the
// greatest byte of each range.
func canGoOn(p []byte) bool {
	if utf8.Valid(p) {
		return true
	}
	if len(p) >= utf8.UTFMax {
		return false
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

// Four bytes: the edges of every range in each place, split in every way.
func TestUTF8FourBytes(t *testing.T) {
	edges := []byte{0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
		0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}
	n := len(edges)
	for i := range n * n * n * n {
		p := []byte{edges[i/n/n/n], edges[i/n/n%n], edges[i/n%n], edges[i%n]}
		checkSplits(t, p, firstBad(p))
	}
}

// The samples of Autobahn's sections 6.4 and 6.6 to 6.20, shortened.
func TestUTF8FailsFast(t *testing.T) {
	tests := []struct {
		name, text string
		bad        int // index of the first bad byte, or -1
		done       bool
	}{
		{"Greek", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", -1, true},
		{"above U+10FFFF, at its second byte", "\xf4\x90\x80\x80", 1, false},
		{"surrogate, at its second byte", "\xed\xa0\x80", 1, false},
		{"overlong, two bytes", "\xc0\xaf", 0, false},
		{"overlong, three bytes", "\xe0\x80\xaf", 1, false},
		{"overlong, four bytes", "\xf0\x8f\xbf\xbf", 1, false},
		{"five bytes", "\xf8\x88\x80\x80\x80", 0, false},
		{"greatest", "\xf4\x8f\xbf\xbf", -1, true},
		{"U+FFFF is no error", "\xef\xbf\xbf", -1, true},
		{"alone", "\x80", 0, false},
		{"cut", "\xf0\x9f\x98", -1, false},
		{"ASCII inside a character", "\xe2\x82A", 2, false},
	}
	for _, tt := range tests {
		for _, before := range []int{0, 1, 7, 8, 31, 32, 63, 64, 65, 127, 200} {
			p := []byte(strings.Repeat("a", before) + tt.text)
			var u Checker
			bad := -1
			for i := range p {
				if !u.Write(p[i : i+1]) {
					bad = i - before
					break
				}
			}
			if bad != tt.bad || u.Done() != tt.done {
				t.Errorf("%s after %d: bad at %d, done %t; want %d, %t", tt.name, before, bad, u.Done(), tt.bad, tt.done)
			}
			if u = (Checker{}); u.Write(p) != (tt.bad < 0) || u.Done() != tt.done {
				t.Errorf("%s after %d, at once: done %t", tt.name, before, u.Done())
			}
			if tt.bad >= 0 && u.Write([]byte("a")) {
				t.Errorf("%s: goes on after its error", tt.name)
			}
		}
	}
}

// Text that is checked in vectors gives the same result as text that is checked byte
// by byte. The test puts four bytes of every kind around the end of a vector,
// between characters of every length.
func TestUTF8Vectors(t *testing.T) {
	edges := []byte{0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2, 0xE0, 0xED, 0xF0, 0xF4}
	n := len(edges)
	for _, around := range []string{"a", "é", "€", "😀"} {
		text := strings.Repeat(around, 3*vector/len(around))
		for at := vector - 6; at <= vector+6; at++ {
			for i := range n * n * n * n {
				p := []byte(text)
				copy(p[at:], []byte{edges[i/n/n/n], edges[i/n/n%n], edges[i/n%n], edges[i%n]})
				var whole, single Checker
				legal := whole.Write(p)
				want := true
				for j := range p {
					want = want && single.Write(p[j:j+1])
				}
				if legal != want || whole.Done() != single.Done() {
					t.Fatalf("%x: legal %t, done %t; byte by byte %t, %t", p, legal, whole.Done(), want, single.Done())
				}
			}
		}
	}
}

// Every length up to a few vectors, with bytes of every kind in every place of text
// whose characters have every length. The lengths cover isShortASCII and asciiPrefix,
// which read words; the bytes cover the end of a vector that holds the first wrong
// byte, or the beginning of a character that the next byte makes wrong.
func TestUTF8Lengths(t *testing.T) {
	if race.Enabled {
		t.Skip("some 300,000 checks of a pure function: without the race detector")
	}
	odds := []string{"a", "é", "€", "😀", "\x80", "\xC0", "\xC1", "\xC3", "\xE0", "\xED\xA0", "\xE2\x82",
		"\xF0\x9F\x98", "\xF4\x90", "\xF5", "\xFF"}
	for n := range 3*vector + 8 {
		for _, around := range []string{"a", "é", "€", "😀"} {
			text := strings.Repeat(around, n)[:n]
			for _, odd := range odds {
				for at := range max(n-len(odd)+1, 0) {
					p := []byte(text)
					copy(p[at:], odd)
					var u Checker
					legal := u.Write(p)
					if bad := firstBad(p); legal != (bad == n) || u.Done() != utf8.Valid(p) {
						t.Fatalf("%q: legal %t, done %t; the first bad byte is %d", p, legal, u.Done(), bad)
					}
				}
			}
		}
	}
}

// Text in any parts is refused with the part that holds the first bad byte.
func FuzzUTF8(f *testing.F) {
	f.Add([]byte("Hello, \xce\xba\xe1\xbd\xb9 and \xf0\x9f\x98\x80"), uint8(3))
	f.Add([]byte(strings.Repeat("a", 70)+"\xed\xa0\x80"), uint8(64))
	f.Add([]byte("\xf4\x8f\xbf\xbf\xf4\x90"), uint8(1))
	f.Fuzz(func(t *testing.T, p []byte, part uint8) {
		bad := firstBad(p)
		var u Checker
		for begin := 0; begin < len(p); {
			end := min(len(p), begin+int(part)%97+1)
			if ok := u.Write(p[begin:end]); ok != (end <= bad) {
				t.Fatalf("%d to %d: %t, the first bad byte is %d", begin, end, ok, bad)
			}
			begin = end
		}
		if u.Done() != utf8.Valid(p) {
			t.Fatalf("Done = %t", u.Done())
		}
		if n := validPrefix(p); !utf8.Valid(p[:n]) {
			t.Fatalf("validPrefix = %d", n)
		}
	})
}
