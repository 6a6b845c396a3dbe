package conn

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/frame"
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
		return len(p) / 2, errTorn
	}
	s.after.Add(1)
	return len(p), nil
}

var errTorn = errors.New("torn")

// A triedTorn can be tried.
type triedTorn struct{ *torn }

func (s triedTorn) TryWrite(p []byte) (int, error) { return s.Write(p) }

// A large message goes out in several writes. After one that has failed none follows, and the
// call fails.
func TestNothingAfterFailedPiece(t *testing.T) {
	for name, wrap := range map[string]func(*torn) net.Conn{
		"tried":  func(s *torn) net.Conn { return triedTorn{s} },
		"blocks": func(s *torn) net.Conn { return s },
	} {
		for _, role := range []Role{RoleServer, RoleClient} {
			ours, theirs := pipe.New()
			s := &torn{Conn: ours}
			c := must(New(&handshake.Result{Conn: wrap(s)}, role, nil))
			if err := c.Write(context.Background(), Binary, make([]byte, 300<<10)); !errors.Is(err, errTorn) {
				t.Errorf("%s, client %t: Write = %v, want what the stream said", name, role, err)
			}
			c.CloseNow()
			theirs.Close()
			if n := s.after.Load(); n > 0 {
				t.Errorf("%s, client %t: %d writes after the failed one", name, role, n)
			}
		}
	}
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

// Nor is the Close frame of a Close that has begun before, and comes to its frame only now.
func TestNoCloseFrameAfterFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.New()
		defer theirs.Close()
		s := &torn{Conn: ours}
		c := must(New(&handshake.Result{Conn: s}, RoleServer, nil))
		defer c.CloseNow()
		for n := range 2 {
			if err := c.Write(context.Background(), Text, []byte("message")); (err != nil) != (n > 0) {
				t.Fatalf("write %d: %v", n, err)
			}
		}
		c.out.sendClose(frame.StatusNormalClosure, "")
		synctest.Wait()
		if n := s.after.Load(); n > 0 {
			t.Errorf("%d writes after the failed one", n)
		}
	})
}
