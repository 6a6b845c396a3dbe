package mask_test

import (
	"fmt"
	"testing"

	"github.com/parleyws/parley/mask"
)

var key = [4]byte{0x37, 0xFA, 0x21, 0x3D}

func BenchmarkBytes(b *testing.B) {
	forEachLength(b, func(b *testing.B, dst, _ []byte) {
		for b.Loop() {
			mask.Bytes(dst, key, 1)
		}
	})
}

func BenchmarkCopy(b *testing.B) {
	forEachLength(b, func(b *testing.B, dst, src []byte) {
		for b.Loop() {
			mask.Copy(dst, src, key, 1)
		}
	})
}

// BenchmarkMemmove is the bar: the cost of moving the bytes without masking.
func BenchmarkMemmove(b *testing.B) {
	forEachLength(b, func(b *testing.B, dst, src []byte) {
		for b.Loop() {
			copy(dst, src)
		}
	})
}

func forEachLength(b *testing.B, f func(b *testing.B, dst, src []byte)) {
	for _, n := range []int{4, 16, 32, 48, 64, 125, 256, 1 << 10, 16 << 10} {
		for _, at := range []int{0, 1} {
			b.Run(fmt.Sprintf("%d+%d", n, at), func(b *testing.B) {
				// Allocations of this size are aligned to a page.
				dst, src := make([]byte, 64<<10)[at:][:n], make([]byte, 64<<10)[at:][:n]
				b.SetBytes(int64(n))
				b.ReportAllocs()
				f(b, dst, src)
			})
		}
	}
}
