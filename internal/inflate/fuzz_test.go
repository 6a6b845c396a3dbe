package inflate

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"
)

// reference inflates with compress/flate. It reads one stream after the other,
// and in place of the tail a stored block with an octet, and the end: who takes
// the tail for anything but the length of a stored block doesn't come through.
func reference(p, window []byte) (message []byte, ok bool) {
	const stored, last = "\x01\x00\xfe\xffX", "\x01\x00\x00\xff\xff"
	r := bytes.NewReader(append(append([]byte{}, p...), stored+last...))
	for out := append([]byte{}, window...); ; {
		stream, err := io.ReadAll(flate.NewReaderDict(r, out))
		if err != nil {
			return nil, false
		}
		out = append(out, stream...)
		message = out[len(window):]
		switch r.Len() {
		case len(stored + last): // ends with BFINAL, and nothing behind it
			return message, true
		case len(last), 0: // in the tail with BFINAL, behind the tail without
			return message[:max(0, len(message)-1)], bytes.HasSuffix(stream, []byte("X"))
		}
		if r.Len() < len(stored+last) {
			return nil, false
		}
	}
}

// Any octets, in any steps, say what they say to compress/flate, or are refused
// as there.
func FuzzAppend(f *testing.F) {
	text := []byte("Hello, Hello, Hello! " + "0123456789abcdefghijklmnopqrstuvwxyz")
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		f.Add(deflated(f, bytes.Repeat(text, 3), text, level), text, uint8(level))
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x03\x13\x00\x00"), []byte(nil), uint8(0))
	f.Add([]byte("\x03\x00\x03\x00\x03\x00\x00"), []byte("w"), uint8(0))
	f.Add([]byte("\x01"), []byte(nil), uint8(0))
	f.Fuzz(func(t *testing.T, p, window []byte, step uint8) {
		window = window[:min(len(window), 1<<15)]
		p = p[:min(len(p), 1<<12)] // or each step of a match of 258 would make it a long run
		want, ok := reference(p, window)
		got, err := all(new(Decoder), p, window, int(step))
		if ok != (err == nil) || ok && !bytes.Equal(got, want) {
			t.Fatalf("%x behind %x: got %x, %v; want %x, %t", p, window, got, err, want, ok)
		}
	})
}

// What compress/flate makes of any text, one flush behind the other, comes out
// again.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("Hello Hello Hello"), []byte("Hello"), uint8(3), uint8(9))
	f.Add(bytes.Repeat([]byte("0123456789abcdef"), 300), []byte(nil), uint8(100), uint8(1))
	f.Fuzz(func(t *testing.T, text, window []byte, step, level uint8) {
		p := deflated(t, text, window, int(level)%12+flate.HuffmanOnly)
		got, err := all(new(Decoder), p, window, int(step))
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q became %q, %v", text, got, err)
		}
	})
}
