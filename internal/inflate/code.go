package inflate

import "math/bits"

// An entry holds the meaning of a code word and its length.
//
//	bits 0 to 7    length of the code word with its extra bits, in bits
//	bits 8 to 11   length of the code word alone, in bits
//	bits 12 to 13  kind
//	bits 16 to 31  value: a literal, or the base of a length or a distance
//
// The entry 0 stands for no code word.
type entry uint32

// A kind says how to use the value of an entry. The kind 0 is for the symbols
// without a meaning, of which the fixed codes have some.
type kind uint8

const (
	literal kind = 1 + iota // the value is a byte
	copying                 // the value plus the extra bits is a length or a distance
	ending                  // the block ends
)

func newEntry(k kind, value, extra int) entry {
	return entry(value)<<16 | entry(k)<<12 | entry(extra)
}

// withCode returns e with a code word of n bits.
func (e entry) withCode(n uint8) entry { return e + entry(n)<<8 + entry(n) }

func (e entry) bits() uint { return uint(uint8(e)) }
func (e entry) kind() kind { return kind(e>>12) & 3 }
func (e entry) value() int { return int(e >> 16) }

// read returns the value plus the extra bits. hold begins with the code word,
// which the extra bits follow.
func (e entry) read(hold uint64) int {
	return e.value() + int(hold&(1<<(e.bits()&63)-1)>>(e>>8&15))
}

const (
	maxCodeBits = 15
	tableBits   = 9 // longest code word that the table finds; longer ones are rare
	tableMask   = 1<<tableBits - 1
)

// A code is a Huffman code (RFC 1951, section 3.2.2).
type code struct {
	// table is indexed by the next bits of the input. An entry of 0 means that
	// the code word is longer than tableBits, or that there is none.
	table [1 << tableBits]entry

	// The code words of one length are consecutive numbers. If zeros on the right
	// extend all words to 15 bits, longer words are greater than shorter ones.

	end    [maxCodeBits + 1]uint32 // by length: one more than the greatest extended word
	skip   [maxCodeBits + 1]int32  // by length: add to a word to get its index in sorted
	sorted [maxSymbols]entry       // the entries in the order of the extended words
}

// A word gives the length of a symbol's code word.
type word struct {
	symbol uint16
	bits   uint8
}

// build makes c the code with the given words, which are in the order of their
// symbols. alphabet gives the meaning of the symbols. build reports whether the
// code is legal: every sequence of bits must begin with a code word. Two
// incomplete codes are legal too, as in compress/flate: a single word of one bit,
// and no word at all. A missing word is an error only where the input uses it.
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

// fill builds the table, one length at a time. The table for words of up to n
// bits consists of two copies of the table for words of up to n-1 bits, over
// which the words of n bits are written.
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

// long returns the entry of a code word that is too long for the table, or 0 if
// the next bits of the input are no code word.
func (c *code) long(hold uint64) entry {
	next := uint32(bits.Reverse16(uint16(hold)) >> 1)
	for n := tableBits + 1; n <= maxCodeBits; n++ {
		if next < c.end[n] {
			return c.sorted[int32(next>>(maxCodeBits-n))+c.skip[n]]
		}
	}
	return 0
}
