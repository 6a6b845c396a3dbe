package inflate

import "encoding/binary"

// header reads what stands before the contents of a block (RFC 1951, section
// 3.2.3).
func (d *Decoder) header() error {
	d.final = d.bits(1) == 1
	kind := d.bits(2)
	if d.over() {
		return ErrCorrupt
	}
	switch kind {
	case 0:
		return d.storedHeader()
	case 1:
		d.litLen, d.dist = &fixedLitLen, &fixedDist
	case 2:
		if !d.codes() {
			return ErrCorrupt
		}
	default:
		return ErrCorrupt
	}
	d.state = inSymbols
	return nil
}

// end is behind a block. A sender may set BFINAL, the end of a stream, and go on
// with the next octet; the stream behind it belongs to the same message (RFC
// 7692, section 7.2.3.4). It should at least be the octet 00 of an empty block.
// That it is not there is let pass: nothing is ambiguous about it.
func (d *Decoder) end() {
	d.state = atHeader
	if d.final {
		d.align()
		if len(d.rest()) == 0 {
			d.state = atEnd
		}
	}
}

// storedHeader reads the length of a stored block (RFC 1951, section 3.2.4).
// Where the payload ends in its place, the length is the tail that was cut off,
// and the message is complete: no other block can end with the tail, or in it.
func (d *Decoder) storedHeader() error {
	d.align()
	rest := d.rest()
	if len(rest) == 0 {
		d.state = atEnd
		return nil
	}
	if len(rest) < 4 {
		return ErrCorrupt
	}
	length, inverse := binary.LittleEndian.Uint16(rest), binary.LittleEndian.Uint16(rest[2:])
	if length != ^inverse || int(length) > len(rest)-4 {
		return ErrCorrupt
	}
	d.pos += 4
	d.left = int(length)
	d.state = inStored
	return nil
}

// stored copies octets of a stored block to out[n:].
func (d *Decoder) stored(out []byte, n int) int {
	copied := copy(out[n:], d.rest()[:d.left])
	d.pos += copied
	if d.left -= copied; d.left == 0 {
		d.end()
	}
	return n + copied
}

// lengthOrder is the order in which the code lengths of code lengths come (RFC
// 1951, section 3.2.7).
var lengthOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes reads the two codes of a block that brings its own. It reports whether
// there can be such codes.
func (d *Decoder) codes() bool {
	litLens, dists, lengths := d.bits(5)+257, d.bits(5)+1, d.bits(4)+4
	if litLens > maxLitLen || dists > maxDist {
		return false
	}
	var bits [len(lengthOrder)]uint8
	for _, s := range lengthOrder[:lengths] {
		bits[s] = uint8(d.bits(3))
	}
	words := d.words[:0]
	for s, n := range bits {
		if n != 0 {
			words = append(words, word{uint16(s), n})
		}
	}
	if !d.ownLitLen.build(words, lengthAlphabet[:]) {
		return false
	}
	words, ok := d.codeLengths(&d.ownLitLen, litLens+dists)
	if !ok {
		return false
	}
	split := len(words)
	for split > 0 && int(words[split-1].symbol) >= litLens {
		split--
		words[split].symbol -= uint16(litLens)
	}
	d.litLen, d.dist = &d.ownLitLen, &d.ownDist
	return d.litLen.build(words[:split], litLenAlphabet[:]) && d.dist.build(words[split:], distAlphabet[:])
}

// codeLengths reads n code lengths, which are in code c, and returns the words
// of those that are not 0.
func (d *Decoder) codeLengths(c *code, n int) (_ []word, ok bool) {
	words, used := &d.words, 0
	last := -1 // none
	for s := 0; s < n; {
		if d.have < maxLengthBits {
			d.refill()
		}
		e := c.table[d.hold&tableMask]
		if e == 0 {
			return nil, false
		}
		length, times := e.value(), 1
		d.skip(e.bits())
		switch length {
		case 16:
			length, times = last, 3+d.bits(2)
		case 17:
			length, times = 0, 3+d.bits(3)
		case 18:
			length, times = 0, 11+d.bits(7)
		}
		if length < 0 || times > n-s {
			return nil, false
		}
		last = length
		if length == 0 {
			s += times
			continue
		}
		for range times {
			words[used] = word{uint16(s), uint8(length)}
			used++
			s++
		}
	}
	return words[:used], true
}
