// Package inflater decompresses the messages that a connection receives with
// permessage-deflate (RFC 7692).
package inflater

import (
	"sync"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/inflate"
)

// ErrMessageSize reports a message that is larger than the limit, whether it was
// compressed or not.
var ErrMessageSize error = &frame.Error{Code: frame.StatusMessageTooBig, Reason: "message over the limit"}

// errCorrupt reports a compressed message that does not inflate. RFC 7692 names no
// status code for it. The frames were legal, but their data was not of the
// announced kind, so the code is 1007 (RFC 6455, section 7.4.1), as for text that
// is not UTF-8.
var errCorrupt error = &frame.Error{Code: frame.StatusInvalidPayload, Reason: "compressed message does not inflate"}

// An Inflater decompresses the messages that one connection receives (RFC 7692,
// section 7.2.2). It is for one goroutine at a time and must be given every
// compressed message, in order.
type Inflater struct {
	window inflate.Window // the end of earlier messages; its size is 0 without context takeover
}

// New returns an Inflater for one direction of a connection, with or without
// context takeover, whose peer has a window of 1<<bits bytes. bits must be 8 to
// 15.
func New(contextTakeover bool, bits int) *Inflater {
	i := &Inflater{}
	if contextTakeover {
		i.window.Size = 1 << bits
	}
	return i
}

// decoders holds the decoders that are not in use.
var decoders = sync.Pool{New: func() any { return new(inflate.Decoder) }}

// Inflate inflates p, the payload of one compressed message, into b, which must be
// empty. It takes ownership of b and returns either b or a larger buffer that
// replaces it. The caller owns the result even if Inflate returns an error. Inflate
// does not keep p.
//
// The error is ErrMessageSize if the message has more than limit bytes. Inflate
// stops within inflate.Room bytes after the limit, however many bytes p would
// expand to. A message that is cut short or corrupt gives a *frame.Error with
// StatusInvalidPayload. After an error the connection must be failed.
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

// message inflates d's message to its end.
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
		// The inflated length is not announced. The buffer doubles each time, so
		// that the copying takes less time than the inflating.
		larger := pool.Get(int(min(2*int64(len(out))+inflate.Room, most)))
		larger.B = append(larger.B, out...)
		pool.Put(b)
		b = larger
	}
}
