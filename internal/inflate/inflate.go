// Package inflate reads DEFLATE (RFC 1951) as permessage-deflate has it (RFC
// 7692, section 7.2.2): a whole message lies in memory, and what it says is put
// where it belongs. It is pure, and allocates nothing.
//
// compress/flate inflates any stream into a window of its own and copies from
// there. Here the message is the window: a match is copied within it, and only
// what lies before the message is looked up elsewhere.
package inflate

import "errors"

// ErrCorrupt is a message that is not DEFLATE, or not all of it.
var ErrCorrupt = errors.New("inflate: message corrupt or cut")

// Room is the least room in which a Decoder gets on: that of the longest match.
const Room = maxMatch

// A Decoder inflates one message after the other. The zero value needs a Reset.
// It is for one goroutine at a time.
type Decoder struct {
	input
	window []byte

	state        state
	final        bool // the block under way has BFINAL set
	left         int  // octets of the stored block that are not copied yet
	litLen, dist *code

	words     [maxLitLen + maxDist + 1]word
	ownLitLen code // what litLen and dist are in a block that brings its own
	ownDist   code
}

// A state is what comes next in the input.
type state uint8

const (
	atHeader  state = iota
	inStored        // octets
	inSymbols       // code words
	atEnd           // nothing
)

// Reset begins a message: p is its payload, without the tail 00 00 FF FF that
// the sender has cut off, and window is what came before it as far as it may be
// referred to. Both are kept until the next Reset, and not modified.
func (d *Decoder) Reset(p, window []byte) {
	d.input = input{octets: p}
	d.window = window
	d.state = atHeader
}

// Append inflates into the capacity of out, behind what is there, which must be
// the message as far as it has come: out is empty at first, and what Append
// returned the last time, or a copy of it with more room, from then on. It
// returns when the message is done, when there is less than Room left, or with
// ErrCorrupt, behind which only Reset may be called.
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
