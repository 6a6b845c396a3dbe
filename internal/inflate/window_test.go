package inflate

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// A window holds the last bytes that were pushed since it was last emptied, and
// takes no more memory than its size.
func TestWindow(t *testing.T) {
	for _, size := range []int{0, 1, 256, 1000} {
		r := rand.New(rand.NewPCG(7692, uint64(size)))
		w := Window{Size: size}
		var all []byte
		for n := range 500 {
			if r.IntN(50) == 0 {
				w.Forget()
				all = nil
			}
			p := make([]byte, r.IntN(1+r.IntN(2*size+2)))
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			w.Push(p)
			all = append(all, p...)
			want := all[max(0, len(all)-size):]
			if !bytes.Equal(w.Bytes, want) || cap(w.Bytes) > size {
				t.Fatalf("size %d, push %d of %d bytes: it holds %d bytes in %d, want %d", size, n, len(p), len(w.Bytes), cap(w.Bytes), len(want))
			}
			if len(p) > 0 {
				p[0]++ // p is not kept
			}
		}
	}
}
