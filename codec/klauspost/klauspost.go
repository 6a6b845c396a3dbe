// Package klauspost compresses messages (RFC 7692) with
// github.com/klauspost/compress, which is faster than compress/flate, knows
// smaller windows, and whose compressors can take up a window that they have not
// written: context takeover then costs a connection its windows alone, at most
// 32 KiB a direction.
//
//	options := &conn.AcceptOptions{
//		Handshake: handshake.Options{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}},
//		Conn:      conn.Options{Compression: conn.Compression{Codec: klauspost.Codec{}}},
//	}
//
// It is a module of its own, so that only those who want it depend on it.
package klauspost

import (
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/parleyws/parley/conn"
)

// Codec is a conn.Codec. All its values are the same one.
type Codec struct{}

// NewCompressor returns a compressor that takes the little time that
// flate.BestSpeed takes. It never returns nil: windows of all sizes from 8 to
// 15 bits are kept to.
func (Codec) NewCompressor(windowBits int, _ bool) conn.Compressor {
	if windowBits == maxWindowBits {
		w, _ := flate.NewWriter(io.Discard, flate.BestSpeed) // an error is for other levels
		return compressor{w}
	}
	w, _ := flate.NewWriterWindow(io.Discard, 1<<windowBits) // an error is for other sizes
	return compressor{w}
}

const maxWindowBits = 15 // the window of DEFLATE itself (RFC 1951, section 2)

// A compressor is a conn.DictCompressor.
type compressor struct{ *flate.Writer }

// Reset forgets the window too. That of flate.Writer would take up the last
// one that it was given, which may be another connection's.
func (c compressor) Reset(w io.Writer) { c.ResetDict(w, nil) }
