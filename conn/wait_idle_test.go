package conn_test

import (
	"context"
	"net"
	"runtime/metrics"
	"sync"
	"testing"
	"testing/synctest"
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

// What leaves at once starts no goroutine: neither a message, nor a Ping.
func TestWriteStartsNoGoroutine(t *testing.T) {
	const n = 1000
	plain := func(nc net.Conn) net.Conn { return nc }
	tried := func(nc net.Conn) net.Conn { return &stingy{nc, 1 << 20} }
	for name, tt := range map[string]struct {
		wrap func(net.Conn) net.Conn
		send func(c *conn.Conn) error
	}{
		"Write":        {plain, func(c *conn.Conn) error { return c.Write(context.Background(), conn.Text, nil) }},
		"Write, tried": {tried, func(c *conn.Conn) error { return c.Write(context.Background(), conn.Text, nil) }},
		"Ping, tried":  {tried, func(c *conn.Conn) error { return c.Ping(context.Background()) }},
	} {
		t.Run(name, func(t *testing.T) {
			bothRoles(t, func(t *testing.T, role conn.Role) {
				synctest.Test(t, func(t *testing.T) {
					a, b := pipe.New()
					ours := must(conn.New(&handshake.Result{Conn: tt.wrap(a)}, role, nil))
					theirs := must(conn.New(&handshake.Result{Conn: tt.wrap(b)}, !role, nil))
					ends := []<-chan error{reading(ours), reading(theirs)}
					before := goroutinesCreated()
					for range n {
						wantNoError(t, tt.send(ours))
						synctest.Wait()
					}
					if created := goroutinesCreated() - before; created > n/2 {
						t.Errorf("%d goroutines were started for %d of them", created, n)
					}
					ours.CloseNow()
					theirs.CloseNow()
					for _, end := range ends {
						<-end
					}
				})
			})
		})
	}
}

// One goroutine sends what is queued, however many messages come meanwhile.
func TestSendStartsOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		defer theirs.Close()
		may := make(chan struct{})
		c := must(conn.New(&handshake.Result{Conn: &reluctant{Conn: ours, may: may}}, conn.RoleServer, nil))
		defer c.CloseNow()
		before := goroutinesCreated()
		for range 500 {
			wantNoError(t, c.Send(conn.NewPrepared(conn.Text, nil)))
			synctest.Wait()
		}
		if n := goroutinesCreated() - before; n > 100 {
			t.Errorf("%d goroutines were started", n)
		}
		close(may)
	})
}
