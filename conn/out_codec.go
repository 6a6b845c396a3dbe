package conn

import (
	"compress/flate"
	"io"
)

// A Codec makes the compressors of permessage-deflate (RFC 7692, section 7.2.1).
// With a Codec a program can replace compress/flate by another implementation of
// DEFLATE (RFC 1951), on which this module need not depend. A Codec does not affect
// how received messages are decompressed.
//
// A Codec must be a comparable value, such as a pointer or an empty struct, and a
// program should have only a few. Its compressors are pooled for the life of the
// program, with the Codec as the key, and go from connection to connection.
// NewCompressor may be called from several goroutines at once.
type Codec interface {
	// NewCompressor returns a compressor whose output refers back by at most
	// 1<<windowBits bytes, or nil if the Codec has none for that window.
	// windowBits is 8 to 15. For 15, the full window of DEFLATE, the compressor
	// must not be nil. If it is nil for a smaller window, messages are compressed
	// with a compressor for 15, which is reset after each chunk of 1<<windowBits
	// bytes so that no reference is longer.
	//
	// If takeover is true, the compressor serves one connection, message after
	// message, and is not reset between messages, unless the connection loses the
	// window that it shares with the peer. If takeover is false, the compressor is
	// pooled and reset before each message. A Codec whose compressors implement
	// DictCompressor is called with takeover false only.
	NewCompressor(windowBits int, takeover bool) Compressor
}

// A Compressor writes DEFLATE blocks. *flate.Writer is one. Only one goroutine uses
// a Compressor at a time.
type Compressor interface {
	// Reset discards all state and makes w the destination of the output. It, or
	// ResetDict, is called before any other method.
	Reset(w io.Writer)
	// Write compresses p. It must not keep p; it may keep a copy.
	Write(p []byte) (int, error)
	// Flush writes all pending output and an empty stored block, so that the
	// output ends at a byte boundary with 00 00 FF FF.
	Flush() error
}

// A DictCompressor is a Compressor that can begin with a window of bytes that it has
// not compressed itself. With it, context takeover costs each connection only the
// window, and not a compressor of its own.
type DictCompressor interface {
	Compressor
	// ResetDict is like Reset, but the output may refer to dict as if the
	// compressor had written it before. If dict is longer than the window, only
	// its end counts. ResetDict must not keep dict.
	ResetDict(w io.Writer, dict []byte)
}

// flateCodec is the default Codec. It uses compress/flate.
type flateCodec struct{}

// NewCompressor returns nil for windows below 15 bits, because compress/flate has
// only one window. Without takeover it takes the fastest level, whose Reset costs
// almost nothing. That level forgets the window at each message of less than 128
// bytes, so with takeover NewCompressor takes takeoverLevel, which does not.
func (flateCodec) NewCompressor(windowBits int, takeover bool) Compressor {
	if windowBits < maxWindowBits {
		return nil
	}
	level := flate.BestSpeed
	if takeover {
		level = takeoverLevel
	}
	w, _ := flate.NewWriter(io.Discard, level) // fails only for unknown levels
	return w
}

// takeoverLevel is a level of compress/flate that keeps the window of short messages,
// as all do but the first. Level 3 takes about as long and makes messages about as small;
// level 2 makes those of a kilobyte and more noticeably larger.
const takeoverLevel = 4
