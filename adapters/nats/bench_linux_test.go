package natsadapter_test

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	natsadapter "github.com/parleyws/parley/adapters/nats"
)

// spent is the processor time of this process.
func spent() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// What an event costs the node that emits it, in processor time. The NATS server and the
// other node are another process.
func BenchmarkPublish(b *testing.B) {
	for _, room := range []string{"x", "nobody"} {
		b.Run("to="+room, func(b *testing.B) {
			other := fork(b, "server")
			n := start(b, other.url, &natsadapter.Options{Logger: quiet(), QueueBytes: 1 << 30})
			other.do("join x")
			ready2(b, n)
			text := strings.Repeat("x", 100)
			b.ReportAllocs()
			began := spent()
			for b.Loop() {
				if err := n.io.To(room).Emit("message", text); err != nil {
					b.Fatal(err)
				}
			}
			until(b, "all is published", func() bool { return n.c.Stats().Waiting == 0 })
			b.ReportMetric(float64(spent()-began)/float64(b.N)/1000, "cpu-us/op")
		})
	}
}

// ready2 waits until a node knows another one.
func ready2(b *testing.B, n *node) {
	until(b, "the other node is known", func() bool {
		count, err := n.io.Nodes(b.Context())
		return err == nil && count == 2
	})
}

// What an event of another node costs a node: with some recipients, with none of the room,
// and with none of an event that goes to all nodes, since it is for a socket.
func BenchmarkDeliver(b *testing.B) {
	for _, bench := range []struct {
		name, room string
		recipients int
	}{
		{"recipients=1", "x", 1}, {"recipients=50", "x", 50}, {"nobody", "x", 0}, {"other-socket", "01234567890123456789", 0},
	} {
		b.Run(bench.name, func(b *testing.B) {
			other := fork(b, "server")
			n := start(b, other.url, nil)
			_ = n.io.Emit("here")
			ready2(b, n)
			if bench.recipients > 0 {
				other.do("clients %s x %d", n.url, bench.recipients)
				until(b, "the room is known", func() bool { return n.c.Rooms() == 1 })
			}
			round := func(events int) {
				other.do("emit %s %d", bench.room, events)
				other.do("await %d", events)
			}
			began := spent()
			for range b.N / 2000 {
				round(2000)
			}
			round(b.N % 2000)
			used := spent() - began
			b.ReportMetric(float64(used)/float64(b.N)/1000, "cpu-us/op")
			if bench.recipients > 0 {
				b.ReportMetric(float64(used)/float64(b.N*bench.recipients)/1000, "cpu-us/recipient")
			}
		})
	}
}

// What a room costs in memory, of the node and its connection, without the NATS server.
func BenchmarkRoomMemory(b *testing.B) {
	const rooms = 50_000
	other := fork(b, "server")
	n := start(b, other.url, nil)
	ready2(b, n)
	before := heap()
	names := make([]string, rooms)
	for i := range names {
		names[i] = fmt.Sprintf("room-%d", i)
	}
	n.c.Subscribe(names)
	for b.Loop() { // it is done once
	}
	b.ReportMetric(float64(heap()-before)/rooms, "B/room")
	runtime.KeepAlive(names)
}
