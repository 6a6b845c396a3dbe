package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	_ "unsafe" // to reach coder's masking, which is not exported

	_ "github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

//go:linkname coderMask github.com/coder/websocket.mask
func coderMask(b []byte, key uint32) uint32

var key = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// P1 to P4: masking in place.
func benchmarkMask(b *testing.B, size, offset int) {
	buf := make([]byte, size+offset+64)
	buf = buf[64-int(uintptrOf(buf)&63)+offset:][:size]
	b.Run("parley", func(b *testing.B) {
		b.SetBytes(int64(size))
		for b.Loop() {
			mask.Bytes(buf, key, 0)
		}
	})
	b.Run("gobwas", func(b *testing.B) {
		b.SetBytes(int64(size))
		for b.Loop() {
			gobwas.Cipher(buf, key, 0)
		}
	})
	b.Run("coder", func(b *testing.B) {
		b.SetBytes(int64(size))
		k := binary.LittleEndian.Uint32(key[:])
		for b.Loop() {
			coderMask(buf, k)
		}
	})
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(int64(size))
		dst := make([]byte, size)
		for b.Loop() {
			copy(dst, buf)
		}
	})
}

func BenchmarkP1(b *testing.B)  { benchmarkMask(b, 16, 0) }
func BenchmarkP2(b *testing.B)  { benchmarkMask(b, 125, 0) }
func BenchmarkP3a(b *testing.B) { benchmarkMask(b, 1<<10, 0) }
func BenchmarkP3b(b *testing.B) { benchmarkMask(b, 16<<10, 0) }
func BenchmarkP4(b *testing.B)  { benchmarkMask(b, 16<<10, 3) }

// P5: parse a header. gobwas reads into a reused buffer.
func BenchmarkP5(b *testing.B) {
	for _, size := range []int64{16, 1024, 1 << 20} {
		h := frame.Header{Fin: true, Opcode: frame.Text, Masked: true, MaskKey: key, Length: size}
		octets := h.Append(nil)
		b.Run(fmt.Sprintf("parley/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, n, _ := frame.Parse(octets); n == 0 {
					b.Fatal()
				}
			}
		})
		b.Run(fmt.Sprintf("gobwas/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			r, room := bytes.NewReader(octets), make([]byte, gobwas.MaxHeaderSize)
			for b.Loop() {
				r.Reset(octets)
				if _, err := gobwas.ReadHeaderBuffer(r, room); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// P6: append a header. gobwas has two functions; the one with the caller's buffer is
// measured for comparison.
func BenchmarkP6(b *testing.B) {
	b.Run("parley", func(b *testing.B) {
		b.ReportAllocs()
		h := frame.Header{Fin: true, Opcode: frame.Text, Length: 1024}
		buf := make([]byte, 0, 64)
		for b.Loop() {
			buf = h.Append(buf[:0])
		}
	})
	b.Run("gobwas", func(b *testing.B) {
		b.ReportAllocs()
		h := gobwas.Header{Fin: true, OpCode: gobwas.OpText, Length: 1024}
		w := &sliceWriter{b: make([]byte, 0, 64)}
		for b.Loop() {
			w.b = w.b[:0]
			gobwas.WriteHeader(w, h)
		}
	})
	b.Run("gobwas-reused", func(b *testing.B) {
		b.ReportAllocs()
		h := gobwas.Header{Fin: true, OpCode: gobwas.OpText, Length: 1024}
		w, room := &sliceWriter{b: make([]byte, 0, 64)}, make([]byte, gobwas.MaxHeaderSize)
		for b.Loop() {
			w.b = w.b[:0]
			gobwas.WriteHeaderBuffer(w, h, room)
		}
	})
}
