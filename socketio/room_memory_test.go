package socketio

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkRooms is the memory of a room, and of each of its members, on one node.
func BenchmarkRooms(b *testing.B) {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	const sockets, most = 10_000, 10 // rooms of each socket
	for _, members := range []int{1, 2, 10, 100, 1000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			r := newRooms()
			list := make([]*Socket, sockets)
			for i := range list {
				list[i] = &Socket{id: fmt.Sprintf("%020d", i)}
				r.add(list[i], func() {})
			}
			before := heap()
			for i, s := range list {
				for k := range most {
					// As they come from clients: each name a string of its own.
					if err := r.join(s, []string{fmt.Sprintf("room %d", k*sockets/members+i/members)}, most); err != nil {
						b.Fatal(err)
					}
				}
			}
			used := heap() - before
			for b.Loop() { // it is done once
			}
			b.ReportMetric(used/(sockets*most), "B/membership")
			runtime.KeepAlive(&r)
			runtime.KeepAlive(list)
		})
	}
}
