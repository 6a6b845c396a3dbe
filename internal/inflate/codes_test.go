package inflate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// stream packs bits, given in the order in which they come.
func stream(bits ...string) []byte {
	var b []byte
	for i, bit := range strings.ReplaceAll(strings.Join(bits, ""), " ", "") {
		if i%8 == 0 {
			b = append(b, 0)
		}
		b[i/8] |= byte(bit-'0') << (i % 8)
	}
	return b
}

// num writes v with the given number of bits, the lowest first.
func num(v, bits int) string {
	var b strings.Builder
	for i := range bits {
		b.WriteByte('0' + byte(v>>i&1))
	}
	return b.String()
}

// dynamic begins a block with codes of its own. lengths are the lengths of the
// code of code lengths, in the order of RFC 1951, section 3.2.7. Without them, it
// is the code that one, two, repeat and zeros use.
func dynamic(litLens, dists int, lengths ...int) string {
	if lengths == nil {
		lengths = []int{3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 2}
	}
	var s strings.Builder
	s.WriteString("0" + num(2, 2) + num(litLens-257, 5) + num(dists-1, 5) + num(len(lengths)-4, 4))
	for _, n := range lengths {
		s.WriteString(num(n, 3))
	}
	return s.String()
}

// Code words for a code length of one, for a code length of two, and for three
// repetitions of the last one.
const one, two, repeat = "10", "110", "111 00"

// zeros returns the code word for n code lengths of 0. n must be 11 to 138.
func zeros(n int) string { return "0" + num(n-11, 7) }

func TestRefused(t *testing.T) {
	fixed := "0" + num(1, 2)
	fourBits := []int{4, 0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 0, 4} // words for 16, 18 and 0 to 13
	tests := []struct {
		name    string
		payload []byte
	}{
		{"nothing at all", nil},
		{"block type 3", unhex(t, "06 00")},
		{"header cut", stream(fixed, "110010000 110010000 110010000 110010000 0000000")}, // two bits are left
		{"stored length and its inverse differ", unhex(t, "00 05 00 fa fe 48 65 6c 6c 6f 00")},
		{"stored header cut", unhex(t, "00 05")},
		{"stored block cut", unhex(t, "00 05 00 fa ff 48 65 6c 6c")},
		{"the tail left on", unhex(t, hello+"00 00 ff ff 00 00 ff ff")},
		{"no end of a fixed block", unhex(t, "f2 48 cd c9 c9")},
		{"no end of the final block", unhex(t, "f3 48 cd c9 c9")},
		{"distance before the window", unhex(t, "02 13 00 00")},
		{"length symbol 286", stream(fixed, "11000110 00000 0000000 000")},
		{"length symbol 286 alone", stream(fixed, "11000110 0000000 000")},
		{"distance symbol 30", stream(fixed, "00110000 0000001 11110 0000000 000")},
		{"code lengths cut", stream(dynamic(257, 1), one, one)},
		{"code of code lengths: too many words", stream(dynamic(257, 1, 1, 1, 1, 1))},
		{"code of code lengths: too few words", stream(dynamic(257, 1, 2, 2, 2, 0))},
		{"code of code lengths: no word", stream(dynamic(257, 1, 0, 0, 0, 0), num(0, 64))},
		{"code of code lengths: not that word", stream(dynamic(257, 1, 0, 0, 1, 0), "1", num(0, 64))},
		// The rows below have one fault each.
		{"code of code lengths: a word is missing", stream(dynamic(257, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 2), zeros(138), zeros(117), one, one, one, "1 000")},
		{"287 literals and lengths", stream(dynamic(287, 1), zeros(138), zeros(118), one, zeros(30), one, "0 000")},
		{"31 distances", stream(dynamic(257, 31), zeros(138), zeros(118), one, zeros(31), "0 000")},
		{"nothing to repeat", stream(dynamic(257, 1), repeat, zeros(138), zeros(115), one, one, "0 000")},
		{"nothing to repeat, and words of -1 bits complete the code", stream(dynamic(257, 1, fourBits...), "1110", num(1, 2), // four times
			"0010 0011 0100 0101 0110 0111 1000 1001 1010 1011 1100 1101", // 2 to 13
			"1111", num(138-11, 7), "1111", num(102-11, 7), "0001 0001 0 000")},
		{"code of code lengths: a word is missing, after a block whose code would do", stream(
			dynamic(257, 1), two, two, zeros(16), two, zeros(138), zeros(99), two, one, "11", // 0, 1, 18 and the end have words
			dynamic(257, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 2),
			"10", num(138-11, 7), "10", num(118-11, 7), "01 01 0 000")},
		{"more lengths than announced", stream(dynamic(257, 10), zeros(138), zeros(118), one, zeros(11), "0 000")},
		{"literals and lengths: no word", stream(dynamic(257, 1), zeros(138), zeros(119), one, num(0, 64))},
		{"literals and lengths: no word, and a far distance", stream(dynamic(286, 12), zeros(138), zeros(138), zeros(21), one, num(0, 64))},
		{"no word in either code", stream(dynamic(257, 1), zeros(138), zeros(120), num(0, 64))},
		{"literals and lengths: too few words", stream(dynamic(257, 1), zeros(138), zeros(117), two, two, one, "01 000")},
		{"literals and lengths: too many words", stream(dynamic(257, 1), zeros(138), zeros(116), one, one, one, one, "1 000")},
		{"distances: too few words", stream(dynamic(257, 1), zeros(138), zeros(117), one, one, two, "1 000")},
		{"distances: a word is missing", stream(dynamic(257, 2), zeros(138), zeros(117), one, one, one, two, "1 000")},
		{"distances: too many words", stream(dynamic(257, 3), zeros(138), zeros(117), one, one, one, one, one, "1 000")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			for _, step := range []int{0, 1, 1000} {
				if got, err := all(&d, tt.payload, nil, step); err != ErrCorrupt {
					t.Errorf("room for %d: got %q, %v", Room+step, got, err)
				}
			}
		})
	}
}

// Codes with a single word or with none are legal as long as the data uses no
// other word (RFC 1951, section 3.2.7).
func TestSparseCodes(t *testing.T) {
	begin := dynamic(258, 1) + zeros('H') + one + zeros(138) + zeros(256-'H'-1-138) + two + two
	before := dynamic(257, 2) + zeros(138) + zeros(118) + one + one + one + "0" // a block with two distances
	for _, tt := range []struct{ name, before, dists, data, want string }{
		{"one distance", "", one, "0 0 11 0 0 11 0 10 000", "HHHHHHHHH"}, // 'H', 'H', 3 from 1, 'H', 3 from 1, end
		{"the other word of it", "", one, "0 11 1 10 000", ""},
		{"the other word of it, which the block before had", before, one, "0 0 11 1 00000 00000 0000 10 000", ""},
		{"no distance", "", "", "0 0 10 000", "HH"},
		{"no distance, but a length", "", "", "0 11 0 10 000", ""},
		{"no distance, but a length and one of the block before", before, "", "0 0 11 0 00000 00000 0000 10 000", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			head := begin + tt.dists
			if tt.dists == "" {
				head = strings.Replace(begin, dynamic(258, 1), dynamic(258, 11), 1) + zeros(11)
			}
			got, err := all(new(Decoder), stream(tt.before, head, tt.data), nil, 0)
			if ok := err == nil; ok != (tt.want != "") || ok && string(got) != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// A huffman is a Huffman code for encoding: the word of each symbol, or "" for a
// symbol without one.
type huffman []string

// newHuffman returns a complete code for up to k of the symbols below n, including
// all in must. Its words have at most 15 bits, and its tree is likely to be deep.
func newHuffman(r *rand.Rand, n, k int, must ...int) (words huffman, lengths []int) {
	leaves := []int{1, 1}
	for len(leaves) < k {
		i := len(leaves) - 1
		if r.IntN(3) == 0 {
			i = r.IntN(len(leaves))
		}
		if leaves[i] < 15 {
			leaves[i]++
			leaves = append(leaves, leaves[i])
		} else if r.IntN(100) == 0 {
			break
		}
	}
	lengths = make([]int, n)
	symbols := append(must, r.Perm(n)...)
	for _, depth := range leaves {
		for lengths[symbols[0]] != 0 {
			symbols = symbols[1:]
		}
		lengths[symbols[0]] = depth
	}
	words = make(huffman, n)
	next := 0
	for depth := 1; depth <= 15; depth++ { // RFC 1951, section 3.2.2
		next <<= 1
		for s, l := range lengths {
			if l == depth {
				words[s] = fmt.Sprintf("%0*b", depth, next)
				next++
			}
		}
	}
	return words, lengths
}

// Blocks with random codes and symbols, unlike those of any compressor: their code
// words and extra bits have all lengths.
func TestAnyCodes(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 15))
	window := someText(random, 1<<15) // long enough for every distance
	var d Decoder
	for range 100 {
		litLen, litLens := newHuffman(random, 286, 2+random.IntN(284), endOfBlock, 284, 285)
		dist, dists := newHuffman(random, 30, 2+random.IntN(28), 29)
		var s strings.Builder
		s.WriteString("0" + num(2, 2) + num(29, 5) + num(29, 5) + num(15, 4) + num(0, 9)) // no words for repetitions
		s.WriteString(strings.Repeat(num(4, 3), 16))                                      // 16 words of four bits
		for _, n := range append(litLens, dists...) {
			fmt.Fprintf(&s, "%04b", n)
		}
		for range 1000 {
			symbol := random.IntN(len(litLen))
			if random.IntN(2) == 0 {
				symbol = 284
			}
			if litLen[symbol] == "" || symbol == endOfBlock {
				continue
			}
			s.WriteString(litLen[symbol])
			if symbol < endOfBlock {
				continue
			}
			if symbol > 264 && symbol < 285 {
				s.WriteString(num(random.IntN(32), (symbol-261)/4))
			}
			symbol = random.IntN(len(dist))
			if dist[symbol] == "" {
				symbol = 29
			}
			s.WriteString(dist[symbol])
			if symbol > 3 {
				s.WriteString(num(random.Int(), symbol/2-1))
			}
		}
		p := stream(s.String(), litLen[endOfBlock], "000")
		want, ok := reference(p, window)
		got, err := all(&d, p, window, random.IntN(1<<16))
		if !ok || err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, %v, instead of %d, %t", len(got), err, len(want), ok)
		}
	}
}

// The longest pair of a length and a distance that there can be, 48 bits, comes after any number
// of bits that are loaded.
func TestLongestPairs(t *testing.T) {
	var s strings.Builder
	s.WriteString("0" + num(2, 2) + num(29, 5) + num(29, 5) + num(15, 4) + num(0, 9) + strings.Repeat(num(4, 3), 16))
	lengths := make([]int, 286+30) // as TestAnyCodes writes them
	for n := 1; n < 15; n++ {
		lengths[n], lengths[286+n] = n, n
	}
	lengths[endOfBlock], lengths[284], lengths[286], lengths[286+29] = 15, 15, 15, 15
	for _, n := range lengths {
		fmt.Fprintf(&s, "%04b", n)
	}
	last := strings.Repeat("1", 14)
	for n := range 64 {
		s.WriteString(strings.Repeat("0", n) + last + "1" + num(n, 5) + last + "1" + num(n, 13))
	}
	p, window := stream(s.String(), last, "0 000"), someText(rand.New(rand.NewPCG(4, 8)), 1<<15)
	want, ok := reference(p, window)
	got, err := all(new(Decoder), p, window, len(want))
	if !ok || err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v, instead of %d, %t", len(got), err, len(want), ok)
	}
}
