package pipe

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// A ring returns the bytes that were written, in order and in any pieces, and
// never holds more than its max.
func TestRing(t *testing.T) {
	for _, size := range []int{1, 2, 511, 512, 513, 5000} {
		rnd := rand.New(rand.NewPCG(1, uint64(size)))
		r := ring{max: size}
		var held, p []byte
		for range 5000 {
			p = make([]byte, rnd.IntN(size+size/2+2))
			if rnd.IntN(2) == 0 {
				for i := range p {
					p[i] = byte(rnd.Uint32())
				}
				n := r.write(p)
				if want := min(len(p), size-len(held)); n != want {
					t.Fatalf("size %d: took %d bytes, want %d", size, n, want)
				}
				held = append(held, p[:n]...)
			} else {
				n := r.read(p)
				if want := held[:min(len(p), len(held))]; !bytes.Equal(p[:n], want) {
					t.Fatalf("size %d: read %d bytes that differ from the %d written", size, n, len(want))
				}
				held = held[n:]
			}
			if r.n != len(held) || len(r.buf) > size {
				t.Fatalf("size %d: holds %d, want %d, in %d bytes", size, r.n, len(held), len(r.buf))
			}
		}
	}
}
