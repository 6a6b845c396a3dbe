package conn

import (
	"sync"
	"sync/atomic"
)

// A codecPool keeps what one Codec has made while no connection uses it.
// Nothing of a message stays behind in what is kept: it is reset before it is
// used again.
type codecPool struct {
	codec       Codec
	kinds       [maxWindowBits + 1]atomic.Uint32 // compressorKinds, by window bits
	compressors [maxWindowBits + 1]sync.Pool     // of *compressor, by window bits
}

// A compressorKind is what a codec makes for a window.
type compressorKind uint32

const (
	compressorUnknown compressorKind = iota // not asked yet
	compressorNone                          // nothing: it can't promise this window
	compressorPlain
	compressorDict // a DictCompressor
)

// codecPools holds a *codecPool for each Codec.
var codecPools sync.Map

// poolOf returns the pool of codec, compress/flate's if codec is nil.
func poolOf(codec Codec) *codecPool {
	if codec == nil {
		codec = flateCodec{}
	}
	if p, ok := codecPools.Load(codec); ok {
		return p.(*codecPool)
	}
	p, _ := codecPools.LoadOrStore(codec, &codecPool{codec: codec})
	return p.(*codecPool)
}

// kind returns what the codec makes for a window of that many bits.
func (p *codecPool) kind(bits int) compressorKind {
	if k := compressorKind(p.kinds[bits].Load()); k != compressorUnknown {
		return k
	}
	k := compressorNone
	if c := p.compressor(bits); c != nil {
		k = compressorPlain
		if c.dict != nil {
			k = compressorDict
		}
		p.putCompressor(bits, c)
	}
	p.kinds[bits].Store(uint32(k))
	return k
}

// compressor takes a compressor for a window of that many bits out of the
// pool, or makes one; nil if the codec has none for this window.
func (p *codecPool) compressor(bits int) *compressor {
	if c, ok := p.compressors[bits].Get().(*compressor); ok {
		return c
	}
	return newCompressor(p.codec.NewCompressor(bits, false))
}

// putCompressor gives back what compressor returned, which holds no slice.
func (p *codecPool) putCompressor(bits int, c *compressor) { p.compressors[bits].Put(c) }
