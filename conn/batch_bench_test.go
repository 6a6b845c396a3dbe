package conn_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/mask"
)

// A batches is a loop that can be tried, as a socket can, and that lets other
// goroutines run before each read, as a socket does that has nothing to give.
type batches struct{ loop }

func (l *batches) Read(p []byte) (int, error) {
	runtime.Gosched()
	return l.loop.Read(p)
}

func (*batches) TryWrite(p []byte) (int, error) { return len(p), nil }

// BenchmarkBatch echoes messages of which 64 come with each read: an operation is
// one of them. The bare loop beside it is the limit: it answers the same reads, and
// checks and locks nothing.
func BenchmarkBatch(b *testing.B) {
	conn.Unpoisoned(b)
	for _, bb := range []struct {
		name string
		op   frame.Opcode
		size int
	}{
		{"text 16 B", frame.Text, 16},
		{"binary 16 B", frame.Binary, 16},
		{"binary 1 KB", frame.Binary, 1 << 10},
	} {
		stream := bytes.Repeat(message(bb.op, []byte(strings.Repeat("a", bb.size)), 1), 64)
		b.Run(bb.name, func(b *testing.B) {
			c := must(conn.New(&handshake.Result{Conn: &batches{loop{stream: stream}}}, conn.RoleServer, nil))
			defer c.CloseNow()
			ctx, stop := conn.ServeContext(c), errors.New("stop")
			left := b.N
			b.ReportAllocs()
			b.ResetTimer()
			c.Each(ctx, func(m conn.Message) error {
				if left--; left <= 0 {
					return stop
				}
				return c.Write(ctx, m.Type, m.Payload)
			})
		})
		b.Run(bb.name+", bare", func(b *testing.B) {
			nc := &batches{loop{stream: stream}}
			in, out := make([]byte, len(stream)), make([]byte, 0, len(stream))
			for left := b.N; left > 0; left -= 64 {
				n, _ := nc.Read(in)
				out = answers(out[:0], in[:n])
				nc.TryWrite(out)
			}
		})
	}
}

// answers appends the echo of the frames in b, which are whole, to out.
func answers(out, b []byte) []byte {
	for len(b) > 0 {
		h, n, _ := frame.Parse(b)
		end := n + int(h.Length)
		p := b[n:end]
		mask.Bytes(p, h.MaskKey, 0)
		out = append(frame.Header{Fin: true, Opcode: h.Opcode, Length: h.Length}.Append(out), p...)
		b = b[end:]
	}
	return out
}
