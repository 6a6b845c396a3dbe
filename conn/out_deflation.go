package conn

import (
	"cmp"
	"sync"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/handshake"
)

// A deflation compresses the messages that a Conn sends. Without context takeover,
// all connections with the same terms share one deflation, so that a broadcast does
// not touch memory of each connection.
type deflation struct {
	deflationTerms
	deflater *deflater
	takeover bool // messages must be compressed in the order in which they are sent
}

// deflationTerms are the terms of compression in one direction.
type deflationTerms struct {
	pool *codecPool
	bits int // size of our window, as an exponent of two
	min  int // length of the shortest message that is compressed, in bytes; negative: all are
}

// deflations holds the shared deflations, a *deflation for each deflationTerms. It
// stays small, because a program has few codecs and few values of MinSize, and there
// are 8 windows.
var deflations sync.Map

// minCompressed is the default of Compression.MinSize, in bytes. Compressing a shorter
// message would save a few bytes and cost some microseconds.
const minCompressed = 128

// newDeflation returns the deflation for messages that role sends, on the terms of
// the handshake. It returns nil if the handshake did not agree on compression.
func newDeflation(role Role, agreed *handshake.Deflate, o Compression) *deflation {
	if agreed == nil {
		return nil
	}
	takeover, bits := !agreed.ServerNoContextTakeover, agreed.ServerMaxWindowBits
	if role == RoleClient {
		takeover, bits = !agreed.ClientNoContextTakeover, agreed.ClientMaxWindowBits
	}
	t := deflationTerms{pool: poolOf(o.Codec), bits: bits, min: cmp.Or(o.MinSize, minCompressed)}
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

// applies reports whether the message p is compressed. d may be nil.
func (d *deflation) applies(p []byte) bool { return d != nil && len(p) >= d.min }

// compress compresses p into a pooled buffer, which the caller then owns.
func (d *deflation) compress(p []byte) (*pool.Buffer, error) {
	b := pool.Get(len(p)/2 + pool.Small/2)
	var err error
	b.B, err = d.deflater.compress(b.B, p)
	return b, err
}
