package conn

import (
	"bytes"
	"errors"
	"io"

	"github.com/parleyws/parley/internal/inflate"
)

// The sizes of an LZ77 sliding window (RFC 7692, section 7.1.2), as the
// exponent of two.
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// tail is the end of an empty stored block, which the sender cuts off each
// compressed message and the receiver puts back (RFC 7692, sections 7.2.1 and
// 7.2.2).
const tail = "\x00\x00\xff\xff"

// errCodec is a compressor that does not do what Compressor says.
var errCodec = errors.New("websocket: the codec did not flush the message")

// A deflater compresses the messages that one connection sends (RFC 7692,
// section 7.2.1). If it is ordered, calls must not overlap, they come in the
// order in which the results go out, and each result goes out, or reset is
// called. Otherwise it keeps nothing, and may be used by several goroutines at
// once.
type deflater struct {
	pool   *codecPool
	bits   int            // of the compressor, which may be more than the window's
	chunk  int            // reset before so many octets; 0: never inside a message
	window inflate.Window // takeover by dictionary: what the next message may refer to
	own    *compressor    // takeover without one: made for the first message

	takeover takeover
}

// takeover is how a deflater hands the window over to the next message.
type takeover uint8

const (
	takeoverNone takeover = iota // not at all: compressors come from the pool
	takeoverDict                 // pooled compressors that take a dictionary
	takeoverOwn                  // a compressor for this connection alone
)

// newDeflater returns a deflater for one direction of a connection: context
// takeover or not, a window of 1<<bits octets, bits being 8 to 15. A nil codec
// is compress/flate.
func newDeflater(codec Codec, contextTakeover bool, bits int) *deflater {
	d := &deflater{pool: poolOf(codec), bits: bits}
	switch kind := d.pool.kind(bits); {
	case kind == compressorNone:
		// No distance leaves a chunk that begins with a reset. Nothing is
		// handed over then, which a sender is free to do (section 7.1.1).
		d.chunk, d.bits = 1<<bits, maxWindowBits
	case !contextTakeover:
	case kind == compressorDict:
		d.takeover = takeoverDict
		d.window.Size = 1 << bits
	default:
		d.takeover = takeoverOwn
	}
	return d
}

// ordered reports whether messages must be compressed in the order in which
// they are sent: one refers to those before it.
func (d *deflater) ordered() bool { return d.takeover != takeoverNone }

// compress appends the payload of one compressed message to dst: p, compressed,
// without the tail. It does not keep p. p may be empty: the result is the
// octet 00 then (section 7.2.3.6). An error comes from a faulty codec alone;
// dst is returned as it was.
func (d *deflater) compress(dst, p []byte) ([]byte, error) {
	c := d.take(dst)
	err := c.message(p, d.chunk)
	out := c.sink.octets
	c.sink.octets = nil
	d.give(c, p)
	if err != nil {
		return dst, err
	}
	if !bytes.HasSuffix(out[len(dst):], []byte(tail)) {
		return dst, errCodec
	}
	return out[:len(out)-len(tail)], nil
}

// reset forgets the window: the next message refers to none before it. It is
// called where the peer's window has moved without us, as by a message that
// was compressed for many connections.
func (d *deflater) reset() {
	switch {
	case d.takeover == takeoverDict:
		d.window.Forget()
	case d.own != nil:
		d.own.fresh = false
	}
}

// take returns a compressor that appends to dst and knows what it may refer to.
func (d *deflater) take(dst []byte) *compressor {
	if d.takeover == takeoverOwn {
		if d.own == nil {
			d.own = newCompressor(d.pool.codec.NewCompressor(d.bits, true))
		}
		d.own.continueTo(dst)
		return d.own
	}
	c := d.pool.compressor(d.bits)
	c.sink.octets = dst
	if d.takeover == takeoverDict {
		c.dict.ResetDict(&c.sink, d.window.Bytes)
	} else {
		c.codec.Reset(&c.sink)
	}
	return c
}

// give ends what take began, p being the message.
func (d *deflater) give(c *compressor, p []byte) {
	switch d.takeover {
	case takeoverOwn:
		return
	case takeoverDict:
		d.window.Push(p)
	}
	d.pool.putCompressor(d.bits, c)
}

// A compressor is a Compressor with the slice that it appends to.
type compressor struct {
	codec Compressor
	dict  DictCompressor // codec, if it can
	sink  sink
	fresh bool // its window is the peer's
}

// newCompressor returns nil for nil.
func newCompressor(codec Compressor) *compressor {
	if codec == nil {
		return nil
	}
	c := &compressor{codec: codec}
	c.dict, _ = codec.(DictCompressor)
	return c
}

// continueTo makes c append to dst, with the window that it has unless that was
// forgotten.
func (c *compressor) continueTo(dst []byte) {
	c.sink.octets = dst
	if !c.fresh {
		c.codec.Reset(&c.sink)
		c.fresh = true
	}
}

// message writes one whole message and flushes it. If chunk is not zero it does
// so in parts of so many octets and with a reset before each but the first.
func (c *compressor) message(p []byte, chunk int) error {
	for chunk != 0 && len(p) > chunk {
		if err := c.flushed(p[:chunk]); err != nil {
			return err
		}
		p = p[chunk:]
		c.codec.Reset(&c.sink)
	}
	return c.flushed(p)
}

func (c *compressor) flushed(p []byte) error {
	if _, err := c.codec.Write(p); err != nil {
		return err
	}
	return c.codec.Flush()
}

// A sink is an io.Writer that appends.
type sink struct{ octets []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.octets = append(s.octets, p...)
	return len(p), nil
}

var _ io.Writer = (*sink)(nil)
