// Package strictinflate inflates DEFLATE (RFC 1951) for this module's tests, as a
// peer with a small window does.
package strictinflate

import (
	"errors"
	"fmt"
	"io"
)

// An Inflater inflates messages as a peer with a small window does. Unlike
// compress/flate's reader it refuses a distance beyond the window, and it reads
// each message to its very last bit. It is written for clarity and shares no code
// with the packages that it tests.
type Inflater struct {
	Window  int    // size of the window, in bytes
	History []byte // the inflated bytes of all earlier messages to which the next may refer
}

// Message inflates one message of permessage-deflate and appends the result to
// History. Without context takeover the caller must empty History before each
// message.
func (s *Inflater) Message(p []byte) ([]byte, error) {
	r := &bitReader{p: append(append([]byte{}, p...), 0, 0, 0xFF, 0xFF)}
	out := s.History
	for !r.atEnd() {
		final := r.bits(1)
		kind := r.bits(2)
		var err error
		switch kind {
		case 0:
			out, err = r.stored(out)
		case 1:
			out, err = s.block(r, out, fixedLiterals(), fixedDistances())
		case 2:
			var literals, distances *code
			if literals, distances, err = r.codes(); err == nil {
				out, err = s.block(r, out, literals, distances)
			}
		default:
			err = errors.New("block type 3")
		}
		if err == nil {
			err = r.err
		}
		if err != nil {
			return nil, err
		}
		if final == 1 {
			r.align()
		}
	}
	message := out[len(s.History):]
	s.History = out
	return message, nil
}

// block inflates a block that uses two Huffman codes (RFC 1951, section 3.2.3).
func (s *Inflater) block(r *bitReader, out []byte, literals, distances *code) ([]byte, error) {
	for {
		symbol := literals.read(r)
		switch {
		case r.err != nil:
			return nil, r.err
		case symbol < 256:
			out = append(out, byte(symbol))
			continue
		case symbol == 256:
			return out, nil
		case symbol > 285:
			return nil, errors.New("length symbol 286 or 287")
		}
		length := lengthBase(symbol-257) + r.bits(lengthExtra(symbol-257))
		symbol = distances.read(r)
		if symbol > 29 {
			return nil, errors.New("distance symbol 30 or 31")
		}
		distance := distanceBase(symbol) + r.bits(distanceExtra(symbol))
		if distance > s.Window || distance > len(out) {
			return nil, fmt.Errorf("distance %d, window %d, %d bytes so far", distance, s.Window, len(out))
		}
		for range length {
			out = append(out, out[len(out)-distance])
		}
	}
}

// The tables of RFC 1951, section 3.2.5, are computed from their rule.

func lengthExtra(i int) int {
	if i < 8 || i == 28 {
		return 0
	}
	return i/4 - 1
}

func lengthBase(i int) int {
	if i == 28 {
		return 258
	}
	base := 3
	for j := range i {
		base += 1 << lengthExtra(j)
	}
	return base
}

func distanceExtra(i int) int { return max(0, i/2-1) }

func distanceBase(i int) int {
	base := 1
	for j := range i {
		base += 1 << distanceExtra(j)
	}
	return base
}

func fixedLiterals() *code {
	var lengths [288]int
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	return newCode(lengths[:])
}

func fixedDistances() *code {
	var lengths [32]int
	for i := range lengths {
		lengths[i] = 5
	}
	return newCode(lengths[:])
}

// A code is a canonical Huffman code (RFC 1951, section 3.2.2).
type code struct {
	count   [16]int // number of code words of each length
	symbols []int   // symbols in the order of their code words
}

func newCode(lengths []int) *code {
	c := &code{}
	for length := 1; length < 16; length++ {
		for symbol, l := range lengths {
			if l == length {
				c.count[length]++
				c.symbols = append(c.symbols, symbol)
			}
		}
	}
	return c
}

func (c *code) read(r *bitReader) int {
	at, first, index := 0, 0, 0
	for length := 1; length < 16; length++ {
		at = at<<1 | r.bits(1)
		if at-first < c.count[length] {
			return c.symbols[index+at-first]
		}
		index += c.count[length]
		first = (first + c.count[length]) << 1
	}
	r.err = errors.New("no such code")
	return 256
}

// A bitReader reads bits, the lowest bit of each byte first.
type bitReader struct {
	p   []byte
	pos int // position in bits
	err error
}

func (r *bitReader) bits(n int) (v int) {
	for i := range n {
		if r.pos>>3 >= len(r.p) {
			r.err = io.ErrUnexpectedEOF
			return v
		}
		v |= int(r.p[r.pos>>3]>>(r.pos&7)&1) << i
		r.pos++
	}
	return v
}

func (r *bitReader) align()      { r.pos = (r.pos + 7) &^ 7 }
func (r *bitReader) atEnd() bool { return r.pos == 8*len(r.p) }

// stored reads a stored block (RFC 1951, section 3.2.4).
func (r *bitReader) stored(out []byte) ([]byte, error) {
	r.align()
	length, inverse := r.bits(16), r.bits(16)
	if length != inverse^0xFFFF {
		return nil, errors.New("stored length and its inverse differ")
	}
	for range length {
		out = append(out, byte(r.bits(8)))
	}
	return out, r.err
}

// codes reads the two codes of a dynamic block (RFC 1951, section 3.2.7).
func (r *bitReader) codes() (literals, distances *code, err error) {
	nLiterals, nDistances, nLengths := r.bits(5)+257, r.bits(5)+1, r.bits(4)+4
	var lengths [19]int
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nLengths] {
		lengths[i] = r.bits(3)
	}
	c := newCode(lengths[:])
	var all []int
	for len(all) < nLiterals+nDistances && r.err == nil {
		value, times := c.read(r), 1
		switch value {
		case 16:
			if len(all) == 0 {
				return nil, nil, errors.New("nothing to repeat")
			}
			value, times = all[len(all)-1], 3+r.bits(2)
		case 17:
			value, times = 0, 3+r.bits(3)
		case 18:
			value, times = 0, 11+r.bits(7)
		}
		for range times {
			all = append(all, value)
		}
	}
	if r.err != nil || len(all) != nLiterals+nDistances {
		return nil, nil, errors.New("code lengths")
	}
	return newCode(all[:nLiterals]), newCode(all[nLiterals:]), nil
}
