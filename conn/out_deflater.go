package conn

import (
	"bytes"
	"errors"
	"io"

	"github.com/parleyws/parley/internal/inflate"
)

// The least and the greatest size of an LZ77 sliding window, as exponents of two
// (RFC 7692, section 7.1.2).
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// tail is the end of an empty stored block. The sender removes it from each
// compressed message, and the receiver appends it again (RFC 7692, sections 7.2.1
// and 7.2.2).
const tail = "\x00\x00\xff\xff"

// errCodec reports a Compressor whose Flush did not end the output with tail.
var errCodec = errors.New("websocket: the codec did not flush the message")

// A deflater compresses messages for sending (RFC 7692, section 7.2.1). If it is
// ordered, it serves one connection: calls must not overlap, and the results must
// be sent in the order of the calls. If a result is not sent, reset must be called.
// Otherwise the peer's window would differ from ours, and the next message would
// inflate to something else. A deflater that is not ordered keeps no window and may
// be used by several goroutines at once.
type deflater struct {
	pool   *codecPool
	bits   int            // window bits of the compressor, which may exceed those of the connection
	chunk  int            // the compressor is reset after this many bytes; 0 means only between messages
	window inflate.Window // with takeoverDict, the bytes to which the next message may refer
	own    *compressor    // with takeoverOwn, the connection's compressor; nil before its first message

	takeover takeover
}

// takeover says how a deflater keeps the window from message to message.
type takeover uint8

const (
	takeoverNone takeover = iota // not at all: compressors come from the pool and are reset
	takeoverDict                 // in deflater.window, the dictionary of pooled compressors
	takeoverOwn                  // in a compressor of the connection's own
)

// newDeflater returns a deflater for one direction of a connection, with a window of
// 1<<bits bytes. bits must be 8 to 15. A nil codec stands for compress/flate.
func newDeflater(codec Codec, contextTakeover bool, bits int) *deflater {
	d := &deflater{pool: poolOf(codec), bits: bits}
	switch kind := d.pool.kind(bits); {
	case kind == compressorNone:
		// A chunk is as long as the window, and the compressor is reset before it:
		// no distance can be too long. The window is then not kept for the next
		// message, even with context takeover. A sender is free to do so (RFC
		// 7692, section 7.1.1).
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

// ordered reports whether messages must be compressed in the order in which they are
// sent, because each may refer to earlier ones.
func (d *deflater) ordered() bool { return d.takeover != takeoverNone }

// compress compresses p and appends the payload of the message, which has no tail, to
// dst. It does not keep p. An empty p gives the single byte 00 (RFC 7692, section
// 7.2.3.6). Only a faulty codec causes an error; compress then returns dst
// unchanged.
func (d *deflater) compress(dst, p []byte) ([]byte, error) {
	c := d.take(dst)
	err := c.message(p, d.chunk)
	out := c.sink.bytes
	c.sink.bytes = nil
	d.give(c, p)
	if err != nil {
		return dst, err
	}
	if !bytes.HasSuffix(out[len(dst):], []byte(tail)) {
		return dst, errCodec
	}
	return out[:len(out)-len(tail)], nil
}

// reset forgets the window, so that the next message refers to no earlier one. It
// must be called when the peer's window has moved and ours has not. That happens
// when a message is sent that was compressed for many connections.
func (d *deflater) reset() {
	switch {
	case d.takeover == takeoverDict:
		d.window.Forget()
	case d.own != nil:
		d.own.fresh = false
	}
}

// take returns a compressor that appends to dst and has the window of the connection.
func (d *deflater) take(dst []byte) *compressor {
	if d.takeover == takeoverOwn {
		if d.own == nil {
			d.own = newCompressor(d.pool.codec.NewCompressor(d.bits, true))
		}
		d.own.continueTo(dst)
		return d.own
	}
	c := d.pool.compressor(d.bits)
	c.sink.bytes = dst
	if d.takeover == takeoverDict {
		c.dict.ResetDict(&c.sink, d.window.Bytes)
	} else {
		c.codec.Reset(&c.sink)
	}
	return c
}

// give returns c, which came from take, after it has compressed the message p.
func (d *deflater) give(c *compressor, p []byte) {
	switch d.takeover {
	case takeoverOwn:
		return
	case takeoverDict:
		d.window.Push(p)
	}
	d.pool.putCompressor(d.bits, c)
}

// A compressor is a Compressor that appends to a slice.
type compressor struct {
	codec Compressor
	dict  DictCompressor // codec, if it is a DictCompressor
	sink  sink
	fresh bool // the window of codec equals the peer's
}

// newCompressor returns a compressor that uses codec. It returns nil if codec is
// nil.
func newCompressor(codec Compressor) *compressor {
	if codec == nil {
		return nil
	}
	c := &compressor{codec: codec}
	c.dict, _ = codec.(DictCompressor)
	return c
}

// continueTo makes c append to dst. It resets c first if its window is not the peer's.
func (c *compressor) continueTo(dst []byte) {
	c.sink.bytes = dst
	if !c.fresh {
		c.codec.Reset(&c.sink)
		c.fresh = true
	}
}

// message compresses one whole message and flushes it. If chunk is not zero, it does
// so in parts of that many bytes, and resets c before each part but the first.
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

// flushed compresses p and flushes it.
func (c *compressor) flushed(p []byte) error {
	if _, err := c.codec.Write(p); err != nil {
		return err
	}
	return c.codec.Flush()
}

// A sink is an io.Writer that appends to bytes.
type sink struct{ bytes []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.bytes = append(s.bytes, p...)
	return len(p), nil
}

var _ io.Writer = (*sink)(nil)
