package strictinflate

import (
	"bytes"
	"compress/flate"
	"math/rand/v2"
	"strings"
	"testing"
)

// An Inflater accepts the output of compress/flate with a window of 15 bits, and
// refuses it with a window of 9 bits.
func TestRefuses(t *testing.T) {
	text := someText(rand.New(rand.NewPCG(3, 3)), 2000)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.DefaultCompression)
	w.Write(text)
	w.Flush()
	p := b.Bytes()[:b.Len()-4]
	if got, err := (&Inflater{Window: 1 << 15}).Message(p); err != nil || !bytes.Equal(got, text) {
		t.Errorf("window of 15 bits: %v", err)
	}
	if _, err := (&Inflater{Window: 1 << 9}).Message(p); err == nil {
		t.Error("window of 9 bits: accepted")
	}
}

// someText returns n bytes that compress well, with repetitions near and far.
func someText(r *rand.Rand, n int) []byte {
	words := strings.Fields("a frame of the message is masked by the client and never by the server RFC6455 7692")
	var b []byte
	for len(b) < n {
		if r.IntN(20) == 0 {
			b = append(b, byte(r.Uint32()), byte(r.Uint32()))
		}
		b = append(b, words[r.IntN(len(words))]...)
		b = append(b, ' ')
	}
	return b[:n]
}
