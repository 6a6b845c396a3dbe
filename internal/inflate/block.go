package inflate

import "encoding/binary"

// header reads the header of a block, and the codes if the block brings its own
// (RFC 1951, section 3.2.3).
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

// end is called after the last byte or symbol of a block. If the block has BFINAL
// set, a DEFLATE stream ends, and another one may begin at the next byte of the
// same message (RFC 7692, section 7.2.3.4). By that section the message goes on at
// least with 00, the beginning of an empty block. end accepts a message without
// the 00, because nothing about it is ambiguous.
func (d *Decoder) end() {
	d.state = atHeader
	if d.final {
		d.align()
		if len(d.rest()) == 0 {
			d.state = atEnd
		}
	}
}

// storedHeader reads the length of a stored block (RFC 1951, section 3.2.4). If
// the payload ends before the length, the length is the tail that the sender
// removed, and the message is complete. A message that ends anywhere else was cut,
// because no other part of a block can end with the tail or inside it.
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

// stored copies bytes of a stored block to out[n:] and returns the new n.
func (d *Decoder) stored(out []byte, n int) int {
	copied := copy(out[n:], d.rest()[:d.left])
	d.pos += copied
	if d.left -= copied; d.left == 0 {
		d.end()
	}
	return n + copied
}

// lengthOrder is the order in which a block lists the code lengths of the code of
// code lengths (RFC 1951, section 3.2.7).
var lengthOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes reads the two codes of a block that brings its own. It reports whether
// they are legal.
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

// codeLengths reads n code lengths, which are encoded with c. It returns a word
// for each symbol whose length is not 0.
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
