//go:build unix

package embedded_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/nats/embedded"
)

// spent is the processor time of this process.
func spent() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// What a node costs in memory, and a room of its: in its connection, its server, and the
// server of the other node, which knows it too.
func BenchmarkMemory(b *testing.B) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	const rooms = 50_000
	for b.Loop() {
		before := heap()
		a := start(b, embedded.Options{})
		o := start(b, embedded.Options{Peers: []string{a.c.Addr().String()}})
		a.knows(2)
		b.ReportMetric(float64(heap()-before)/2, "B/node")
		names := make([]string, rooms)
		for i := range names {
			names[i] = fmt.Sprintf("room-%d", i)
		}
		before = heap()
		cpu := spent()
		o.watcher.RoomsChanged(names, nil)
		until(b, "all rooms are known", func() bool { return a.c.Subscriptions() >= rooms })
		b.ReportMetric(float64(spent()-cpu)/rooms/1000, "cpu-us/room")
		b.ReportMetric(float64(heap()-before)/rooms, "B/room")
		runtime.KeepAlive(names)
	}
}
