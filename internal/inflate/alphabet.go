package inflate

// The sizes of the alphabets of RFC 1951, section 3.2.5.
const (
	maxSymbols = 288 // symbols of the fixed code of literals and lengths
	maxLitLen  = 286 // literals and lengths with a meaning
	maxDist    = 30  // distances with a meaning

	endOfBlock = 256
	maxMatch   = 258 // longest match, in bytes
)

// The greatest number of bits that is read between two refills.
const (
	maxPairBits   = 15 + 5 + 15 + 13 // a length and a distance, each with its extra bits
	maxLengthBits = 7                // the code word of a code length
)

var (
	litLenAlphabet = newLitLenAlphabet()
	distAlphabet   = newDistAlphabet()
	lengthAlphabet = newLengthAlphabet() // of code lengths: section 3.2.7
)

// The codes of blocks that bring none of their own (RFC 1951, section 3.2.6).
var fixedLitLen, fixedDist = newFixedLitLen(), newFixedDist()

func newLitLenAlphabet() (a [maxSymbols]entry) {
	for s := range endOfBlock {
		a[s] = newEntry(literal, s, 0)
	}
	a[endOfBlock] = newEntry(ending, 0, 0)
	length := 3
	for i := range 28 {
		extra := max(0, i/4-1)
		a[endOfBlock+1+i] = newEntry(copying, length, extra)
		length += 1 << extra
	}
	a[maxLitLen-1] = newEntry(copying, maxMatch, 0)
	return a
}

func newDistAlphabet() (a [32]entry) {
	distance := 1
	for s := range maxDist {
		extra := max(0, s/2-1)
		a[s] = newEntry(copying, distance, extra)
		distance += 1 << extra
	}
	return a
}

func newLengthAlphabet() (a [len(lengthOrder)]entry) {
	for s := range a {
		a[s] = newEntry(literal, s, 0)
	}
	return a
}

func newFixedLitLen() (c code) {
	var words [maxSymbols]word
	for s := range words {
		bits := uint8(8)
		switch {
		case s >= 144 && s < 256:
			bits = 9
		case s >= 256 && s < 280:
			bits = 7
		}
		words[s] = word{uint16(s), bits}
	}
	c.build(words[:], litLenAlphabet[:])
	return c
}

func newFixedDist() (c code) {
	var words [32]word
	for s := range words {
		words[s] = word{uint16(s), 5}
	}
	c.build(words[:], distAlphabet[:])
	return c
}
