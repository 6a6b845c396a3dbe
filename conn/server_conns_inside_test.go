package conn

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// An overseen stream keeps the deadlines of its reads.
type overseen struct {
	net.Conn
	deadlines []time.Time
}

func (o *overseen) SetReadDeadline(t time.Time) error {
	o.deadlines = append(o.deadlines, t)
	return nil
}

// TestHandshakeClock: the clock ends a handshake that is under way, by a deadline that has passed,
// and leaves a stream alone whose request is there.
func TestHandshakeClock(t *testing.T) {
	for phase, want := range map[uint32]int{greeting: 1, overdue: 0, answered: 0} {
		nc := &overseen{}
		n := &newcomer{nc: nc}
		n.phase.Store(phase)
		(*loopedNewcomer)(n).Ring()
		if len(nc.deadlines) != want {
			t.Errorf("phase %d: the deadlines %v, want %d", phase, nc.deadlines, want)
		}
		for _, d := range nc.deadlines {
			if d.IsZero() || d.After(time.Now()) {
				t.Errorf("phase %d: the deadline %v has not passed", phase, d)
			}
		}
	}
}

// TestMaxHandshakes: the bound of handshakes is the one that is given, or the default, or none.
func TestMaxHandshakes(t *testing.T) {
	for given, want := range map[int]int{0: 4096, 1: 1, 4097: 4097, -1: 0} {
		s := &Server{
			Serve:         func(context.Context, *Conn, *http.Request) error { return nil },
			MaxHandshakes: given,
		}
		d := must(s.openDoor(pipe.Listen()))
		if got := cap(s.reception.places); got != want {
			t.Errorf("MaxHandshakes %d: room for %d, want %d", given, got, want)
		}
		s.closeDoor(d)
	}
}
