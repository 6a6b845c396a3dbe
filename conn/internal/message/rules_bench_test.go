package message

import (
	"testing"

	"github.com/parleyws/parley/frame"
)

func BenchmarkRules(b *testing.B) {
	r := newRules(true, true, 1<<20)
	h := frame.Header{Fin: true, Opcode: frame.Text, Masked: true, MaskKey: [4]byte{1, 2, 3, 4}, Length: 16}
	for b.Loop() {
		if err := r.check(&h, false); err != nil {
			b.Fatal(err)
		}
	}
}
