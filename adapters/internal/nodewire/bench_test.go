package nodewire

import (
	"testing"

	"github.com/parleyws/parley/adapters/internal/cluster"
)

// A broadcast is written and read without allocating, if its node and rooms are those of the last one.
func TestAllocations(t *testing.T) {
	for _, tt := range []struct {
		name        string
		arg         any
		write, read float64
	}{
		{"text", "hello", 0, 0},
		{"binary", []byte("hello"), 0, 0},
	} {
		var e Encoder
		var d Decoder
		m := cluster.Message{Type: cluster.Broadcast, UID: uid, Target: to("blue"), Event: encoded(t, []any{"message", tt.arg})}
		b, err := e.AppendData(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { b, _ = e.AppendData(b[:0], &m) }); n > tt.write {
			t.Errorf("%s: %v allocations to write", tt.name, n)
		}
		if n := testing.AllocsPerRun(100, func() { d.DecodeData(m.Type, uid, b) }); n > tt.read {
			t.Errorf("%s: %v allocations to read", tt.name, n)
		}
	}
}

func BenchmarkBroadcast(b *testing.B) {
	for _, tt := range []struct {
		name string
		arg  any
	}{{"text", "hello, world"}, {"binary", []byte("hello, world")}} {
		m := cluster.Message{Type: cluster.Broadcast, UID: uid, Target: to("blue"), Event: encoded(b, []any{"message", tt.arg})}
		var e Encoder
		data, _ := e.AppendData(nil, &m)
		b.Run("write "+tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				data, _ = e.AppendData(data[:0], &m)
			}
		})
		b.Run("read "+tt.name, func(b *testing.B) {
			b.ReportAllocs()
			var d Decoder
			for b.Loop() {
				d.DecodeData(m.Type, uid, data)
			}
		})
		message, _ := e.Append(nil, "/", &m, false)
		b.Run("read whole "+tt.name, func(b *testing.B) {
			b.ReportAllocs()
			var d Decoder
			for b.Loop() {
				d.Decode(message)
			}
		})
	}
}
