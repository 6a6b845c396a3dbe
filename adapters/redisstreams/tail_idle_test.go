package redisstreams

import (
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
)

// A namespace where nothing happens any more gives up the memory of its last events, once they
// are older than Recovery.MaxAge.
func TestTailIdle(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{})
	here, there := f.node(), f.node()
	l := here.log()
	l.mu.Lock()
	l.recovery.MaxAge = 50 * time.Millisecond
	l.mu.Unlock()
	for i := range 3 {
		if err := there.io.Emit("n", i); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all events, and then none", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.position != "" && l.tail.from == l.position && len(l.tail.list) == 0
	})
}
