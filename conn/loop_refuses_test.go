package conn

import (
	"net"
	"testing"

	"github.com/parleyws/parley/internal/loop"
	"github.com/parleyws/parley/internal/pipe"
)

// A Loop takes the connections that come once After others live, and no others.
func TestLoopAfter(t *testing.T) {
	for after, want := range map[int]int{-1: 0, 0: 4, 1: 3, 3: 1, 4: 0} {
		l := &Loop{After: after}
		taken := make(map[net.Conn]bool)
		for i := range 4 {
			ours, theirs := pipe.New()
			defer theirs.Close()
			nc := l.enter(ours)
			_, taken[nc] = nc.(*loop.Socket)
			if should := i >= 4-want; taken[nc] != should {
				t.Errorf("after %d: connection %d is taken: %t", after, i, taken[nc])
			}
		}
		for nc, was := range taken {
			nc.Close()
			l.leave(was)
		}
	}
}

// A Loop that can't take its first connection ends, and begins anew with the next one that it can.
func TestLoopThatTakesNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	closed, err := net.Dial("tcp", listener.Addr().String()) // no kernel can take it
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	ours, theirs := pipe.New()
	defer ours.Close()
	defer theirs.Close()
	l := &Loop{}
	if l.enter(closed) != closed || l.loop != nil {
		t.Error("a loop runs that has taken nothing")
	}
	l.leave(false)
	s := l.enter(ours)
	if _, ok := s.(*loop.Socket); !ok || l.conns != 1 || l.taken != 1 {
		t.Errorf("a %T enters; %d connections, %d taken", s, l.conns, l.taken)
	}
	s.Close()
	if l.leave(true); l.loop != nil || l.conns != 0 {
		t.Errorf("the loop runs on, with %d connections", l.conns)
	}
}
