package conn

import (
	"sync"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/handshake"
)

// deflation is the sending half of permessage-deflate as a Conn uses it. Without
// context takeover it is the same one for all connections that have agreed on
// the same: a broadcast then touches no memory of each for it.
type deflation struct {
	deflationTerms
	deflater *deflater
	takeover bool // compression happens in the order of sending
}

// deflationTerms are what has been agreed on.
type deflationTerms struct {
	pool *codecPool
	bits int // of our window
	min  int // octets of the shortest message that is compressed
}

// deflations holds those that are shared, a *deflation for each
// deflationTerms. A program has few codecs and sizes, and there are 8 windows.
var deflations sync.Map

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
	t := deflationTerms{pool: poolOf(o.Codec), bits: bits, min: o.MinSize}
	switch {
	case t.min == 0:
		t.min = minCompressed
	case t.min < 0:
		t.min = 0
	}
	if takeover {
		if d := newDeflater(o.Codec, true, bits); d.ordered() {
			return &deflation{deflationTerms: t, deflater: d, takeover: true}
		}
	}
	d, ok := deflations.Load(t)
	if !ok {
		d, _ = deflations.LoadOrStore(t, &deflation{deflationTerms: t, deflater: newDeflater(o.Codec, false, bits)})
	}
	return d.(*deflation)
}

// applies reports whether p is to be compressed.
func (d *deflation) applies(p []byte) bool { return d != nil && len(p) >= d.min }

// compress returns p, compressed, in a buffer.
func (d *deflation) compress(p []byte) (*pool.Buffer, error) {
	b := pool.Get(len(p)/2 + pool.Small/2)
	var err error
	b.B, err = d.deflater.compress(b.B, p)
	return b, err
}
