package frame_test

import (
	"testing"

	"github.com/parleyws/parley/frame"
)

// headers holds one header for each form of the payload length, unmasked and
// masked.
var headers = []struct {
	name string
	h    frame.Header
}{
	{"7bit", frame.Header{Fin: true, Opcode: frame.Text, Length: 16}},
	{"7bit/masked", frame.Header{Fin: true, Opcode: frame.Text, Masked: true, MaskKey: [4]byte{1, 2, 3, 4}, Length: 16}},
	{"16bit", frame.Header{Fin: true, Opcode: frame.Binary, Length: 1 << 10}},
	{"16bit/masked", frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, MaskKey: [4]byte{1, 2, 3, 4}, Length: 1 << 10}},
	{"64bit", frame.Header{Fin: true, Opcode: frame.Binary, Length: 1 << 20}},
	{"64bit/masked", frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, MaskKey: [4]byte{1, 2, 3, 4}, Length: 1 << 20}},
}

func BenchmarkParse(b *testing.B) {
	for _, tt := range headers {
		b.Run(tt.name, func(b *testing.B) {
			wire := tt.h.Append(nil)
			b.ReportAllocs()
			for b.Loop() {
				h, n, err := frame.Parse(wire)
				if h != tt.h || n != len(wire) || err != nil {
					b.Fatal(h, n, err)
				}
			}
		})
	}
}

// BenchmarkAppendMade makes each header before it appends it, as a sender does.
func BenchmarkAppendMade(b *testing.B) {
	for _, tt := range headers {
		b.Run(tt.name, func(b *testing.B) {
			buf := make([]byte, 0, frame.MaxHeaderLen)
			op, masked, key, length := tt.h.Opcode, tt.h.Masked, tt.h.MaskKey, tt.h.Length
			b.ReportAllocs()
			for b.Loop() {
				frame.Header{Fin: true, Opcode: op, Masked: masked, MaskKey: key, Length: length}.Append(buf)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, tt := range headers {
		b.Run(tt.name, func(b *testing.B) {
			buf := make([]byte, 0, frame.MaxHeaderLen)
			b.ReportAllocs()
			for b.Loop() {
				tt.h.Append(buf)
			}
		})
	}
}
