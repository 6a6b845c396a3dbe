package conn

import (
	"compress/flate"
	"io"
)

// A Codec makes the compressors of permessage-deflate (RFC 7692, section
// 7.2.1). It is what lets another implementation of DEFLATE (RFC 1951) take the
// place of compress/flate without this module depending on it. What peers have
// compressed is inflated without it.
//
// A Codec must be a comparable value, such as a pointer or an empty struct, of
// which a program has a few: what it makes is pooled under it for the life of
// the program and goes from connection to connection. NewCompressor may be
// called from several goroutines at once.
type Codec interface {
	// NewCompressor returns a compressor whose output refers back by at most
	// 1<<windowBits octets, windowBits being 8 to 15, or nil if it can't
	// promise that. For 15, which is all of DEFLATE, it must not be nil; when
	// a smaller window is asked for and the answer is nil, a compressor for 15
	// is held to chunks that are no longer than the window.
	//
	// With takeover the compressor will serve one connection, message after
	// message, without a Reset in between; otherwise it is pooled and reset
	// for each message. One that implements DictCompressor is always pooled.
	NewCompressor(windowBits int, takeover bool) Compressor
}

// A Compressor writes DEFLATE blocks. *flate.Writer is one.
type Compressor interface {
	// Reset forgets all that was written and writes to w from now on. It is
	// called before anything else.
	Reset(w io.Writer)
	// Write compresses p and keeps what it needs of it by copying.
	Write(p []byte) (int, error)
	// Flush writes out all that is pending and an empty stored block, so that
	// the output ends at an octet with 00 00 FF FF.
	Flush() error
}

// A DictCompressor can begin with a window that it has not written itself.
// Context takeover then costs a connection its window alone and not a
// compressor of its own.
type DictCompressor interface {
	Compressor
	// ResetDict is Reset, then dict taken as what was written before; dict is
	// not kept. Of a dict that is longer than the window the end counts.
	ResetDict(w io.Writer, dict []byte)
}

// flateCodec is the codec of the standard library, for those who name none.
type flateCodec struct{}

// NewCompressor returns nil for the windows below 15 bits: compress/flate knows
// one window. Without takeover its fastest level is the one that is reset in
// no time; with it that level would forget the window at each message of less
// than 128 octets, so the next one that does not is taken.
func (flateCodec) NewCompressor(windowBits int, takeover bool) Compressor {
	if windowBits < maxWindowBits {
		return nil
	}
	level := flate.BestSpeed
	if takeover {
		level = takeoverLevel
	}
	w, _ := flate.NewWriter(io.Discard, level) // an error is for other levels
	return w
}

const takeoverLevel = 4
