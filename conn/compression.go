package conn

import (
	"crypto/rand"

	"github.com/parleyws/parley/handshake"
)

// deflation is the sending half of permessage-deflate as a Conn uses it.
type deflation struct {
	codec    Codec
	deflater *deflater
	takeover bool // compression happens in the order of sending
	bits     int  // of our window
	min      int  // octets of the shortest message that is compressed
}

// minCompressed is the default of Compression.MinSize. A shorter message
// gains a few octets and costs some microseconds.
const minCompressed = 128

// newDeflation takes over what the handshake agreed on for what role sends. It
// returns nil if that was nothing.
func newDeflation(role Role, agreed *handshake.Deflate, o Compression) *deflation {
	if agreed == nil {
		return nil
	}
	takeover, bits := !agreed.ServerNoContextTakeover, agreed.ServerMaxWindowBits
	if role == RoleClient {
		takeover, bits = !agreed.ClientNoContextTakeover, agreed.ClientMaxWindowBits
	}
	d := &deflation{codec: o.Codec, bits: bits, min: o.MinSize}
	d.deflater = newDeflater(o.Codec, takeover, bits)
	d.takeover = d.deflater.ordered()
	switch {
	case d.min == 0:
		d.min = minCompressed
	case d.min < 0:
		d.min = 0
	}
	return d
}

// newFeed makes the feed of a Conn that plays role.
func newFeed(role Role, agreed *handshake.Deflate, o *Options, l *Limits) feed {
	f := feed{
		rules:   newRules(role == RoleServer, agreed != nil, l.Message),
		limit:   l.Message,
		lenient: o.LenientLength,
	}
	if agreed != nil {
		takeover, bits := !agreed.ClientNoContextTakeover, agreed.ClientMaxWindowBits
		if role == RoleClient {
			takeover, bits = !agreed.ServerNoContextTakeover, agreed.ServerMaxWindowBits
		}
		f.inflater = newInflater(o.Compression.Codec, takeover, bits)
	}
	return f
}

// applies reports whether p is to be compressed.
func (d *deflation) applies(p []byte) bool { return d != nil && len(p) >= d.min }

// compress returns p, compressed, in a buffer.
func (d *deflation) compress(p []byte) (*buffer, error) {
	b := getBuffer(len(p)/2 + smallBuffer/2)
	var err error
	b.b, err = d.deflater.compress(b.b, p)
	return b, err
}

// seed returns octets that nobody can guess.
func seed() (s [32]byte) {
	rand.Read(s[:])
	return s
}
