package loop_test

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/internal/loop"
)

// A deaf is a Kernel that tells nothing to whoever waits.
type deaf struct {
	loop.Kernel
	over chan struct{}
}

func (k deaf) Wait([]loop.Event) int {
	<-k.over
	return 0
}

func (k deaf) End() {
	close(k.over)
	k.Kernel.End()
}

// A talker is a Reader whose socket has more to read after each turn, until quit is set.
type talker struct {
	s     *loop.Socket
	peer  net.Conn
	buf   []byte
	quit  *atomic.Bool
	turns int
}

// maxTurns ends a talker that nobody ends.
const maxTurns = 50_000

// Readable implements loop.Reader.
func (r *talker) Readable(*loop.Worker) bool {
	if r.turns++; r.quit.Load() || r.turns == maxTurns {
		r.s.Stop()
		r.peer.Close()
		return false
	}
	for {
		n, again, err := r.s.TryRead(r.buf)
		if again || err != nil {
			return true
		}
		r.peer.Write(r.buf[:n]) // for the next turn
	}
}

// While workers have more to do than they can, those that serve ask the kernel, and not only those
// that wait for it: on one processor these may not run for long.
func TestWorkersLook(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		s.wrap = func(k loop.Kernel) loop.Kernel { return deaf{k, make(chan struct{})} }
		defer s.close()
		var quit atomic.Bool
		var talkers []*talker
		for range 3 {
			r := &talker{buf: make([]byte, 32<<10), quit: &quit}
			r.s, r.peer = s.open()
			r.peer.Write(make([]byte, 64<<10))
			talkers = append(talkers, r)
		}
		socket, theirs := s.open()
		defer theirs.Close()
		const echoes = 100
		echoed := 0
		serve(socket, func(p []byte) {
			if echoed++; echoed == echoes {
				quit.Store(true)
				return
			}
			theirs.Write(p) // which comes in another turn
		})
		synctest.Wait() // nothing is told any more but to those that look
		var serving sync.WaitGroup
		for _, r := range talkers {
			serving.Go(func() { r.s.Serve(r) })
		}
		theirs.Write([]byte("x"))
		synctest.Wait()
		serving.Wait()
		if echoed != echoes {
			t.Errorf("%d echoes while others had %d turns, want %d", echoed, talkers[0].turns, echoes)
		}
	})
}
