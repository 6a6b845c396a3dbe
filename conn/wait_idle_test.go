package conn_test

import (
	"context"
	"net"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A stuck stream takes nothing, and tells when somebody tries to write.
type stuck struct {
	net.Conn
	once    sync.Once
	writing chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.writing) })
	return s.Conn.Write(p)
}

// A large message that waits until another write is done, on a stream that can't
// be tried, waits: it does not start one flusher after the other.
func TestWaitBehindWriteIsIdle(t *testing.T) {
	bothRoles(t, func(t *testing.T, role conn.Role) {
		ours, theirs := pipe.NewSize(1)
		defer theirs.Close()
		s := &stuck{Conn: ours, writing: make(chan struct{})}
		c := must(conn.New(&handshake.Result{Conn: s}, role, nil))
		defer c.CloseNow()
		go c.Write(context.Background(), conn.Binary, make([]byte, 1000))
		<-s.writing
		before := goroutinesCreated()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		wantError(t, c.Write(ctx, conn.Binary, make([]byte, 70_000)), context.DeadlineExceeded)
		if n := goroutinesCreated() - before; n > 100 {
			t.Errorf("%d goroutines were started by a Write that waited", n)
		}
	})
}

func goroutinesCreated() uint64 {
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
