package conn

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A torn stream fails its second write, and counts those that come after.
type torn struct {
	net.Conn
	writes atomic.Int32
	after  atomic.Int32
}

func (s *torn) Write(p []byte) (int, error) {
	switch n := s.writes.Add(1); {
	case n == 1:
		return len(p), nil
	case n == 2:
		return len(p) / 2, errors.New("torn")
	}
	s.after.Add(1)
	return len(p), nil
}

// Nothing is written after a write has failed: it would come in the middle of a
// frame.
func TestNothingAfterFailedWrite(t *testing.T) {
	for range 300 {
		ours, theirs := pipe.New()
		s := &torn{Conn: ours}
		c := must(New(&handshake.Result{Conn: s}, RoleServer, nil))
		var writers sync.WaitGroup
		for range 4 {
			writers.Go(func() {
				for range 5 {
					if c.Write(context.Background(), Text, []byte("message")) != nil {
						return
					}
				}
			})
		}
		writers.Wait()
		c.CloseNow()
		theirs.Close()
		if n := s.after.Load(); n > 0 {
			t.Fatalf("%d writes after the failed one", n)
		}
	}
}
