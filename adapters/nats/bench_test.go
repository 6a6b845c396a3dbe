package natsadapter_test

import (
	"fmt"
	"runtime"
	"testing"
)

// ready2 waits until a node knows another one.
func ready2(b *testing.B, n *node) {
	until(b, "the other node is known", func() bool {
		count, err := n.io.Nodes(b.Context())
		return err == nil && count == 2
	})
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
