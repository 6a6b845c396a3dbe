package inflate

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"
)

// reference inflates p with compress/flate, one stream after another. It replaces
// the tail by the longest stored block, followed by a final empty block. If p
// makes the inflater take the tail for anything but the length of a stored block,
// for example for data of another block, the inflater does not return all of the
// longest block, and p is refused.
func reference(p, window []byte) (message []byte, ok bool) {
	r := bytes.NewReader(append(append([]byte{}, p...), longest+last...))
	for out := append([]byte{}, window...); ; {
		stream, err := io.ReadAll(flate.NewReaderDict(r, out))
		if err != nil {
			return nil, false
		}
		out = append(out, stream...)
		switch message = out[len(window):]; {
		case r.Len() == len(longest+last): // p ends with a final block
			return message, true
		case r.Len() == len(last), r.Len() == 0: // the block of the tail is final, or it is not
			return bytes.CutSuffix(message, []byte(longest[4:]))
		case r.Len() < len(longest+last):
			return nil, false
		}
	}
}

var (
	longest = "\xff\xff\x00\x00" + strings.Repeat("X", 1<<16-1)
	last    = "\x01\x00\x00\xff\xff"
)

// A Decoder gives the same result as compress/flate for any bytes, or refuses
// them as compress/flate does, whatever the room in each call.
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
		p = p[:min(len(p), 1<<12)] // all copies the output for each match: a long p takes too long
		want, ok := reference(p, window)
		got, err := all(new(Decoder), p, window, int(step))
		if ok != (err == nil) || ok && !bytes.Equal(got, want) {
			t.Fatalf("%x after %x: got %x, %v; want %x, %t", p, window, got, err, want, ok)
		}
	})
}

// A stored block may end with the message, or before it.
func TestStoredAtTheEnd(t *testing.T) {
	for _, p := range []string{"\x00\x00\x00\xff\xff", "\x01\x00\x00\xff\xff", "\x00\x01\x00\xfe\xff", "\x00\x01\x00\xfe\xffa", "\x00\x00\x00\xff\xff\x00"} {
		want, ok := reference([]byte(p), nil)
		got, err := all(new(Decoder), []byte(p), nil, 0)
		if ok != (err == nil) || ok && !bytes.Equal(got, want) {
			t.Errorf("%x: got %x, %v; want %x, %t", p, got, err, want, ok)
		}
	}
}
