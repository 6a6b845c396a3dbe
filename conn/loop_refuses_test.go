package conn

import (
	"net"
	"testing"

	"github.com/parleyws/parley/internal/loop"
	"github.com/parleyws/parley/internal/pipe"
)

// A refusing is a Kernel that takes no stream.
type refusing struct{ loop.Kernel }

func (refusing) Take(net.Conn) (int32, bool) { return 0, false }

// A Loop that can't take its first connection ends, and begins anew with the next one that it can.
func TestLoopThatTakesNothing(t *testing.T) {
	before := loop.NewKernel
	defer func() { loop.NewKernel = before }()
	loop.NewKernel = func(nc net.Conn) loop.Kernel { return refusing{before(nc)} }
	ours, theirs := pipe.New()
	defer ours.Close()
	defer theirs.Close()
	l := &Loop{}
	if l.enter(ours) != ours || l.loop != nil {
		t.Error("a loop runs that has taken nothing")
	}
	l.leave(false)
	loop.NewKernel = before
	s := l.enter(ours)
	if _, ok := s.(*loop.Socket); !ok || l.conns != 1 || l.taken != 1 {
		t.Errorf("a %T enters; %d connections, %d taken", s, l.conns, l.taken)
	}
	s.Close()
	if l.leave(true); l.loop != nil || l.conns != 0 {
		t.Errorf("the loop runs on, with %d connections", l.conns)
	}
}
