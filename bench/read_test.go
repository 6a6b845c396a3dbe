package bench

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/parleyws/parley/conn"
)

// benchmarkRead reads messages as a server does.
func benchmarkRead(b *testing.B, op gobwas.OpCode, size, fragments int) {
	p := []byte(strings.Repeat("a", size))
	stream := frames(op, p, fragments)
	b.Run("parley", func(b *testing.B) {
		c := parleyConn(&stub{stream: stream}, false, nil)
		defer c.CloseNow()
		b.SetBytes(int64(size))
		b.ReportAllocs()
		b.ResetTimer()
		left := b.N
		c.Each(context.Background(), func(conn.Message) error {
			if left--; left == 0 {
				return errStop
			}
			return nil
		})
	})
	b.Run("byhand", func(b *testing.B) {
		if fragments > 1 {
			b.Skip("a frame loop knows no fragments")
		}
		r := bufio.NewReaderSize(&stub{stream: stream}, 64<<10)
		buf := make([]byte, size)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			if err := byHand(r, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gorilla", func(b *testing.B) {
		c := gorillaConn(b, &stub{stream: stream}, false)
		buf := make([]byte, size)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			_, r, err := c.NextReader()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(r, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gws", func(b *testing.B) {
		h := &handler{left: b.N}
		c := gwsConn(b, gwsUpgrader(h, false), &stub{stream: stream}, false)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		b.ResetTimer()
		c.ReadLoop()
	})
	b.Run("coder", func(b *testing.B) {
		c := coderConn(b, &stub{stream: stream})
		buf := make([]byte, size)
		ctx := context.Background()
		b.SetBytes(int64(size))
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			_, r, err := c.Reader(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(r, buf); err != nil {
				b.Fatal(err)
			}
			if _, err := r.Read(buf); err != io.EOF {
				b.Fatal(err)
			}
		}
	})
}

// byHand reads one frame with gobwas' header functions and unmasks it, like a
// program that checks nothing. buf is reused.
func byHand(r *bufio.Reader, buf []byte) error {
	h, err := gobwas.ReadHeader(r)
	if err != nil {
		return err
	}
	p := buf[:h.Length]
	if _, err := io.ReadFull(r, p); err != nil {
		return err
	}
	gobwas.Cipher(p, h.Mask, 0)
	return nil
}

func BenchmarkP7(b *testing.B)       { benchmarkRead(b, gobwas.OpText, 16, 1) }
func BenchmarkP8binary(b *testing.B) { benchmarkRead(b, gobwas.OpBinary, 1<<10, 1) }
func BenchmarkP8text(b *testing.B)   { benchmarkRead(b, gobwas.OpText, 1<<10, 1) }
func BenchmarkP9binary(b *testing.B) { benchmarkRead(b, gobwas.OpBinary, 64<<10, 1) }
func BenchmarkP9text(b *testing.B)   { benchmarkRead(b, gobwas.OpText, 64<<10, 1) }
func BenchmarkP10(b *testing.B)      { benchmarkRead(b, gobwas.OpBinary, 64<<10, 8) }
