package loop_test

import (
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/internal/loop"
)

// Sockets that are queued together are served though the first of them blocks its worker, and
// nothing happens that would wake another one.
func TestQueueAfterReaderThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		defer s.close()
		const sockets = 3
		gate, called := make(chan struct{}), make(chan int, 2*sockets)
		var opened [sockets]*reader
		for i := range opened {
			socket, theirs := s.open()
			defer theirs.Close()
			theirs.Write([]byte("x"))
			opened[i] = &reader{s: socket, buf: make([]byte, 10), end: make(chan error, 1)}
			opened[i].take = func(*loop.Worker, []byte) { called <- i; <-gate }
		}
		synctest.Wait() // all events are over
		for _, r := range opened {
			r.s.Serve(r)
		}
		synctest.Wait()
		if len(called) != sockets {
			t.Errorf("%d of %d sockets are served", len(called), sockets)
		}
		close(gate)
	})
}
