package inflate

import "math/bits"

// An entry is what a code word means, and how many bits it takes.
//
//	bits 0 to 7    of the code word and the extra bits behind it
//	bits 8 to 11   of the code word alone
//	bits 12 to 13  kind
//	bits 16 to 31  value: a literal, or the least length or distance
//
// An entry of 0 is no code word.
type entry uint32

// A kind says how to take a value. That of symbols that mean nothing, of which
// the fixed code has some, is 0.
type kind uint8

const (
	literal kind = 1 + iota
	copying      // the value and the extra bits, added up, are a length or a distance
	ending       // the block ends
)

func newEntry(k kind, value, extra int) entry {
	return entry(value)<<16 | entry(k)<<12 | entry(extra)
}

// withCode returns e for a code word of n bits.
func (e entry) withCode(n uint8) entry { return e + entry(n)<<8 + entry(n) }

func (e entry) bits() uint { return uint(uint8(e)) }
func (e entry) kind() kind { return kind(e>>12) & 3 }
func (e entry) value() int { return int(e >> 16) }

// read returns the value with the extra bits, which are in hold behind the code
// word.
func (e entry) read(hold uint64) int {
	return e.value() + int(hold&(1<<(e.bits()&63)-1)>>(e>>8&15))
}

const (
	maxCodeBits = 15
	tableBits   = 9 // of the code words that one look-up finds; longer ones are rare
	tableMask   = 1<<tableBits - 1
)

// A code is a Huffman code (RFC 1951, section 3.2.2).
type code struct {
	table [1 << tableBits]entry // by the next bits of the input; 0: a longer code word, or none

	// The code words of one length are numbers that follow each other, and so
	// are those of all lengths once zeros on the right make them 15 bits long.
	end    [maxCodeBits + 1]uint32 // the number behind the last word of each length, so filled up
	skip   [maxCodeBits + 1]int32  // from the number of a word, as it is, to its place in sorted
	sorted [maxSymbols]entry       // in the order of those numbers
}

// A word says how long the code word of a symbol is.
type word struct {
	symbol uint16
	bits   uint8
}

// build makes c the code with these words, which are in the order of their
// symbols; alphabet says what those mean. It reports whether there is such a
// code: one in which all bits mean something. As everywhere else, a single word
// of one bit will do, and so will none as long as none is used.
func (c *code) build(words []word, alphabet []entry) bool {
	var count, place [maxCodeBits + 1]int32
	for _, w := range words {
		count[w.bits&maxCodeBits]++
	}
	number, at := int32(0), int32(0)
	for n := 1; n <= maxCodeBits; n++ {
		place[n] = at
		c.skip[n] = at - number
		number += count[n]
		at += count[n]
		c.end[n] = uint32(number) << (maxCodeBits - n)
		number <<= 1
	}
	if number != 2<<maxCodeBits && len(words) != 0 && !(len(words) == 1 && count[1] == 1) {
		return false
	}
	for _, w := range words {
		n := w.bits & maxCodeBits
		c.sorted[place[n]] = alphabet[w.symbol].withCode(n)
		place[n]++
	}
	c.fill(&count)
	return true
}

// fill fills the table in. What it is for words of up to n bits is what it is
// for words of up to n-1 bits, twice, and the words of n bits written over that.
func (c *code) fill(count *[maxCodeBits + 1]int32) {
	c.table[0] = 0
	number, at := uint16(0), int32(0)
	for n := 1; n <= tableBits; n++ {
		half := 1 << (n - 1)
		copy(c.table[half:2*half], c.table[:half])
		number <<= 1
		for _, e := range c.sorted[at : at+count[n]] {
			// The first bit of a code word is the lowest of the input.
			c.table[bits.Reverse16(number<<(16-n))&tableMask] = e
			number++
		}
		at += count[n]
	}
}

// long returns the entry for the next bits of the input where the table has
// none.
func (c *code) long(hold uint64) entry {
	next := uint32(bits.Reverse16(uint16(hold)) >> 1)
	for n := tableBits + 1; n <= maxCodeBits; n++ {
		if next < c.end[n] {
			return c.sorted[int32(next>>(maxCodeBits-n))+c.skip[n]]
		}
	}
	return 0
}
