package conn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/conn/internal/pool"
)

// One message of 1 KB through both directions.
func BenchmarkDeflate(b *testing.B) {
	text := someText(rand.New(rand.NewPCG(1, 2)), 1<<10)
	for _, takeover := range []bool{false, true} {
		for _, bits := range []int{9, maxWindowBits} {
			b.Run(fmt.Sprintf("takeover=%t/bits=%d", takeover, bits), func(b *testing.B) {
				d, i := newDeflater(nil, takeover, bits), inflater.New(takeover, bits)
				var small []byte
				large := pool.Get(0)
				var err error
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if small, err = d.compress(small[:0], text); err != nil {
						b.Fatal(err)
					}
					large.B = large.B[:0]
					if large, err = i.Inflate(large, small, 1<<20); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(small)), "octets")
			})
		}
	}
}
