package suite

const (
	endOfBlock = 256
	maxWidth   = 15 // greatest width of a code, in bits
	quickWidth = 9  // greatest width of a code that quick finds
)

// A huffman decodes a canonical Huffman code (RFC 1951, section 3.2.2).
type huffman struct {
	quick   [1 << quickWidth]uint16 // by the next bits: symbol<<4 | width, or 0 for a longer code
	count   [maxWidth + 1]uint16    // number of codes of each width
	symbols []uint16                // symbols in the order of their codes
}

// newHuffman returns the decoder of the code whose symbols have codes of the given
// widths. It reports whether the code is legal. A legal code is complete, or has one
// symbol of one bit, or none.
func newHuffman(widths []byte) (*huffman, bool) {
	h := &huffman{symbols: make([]uint16, len(widths))}
	for _, w := range widths {
		h.count[w]++
	}
	h.count[0] = 0
	var next, place [maxWidth + 2]uint16
	left := 1
	for w := 1; w <= maxWidth; w++ {
		left = left<<1 - int(h.count[w])
		if left < 0 {
			return nil, false
		}
		next[w+1] = (next[w] + h.count[w]) << 1
		place[w+1] = place[w] + h.count[w]
	}
	total := place[maxWidth+1]
	if left > 0 && (total > 1 || total == 1 && h.count[1] == 0) {
		return nil, false
	}
	for symbol, w := range widths {
		if w == 0 {
			continue
		}
		h.symbols[place[w]] = uint16(symbol)
		place[w]++
		if w <= quickWidth {
			for i := reversed(next[w], int(w)); i < 1<<quickWidth; i += 1 << w {
				h.quick[i] = uint16(symbol)<<4 | uint16(w)
			}
		}
		next[w]++
	}
	return h, true
}

// noSymbol is greater than any symbol.
const noSymbol = 1 << 12

// decode reads a code from b and returns its symbol.
func (h *huffman) decode(b *bitReader) int {
	if b.count < maxWidth {
		b.fill()
	}
	if entry := h.quick[b.held&(1<<quickWidth-1)]; entry != 0 {
		b.drop(int(entry & 15))
		return int(entry >> 4)
	}
	return h.walk(b)
}

// walk reads a code bit by bit. Codes of one width are consecutive numbers.
func (h *huffman) walk(b *bitReader) int {
	code, first, index := 0, 0, 0
	for w := 1; w <= maxWidth; w++ {
		code |= int(b.held>>(w-1)) & 1
		count := int(h.count[w])
		if code-first < count {
			b.drop(w)
			return int(h.symbols[index+code-first])
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	b.failed = b.failed || b.count < maxWidth
	return noSymbol
}

// An extended is the meaning of a length or distance symbol: a base, to which
// extra bits are added.
type extended struct{ base, extra int }

func (e extended) read(b *bitReader) int { return e.base + int(b.take(e.extra)) }

// lengths and reaches are the tables of RFC 1951, section 3.2.5.
var (
	lengths = extendedTable(3, 29, 4, 258)
	reaches = extendedTable(1, 30, 2, 0)
)

// extendedTable returns n symbols whose values begin with first. The first two
// groups of every symbols have no extra bits, and each later group has one more
// than the group before. If last is not zero, it is the value of the last
// symbol, which has no extra bits.
func extendedTable(first, n, every, last int) []extended {
	var t []extended
	for i := range n {
		extra := max(0, i/every-1)
		t = append(t, extended{first, extra})
		first += 1 << extra
	}
	if last > 0 {
		t[n-1] = extended{last, 0}
	}
	return t
}

var fixedLiterals, fixedDistances = fixedCodes()

// fixedCodes returns the codes of RFC 1951, section 3.2.6.
func fixedCodes() (literals, distances *huffman) {
	widths := make([]byte, 288)
	for i := range widths {
		switch {
		case i < 144:
			widths[i] = 8
		case i < 256:
			widths[i] = 9
		case i < 280:
			widths[i] = 7
		default:
			widths[i] = 8
		}
	}
	literals, _ = newHuffman(widths)
	distanceWidths := make([]byte, 32)
	for i := range distanceWidths {
		distanceWidths[i] = 5
	}
	distances, _ = newHuffman(distanceWidths)
	return literals, distances
}
