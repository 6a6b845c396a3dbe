package conn

import (
	"sync"
	"sync/atomic"
)

// A codecPool holds the compressors of one Codec that no connection is using. They
// are reset before they are used again, so that no message can refer to another
// connection's messages.
type codecPool struct {
	codec       Codec
	kinds       [maxWindowBits + 1]atomic.Uint32 // compressorKinds, indexed by window bits
	compressors [maxWindowBits + 1]sync.Pool     // pools of *compressor, indexed by window bits
}

// A compressorKind says what a Codec makes for a window.
type compressorKind uint32

const (
	compressorUnknown compressorKind = iota // the Codec was not asked yet
	compressorNone                          // no compressor for this window
	compressorPlain                         // a Compressor
	compressorDict                          // a DictCompressor
)

// codecPools holds a *codecPool for each Codec.
var codecPools sync.Map

// poolOf returns the pool of codec. A nil codec stands for compress/flate.
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

// kind returns what the codec makes for a window of 1<<bits bytes.
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

// compressor takes a compressor for a window of 1<<bits bytes out of the pool, or
// makes one. It returns nil if the codec has none for this window.
func (p *codecPool) compressor(bits int) *compressor {
	if c, ok := p.compressors[bits].Get().(*compressor); ok {
		return c
	}
	return newCompressor(p.codec.NewCompressor(bits, false))
}

// putCompressor puts c, which came from compressor(bits), into the pool. c must not
// hold a slice of its last message.
func (p *codecPool) putCompressor(bits int, c *compressor) { p.compressors[bits].Put(c) }
