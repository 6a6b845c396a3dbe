package conn_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A tryLoop is a loop that can be tried, as a socket can.
type tryLoop struct{ loop }

func (l *tryLoop) TryWrite(p []byte) (int, error) { return len(p), nil }

// BenchmarkBatch echoes short messages of which many come with each read: an
// operation is one of them.
func BenchmarkBatch(b *testing.B) {
	conn.Unpoisoned(b)
	for name, op := range map[string]frame.Opcode{"text": frame.Text, "binary": frame.Binary} {
		b.Run(name, func(b *testing.B) {
			stream := bytes.Repeat(message(op, []byte(strings.Repeat("a", 16)), 1), 64)
			c := must(conn.New(&handshake.Result{Conn: &tryLoop{loop{stream: stream}}}, conn.RoleServer, nil))
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
	}
}
