// Package inflater decompresses the messages that a connection receives: the
// half of permessage-deflate (RFC 7692) that faces the peer.
package inflater

import (
	"sync"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/inflate"
)

// ErrMessageSize is a message that is larger than the limit, compressed or not.
var ErrMessageSize error = &frame.Error{Code: frame.StatusMessageTooBig, Reason: "message over the limit"}

// errCorrupt is a compressed message that does not inflate. The frames were
// right, but what they carried was not data of the announced kind: that is 1007
// in RFC 6455, section 7.4.1, as it is for text that is not UTF-8. RFC 7692
// names no code.
var errCorrupt error = &frame.Error{Code: frame.StatusInvalidPayload, Reason: "compressed message does not inflate"}

// An Inflater decompresses the messages that one connection receives (RFC
// 7692, section 7.2.2). Calls must not overlap and come in the order of the
// messages.
type Inflater struct {
	window inflate.Window // what came before, if the peer may refer to it; else of size 0
}

// New returns an Inflater for one direction of a connection: context takeover or
// not, a window of 1<<bits bytes, bits being 8 to 15.
func New(contextTakeover bool, bits int) *Inflater {
	i := &Inflater{}
	if contextTakeover {
		i.window.Size = 1 << bits
	}
	return i
}

// decoders holds the decoders that are at work on no message.
var decoders = sync.Pool{New: func() any { return new(inflate.Decoder) }}

// Inflate puts what the payload p of one compressed message says into b, which
// is empty, or into a larger buffer in its place, and returns that buffer, with
// an error too; b is no longer the caller's. p is not kept.
//
// A message that comes to more than limit bytes is ErrMessageSize, found before
// there are inflate.Room more, whatever p would come to. One that is cut short
// or corrupt is a *frame.Error with StatusInvalidPayload. After an error the
// connection has to be failed.
func (i *Inflater) Inflate(b *pool.Buffer, p []byte, limit int64) (*pool.Buffer, error) {
	d := decoders.Get().(*inflate.Decoder)
	d.Reset(p, i.window.Bytes)
	b, err := message(d, b, limit)
	d.Reset(nil, nil)
	decoders.Put(d)
	if err == nil {
		i.window.Push(b.B)
	}
	return b, err
}

// message inflates to the end of d's message.
func message(d *inflate.Decoder, b *pool.Buffer, limit int64) (*pool.Buffer, error) {
	most := limit + inflate.Room
	for {
		room := int(min(int64(cap(b.B)), most))
		out, done, err := d.Append(b.B[:len(b.B):room])
		b.B = b.B[:len(out)]
		switch {
		case err != nil:
			return b, errCorrupt
		case int64(len(out)) > limit:
			return b, ErrMessageSize
		case done:
			return b, nil
		}
		// No length is announced: with twice the room each time the copying
		// costs no more than the inflation.
		larger := pool.Get(int(min(2*int64(len(out))+inflate.Room, most)))
		larger.B = append(larger.B, out...)
		pool.Put(b)
		b = larger
	}
}
