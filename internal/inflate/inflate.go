// Package inflate decompresses the messages of permessage-deflate (RFC 7692,
// section 7.2.2), whose payloads are DEFLATE (RFC 1951). The whole compressed
// message lies in memory, and its bytes are written straight into the caller's
// buffer. The package is pure; a Decoder allocates nothing.
//
// compress/flate inflates any stream into a window of its own and copies the
// output from there. Here the output is the window: a match is copied within it,
// and only a match that begins before the message is taken from a separate
// window.
package inflate

import "errors"

// ErrCorrupt reports a message that is not DEFLATE, or that was cut short.
var ErrCorrupt = errors.New("inflate: message corrupt or cut")

// Room is the least number of free bytes with which a Decoder makes progress. It
// is the length of the longest match.
const Room = maxMatch

// A Decoder inflates one message after another. Reset must be called before each
// message. A Decoder is for one goroutine at a time.
type Decoder struct {
	input
	window []byte

	state        state
	final        bool  // the current block has BFINAL set
	left         int   // bytes of the current stored block that are not copied yet
	litLen, dist *code // codes of the current block: the fixed ones, or ownLitLen and ownDist

	words     [maxLitLen + maxDist]word // scratch space of codes
	ownLitLen code                      // code of a block that brings its own
	ownDist   code                      // code of a block that brings its own
}

// A state says what comes next in the input.
type state uint8

const (
	atHeader  state = iota // the header of a block
	inStored               // bytes of a stored block
	inSymbols              // code words
	atEnd                  // nothing: the message is complete
)

// Reset begins a message. p is its payload without the tail 00 00 FF FF, which
// the sender has removed. window holds the bytes before the message to which the
// message may refer. The Decoder keeps both slices until the next Reset and does
// not modify them.
func (d *Decoder) Reset(p, window []byte) {
	d.input = input{src: p}
	d.window = window
	d.state = atHeader
}

// Append inflates into the capacity of out, after its length, and returns the
// extended slice. out must hold what was inflated of the message so far: it is
// empty in the first call, and in later calls it is the result of the last one,
// or a copy of that result with more capacity. Append returns when the message is
// done, when fewer than Room bytes are free, or with ErrCorrupt. After an error
// only Reset may be called.
func (d *Decoder) Append(out []byte) (_ []byte, done bool, err error) {
	n := len(out)
	out = out[:cap(out)]
	for d.state != atEnd && len(out)-n >= Room && err == nil {
		switch d.state {
		case atHeader:
			err = d.header()
		case inStored:
			n = d.stored(out, n)
		case inSymbols:
			n, err = d.symbols(out, n)
		}
	}
	return out[:n], d.state == atEnd, err
}
