package loop_test

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/loop"
)

// A strict is a Kernel for which no more than one goroutine waits.
type strict struct {
	loop.Kernel
	t       *testing.T
	waiting atomic.Int32
}

func (k *strict) Wait(events []loop.Event) int {
	if k.waiting.Add(1) > 1 {
		k.t.Error("two workers wait for the kernel")
	}
	defer k.waiting.Add(-1)
	return k.Kernel.Wait(events)
}

// After a time with much to do for many workers one waits for the kernel, and four until they are
// needed.
func TestWorkersThatStay(t *testing.T) {
	for workers() > 0 { // of earlier tests, which are about to end
		runtime.Gosched()
	}
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		s.wrap = func(k loop.Kernel) loop.Kernel { return &strict{Kernel: k, t: t} }
		defer s.close()
		const sockets = 20
		gate, blocked := make(chan struct{}), make(chan struct{}, sockets)
		var peers []net.Conn
		for range sockets {
			socket, theirs := s.open()
			defer theirs.Close()
			peers = append(peers, theirs)
			serve(socket, func([]byte) { blocked <- struct{}{}; <-gate })
		}
		for burst := range 3 {
			for _, peer := range peers {
				peer.Write([]byte("x"))
			}
			for range sockets {
				<-blocked
			}
			if burst == 0 {
				close(gate)
			}
			synctest.Wait()
			if n := workers(); n != 5 {
				t.Errorf("%d workers are left after burst %d, want 5", n, burst)
			}
		}
	})
}

// workers returns how many workers there are.
func workers() int {
	b := make([]byte, 1<<20)
	return bytes.Count(b[:runtime.Stack(b, true)], []byte("loop.(*Loop).work("))
}

// Each thing that is left for later is done as soon as the Reader has returned.
func TestLaterAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		defer s.close()
		socket, theirs := s.open()
		defer theirs.Close()
		var done []byte
		serveWith(socket, func(w *loop.Worker, p []byte) {
			w.Later(job(func() { done = append(done, p[0]) }))
		})
		for i := range byte(5) {
			theirs.Write([]byte{i})
			synctest.Wait()
			if want := []byte{0, 1, 2, 3, 4}[:i+1]; !slices.Equal(done, want) {
				t.Errorf("done is %v, want %v", done, want)
			}
		}
	})
}

// An again is a Reader whose first turn leaves work that waits for the second one.
type again struct {
	s     *loop.Socket
	turns int
	next  chan struct{}
}

func (r *again) Readable(w *loop.Worker) bool {
	r.s.TryRead(make([]byte, 1))
	switch r.turns++; r.turns {
	case 1:
		w.Later(job(func() { <-r.next }))
		r.s.SetReadDeadline(time.Unix(1, 0)) // which asks for another turn
	case 2:
		close(r.next)
	}
	return true
}

// Work that is left for later may wait for another turn of its socket.
func TestLaterWaitsForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory(t)
		defer s.close()
		socket, theirs := s.open()
		defer theirs.Close()
		r := &again{s: socket, next: make(chan struct{})}
		synctest.Wait() // the kernel has told of the new socket
		socket.Serve(r)
		<-r.next
	})
}

// Workers do not have the labels of those who have made them run.
func TestWorkersHaveNoLabels(t *testing.T) {
	onBoth(t, func(t *testing.T, s *shop) {
		pprof.Do(t.Context(), pprof.Labels("whose", "another"), func(context.Context) {
			socket, theirs := s.open()
			defer theirs.Close()
			labels := make(chan string)
			serve(socket, func([]byte) { labels <- labelsHere() })
			theirs.Write([]byte("x"))
			if got := <-labels; got != "" {
				t.Errorf("a worker has the labels %s", got)
			}
		})
	})
}

// labelsHere returns the labels of the goroutine that calls it, as a profile shows them.
//
//go:noinline
func labelsHere() string {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for group := range strings.SplitSeq(profile.String(), "\n\n") {
		if _, labels, ok := strings.Cut(group, "# labels: "); ok && strings.Contains(group, "labelsHere+") {
			labels, _, _ = strings.Cut(labels, "\n")
			return labels
		}
	}
	return ""
}
