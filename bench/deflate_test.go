package bench

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/lxzan/gws"
	"github.com/parleyws/parley/codec/klauspost"
	"github.com/parleyws/parley/conn"
)

// records returns n bytes of text like that of programs.
func records(n int) []byte {
	random := rand.New(rand.NewPCG(7, 692))
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"id":%d,"name":"user %d","online":%t,"score":%.3f},`,
			i, random.IntN(1000), random.IntN(2) == 0, random.Float64())
	}
	return b.Bytes()[:n]
}

// compressed returns the frames of a client that compresses p without context takeover.
func compressed(p []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	w.Write(p)
	w.Flush()
	size := b.Len() - len("\x00\x00\xff\xff")
	one := frames(gobwas.OpText, b.Bytes()[:size], 1)[:2+2+4+size] // header, a length of two bytes, and a masking key
	one[0] |= 0x40                                                 // RSV1
	return one
}

// echoParley reads compressed messages of 1 KB and writes them back compressed.
func echoParley(b *testing.B, stream []byte, codec conn.Codec) {
	c := parleyConn(&stub{stream: stream}, true, &conn.Options{Compression: conn.Compression{Codec: codec}})
	defer c.CloseNow()
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	left := b.N
	if err := c.Each(ctx, func(m conn.Message) error {
		if err := c.Write(ctx, m.Type, m.Payload); err != nil {
			return err
		}
		if left--; left == 0 {
			return errStop
		}
		return nil
	}); err != errStop {
		b.Fatal(err)
	}
}

// A gwsEcho sends each message back.
type gwsEcho struct{ handler }

func (h *gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	c.WriteMessage(m.Opcode, m.Bytes())
	h.handler.OnMessage(c, m)
}

// P20: read and write 1 KB, compressed by klauspost/compress. A read brings one
// message, as from a client that waits for each answer.
func BenchmarkP20(b *testing.B) { benchmarkKlauspost(b, compressed(records(1<<10))) }

// P21: the same with compress/flate.
func BenchmarkP21(b *testing.B) { benchmarkStandard(b, compressed(records(1<<10))) }

// P20batch: P20 with many messages in a read. Parley then holds the answers,
// and starts a goroutine that sends them if the reader blocks. If another
// processor is idle, that costs time. It saves writes, which cost nothing here.
func BenchmarkP20batch(b *testing.B) {
	benchmarkKlauspost(b, bytes.Repeat(compressed(records(1<<10)), 256))
}

// P21batch: P21 with many messages in a read.
func BenchmarkP21batch(b *testing.B) {
	benchmarkStandard(b, bytes.Repeat(compressed(records(1<<10)), 256))
}

func benchmarkKlauspost(b *testing.B, stream []byte) {
	b.Run("parley", func(b *testing.B) { echoParley(b, stream, klauspost.Codec{}) })
	b.Run("gws", func(b *testing.B) {
		h := &gwsEcho{handler{left: b.N}}
		c := gwsConn(b, gwsUpgrader(h, true), &stub{stream: stream}, true)
		b.ReportAllocs()
		b.ResetTimer()
		c.ReadLoop()
		if h.left > 0 {
			b.Fatal("gws stopped early")
		}
	})
}

func benchmarkStandard(b *testing.B, stream []byte) {
	b.Run("parley", func(b *testing.B) { echoParley(b, stream, nil) })
	b.Run("gorilla", func(b *testing.B) {
		c := gorillaConn(b, &stub{stream: stream}, true)
		var message bytes.Buffer
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			kind, r, err := c.NextReader()
			if err != nil {
				b.Fatal(err)
			}
			message.Reset()
			if _, err := io.Copy(&message, r); err != nil {
				b.Fatal(err)
			}
			if err := c.WriteMessage(kind, message.Bytes()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
