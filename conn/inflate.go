package conn

import (
	"sync"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/inflate"
)

// errDeflate is a compressed message that does not inflate. The frames were
// right, what they carried was not data of the announced kind: that is 1007 in
// RFC 6455, section 7.4.1, as it is for text that is not UTF-8. RFC 7692 names
// no code.
var errDeflate error = &frame.Error{Code: frame.StatusInvalidPayload, Reason: "compressed message does not inflate"}

// An inflater decompresses the messages that one connection receives (RFC
// 7692, section 7.2.2). Calls must not overlap and come in the order of the
// messages.
type inflater struct {
	window window // what came before, if the peer may refer to it; else of size 0
}

// newInflater returns an inflater for one direction of a connection: context
// takeover or not, a window of 1<<bits octets, bits being 8 to 15.
func newInflater(contextTakeover bool, bits int) *inflater {
	i := &inflater{}
	if contextTakeover {
		i.window.size = 1 << bits
	}
	return i
}

// decoders are those of no message at the moment.
var decoders = sync.Pool{New: func() any { return new(inflate.Decoder) }}

// inflate puts what the payload p of one compressed message says into b, which
// is empty, or into a larger buffer in its place, and returns that. p is not
// kept. A message that comes to more than limit octets is a *frame.Error with
// StatusMessageTooBig, found before there are inflate.Room more, whatever p
// would come to; one that is cut short or corrupt is a *frame.Error with
// StatusInvalidPayload. Behind an error the connection has to be failed.
func (i *inflater) inflate(b *buffer, p []byte, limit int64) (*buffer, error) {
	d := decoders.Get().(*inflate.Decoder)
	d.Reset(p, i.window.octets)
	b, err := message(d, b, limit)
	d.Reset(nil, nil)
	decoders.Put(d)
	if err == nil {
		i.window.push(b.b)
	}
	return b, err
}

// message inflates to the end of d's message.
func message(d *inflate.Decoder, b *buffer, limit int64) (*buffer, error) {
	most := limit + inflate.Room
	for {
		room := int(min(int64(cap(b.b)), most))
		out, done, err := d.Append(b.b[:len(b.b):room])
		b.b = b.b[:len(out)]
		switch {
		case err != nil:
			return b, errDeflate
		case int64(len(out)) > limit:
			return b, errMessageSize
		case done:
			return b, nil
		}
		// No length is announced: with twice the room each time the copying
		// costs no more than the inflation.
		larger := getBuffer(int(min(2*int64(len(out))+inflate.Room, most)))
		larger.b = append(larger.b, out...)
		putBuffer(b)
		b = larger
	}
}
