package conn

import (
	"io"

	"github.com/parleyws/parley/frame"
)

// errDeflate is a compressed message that does not inflate. The frames were
// right, what they carried was not data of the announced kind: that is 1007 in
// RFC 6455, section 7.4.1, as it is for text that is not UTF-8. RFC 7692 names
// no code.
var errDeflate error = &frame.Error{Code: frame.StatusInvalidPayload, Reason: "compressed message does not inflate"}

// errFinalBlocks is a message of next to nothing but the ends of streams.
var errFinalBlocks error = &frame.Error{Code: frame.StatusPolicyViolation, Reason: "compressed message in too many streams"}

// An inflater decompresses the messages that one connection receives (RFC
// 7692, section 7.2.2). Calls must not overlap and come in the order of the
// messages.
type inflater struct {
	pool   *codecPool
	window window // what came before, if the peer may refer to it; else of size 0
}

// newInflater returns an inflater for one direction of a connection: context
// takeover or not, a window of 1<<bits octets, bits being 8 to 15. A nil codec
// is compress/flate.
func newInflater(codec Codec, contextTakeover bool, bits int) *inflater {
	i := &inflater{pool: poolOf(codec)}
	if contextTakeover {
		i.window.size = 1 << bits
	}
	return i
}

// inflate appends what the payload p of one compressed message says to dst. It
// does not keep p. A message that comes to more than limit octets is a
// *frame.Error with StatusMessageTooBig, found within 32 KiB of the limit
// whatever p would come to; one that is cut short or corrupt is a *frame.Error
// with StatusInvalidPayload. Either way dst is returned as it was, and the
// connection has to be failed.
func (i *inflater) inflate(dst, p []byte, limit int64) ([]byte, error) {
	d := i.pool.decompressor()
	d.source = inflateSource{octets: p}
	out, err := i.message(d, dst, limit)
	d.source = inflateSource{}
	i.pool.putDecompressor(d)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// message inflates what d's source holds. A sender may set BFINAL, the end of a
// DEFLATE stream, and go on with further blocks; as a rule there is one, the
// empty one that stands for the tail (RFC 7692, sections 7.2.1 and 7.2.3.4).
// They belong to one message and so to one window.
func (i *inflater) message(d *decompressor, out []byte, limit int64) ([]byte, error) {
	begin, done := len(out), len(out)
	for streams := 0; ; streams++ {
		if streams > freeStreams+len(d.source.octets)/minStream {
			return nil, errFinalBlocks
		}
		if err := d.codec.Reset(&d.source, i.dict(out[begin:])); err != nil {
			return nil, errDeflate
		}
		var err error
		if out, err = d.stream(out, begin, limit); err != nil {
			return nil, err
		}
		i.window.push(out[done:])
		done = len(out)
		switch d.source.where() {
		case inflateEnd:
			return out, nil
		case inflateTail:
			return nil, errDeflate
		}
	}
}

// dict returns what the next stream of a message may refer to, message being
// the part before it.
func (i *inflater) dict(message []byte) []byte {
	if i.window.size > 0 {
		return i.window.octets
	}
	return message[max(0, len(message)-1<<maxWindowBits):]
}

// Each stream of a message costs a copy of the window, so that there may be
// freeStreams, and one more for each minStream compressed octets.
const (
	freeStreams = 16
	minStream   = 256
)

// A decompressor is a Decompressor with what it reads from.
type decompressor struct {
	codec  Decompressor
	source inflateSource
}

// stream inflates to the end of a stream and appends that to out, of which
// message octets from begin on belong to this message.
func (d *decompressor) stream(out []byte, begin int, limit int64) ([]byte, error) {
	for {
		if len(out) == cap(out) {
			out = double(out, begin, limit)
		}
		n, err := d.codec.Read(out[len(out):min(cap(out), len(out)+inflateStep)])
		out = out[:len(out)+n]
		switch {
		case int64(len(out)-begin) > limit:
			return nil, errMessageSize
		case err == io.EOF:
			return out, nil
		case err != nil, n == 0:
			return nil, errDeflate
		}
	}
}

const (
	inflateStep  = 32 << 10 // octets between two looks at the limit
	inflateFirst = 512      // octets of the first slice
)

// double returns out with about twice the room, but no more than one octet over
// the limit, which is what tells that it was passed.
func double(out []byte, begin int, limit int64) []byte {
	size := max(2*cap(out), begin+inflateFirst)
	if left := limit - int64(len(out)-begin); left < int64(size-len(out)) {
		size = len(out) + int(left) + 1
	}
	bigger := make([]byte, len(out), size)
	copy(bigger, out)
	return bigger
}
