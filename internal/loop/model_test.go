package loop_test

import (
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/loop"
)

var seeds = flag.Int("seeds", 300, "how many random scripts TestModel runs")

// Whatever is done with sockets, in whatever order and without waiting: when nothing moves any
// more, each of them has read what its model says.
func TestModel(t *testing.T) {
	for seed := range uint64(*seeds) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(14, seed))
			s := memory(t)
			s.wrap = func(k loop.Kernel) loop.Kernel { return restless{k} }
			defer s.close()
			models := make([]*model, 1+random.IntN(3))
			for i := range models {
				models[i] = newModel(t, s, random.Uint64())
			}
			for range 10 + random.IntN(60) {
				models[random.IntN(len(models))].step(random)
				if yield(); random.IntN(8) == 0 {
					for _, m := range models {
						m.check()
					}
				}
			}
			for _, m := range models {
				m.check()
				m.close()
				m.check()
				m.peer.Close()
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// A restless is a Kernel that lets others run before and after each read.
type restless struct{ loop.Kernel }

func (k restless) Read(fd int32, p []byte) (int, error) {
	yield()
	defer yield()
	return k.Kernel.Read(fd, p)
}

func yield() {
	for range rand.IntN(3) {
		runtime.Gosched()
	}
}

// A model is a socket, its peer, and what must be true of both. The byte at position i of the
// stream is byte(i).
type model struct {
	t      *testing.T
	socket *loop.Socket
	peer   net.Conn
	random *rand.Rand // of Readable

	sent         int
	ended        bool // by the peer
	closed       bool // by us
	served       bool // a Reader should be, unless
	stopping     bool // it has been asked to stop
	past         bool // the read deadline is
	called, stop atomic.Bool

	mu      sync.Mutex
	read    int
	reading int   // calls of Read under way
	stopped bool  // the Reader has called Stop, on request
	err     error // that ended the Reader or a Read
}

func newModel(t *testing.T, s *shop, seed uint64) *model {
	socket, peer := s.open()
	return &model{t: t, socket: socket, peer: peer, random: rand.New(rand.NewPCG(14, seed))}
}

// take takes what has been read, and is called by one goroutine at a time.
func (m *model) take(p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range p {
		if b != byte(m.read) {
			m.t.Errorf("byte %d is %d", m.read, b)
			return
		}
		m.read++
	}
}

// Readable implements loop.Reader.
func (m *model) Readable(*loop.Worker) (again bool) {
	if m.called.Swap(true) {
		m.t.Error("two workers serve a socket")
	}
	end := func(err error) bool {
		m.mu.Lock()
		m.stopped, m.err = err == nil, err
		m.mu.Unlock()
		m.called.Store(false)
		m.socket.Stop()
		return false
	}
	for b := make([]byte, 1+m.random.IntN(100)); ; {
		yield()
		n, again, err := m.socket.TryRead(b)
		switch {
		case err != nil:
			return end(err)
		case m.stop.Swap(false):
			m.take(b[:n])
			return end(nil)
		case again:
			m.called.Store(false)
			return true
		}
		m.take(b[:n])
	}
}

// idle reports whether nobody reads, for sure.
func (m *model) idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.served && m.reading == 0 && m.err == nil
}

// step does something at random.
func (m *model) step(random *rand.Rand) {
	switch n := random.IntN(20); {
	case n < 8 && !m.ended && m.sent < 30_000: // which the peer's buffer holds
		b := make([]byte, 1+random.IntN(200))
		for i := range b {
			b[i] = byte(m.sent + i)
		}
		m.sent += len(b)
		if _, err := m.peer.Write(b); err != nil && !m.closed {
			m.t.Error(err)
		}
	case n < 11 && m.idle() && !m.closed:
		m.served = true
		m.socket.Serve(m)
	case n < 13 && m.idle():
		m.mu.Lock()
		m.reading++
		m.mu.Unlock()
		go m.readOnce(make([]byte, 1+random.IntN(100)))
	case n < 15 && m.served && !m.stopping:
		m.stopping = true
		m.stop.Store(true)
		m.setDeadline(true)
	case n < 17:
		m.setDeadline(random.IntN(2) == 0)
	case n == 17 && random.IntN(5) == 0 && !m.ended:
		m.ended = true
		m.peer.(interface{ CloseWrite() error }).CloseWrite()
	case n == 18 && random.IntN(5) == 0:
		m.close()
	}
}

func (m *model) setDeadline(past bool) {
	var at time.Time
	if past {
		at = time.Unix(1, 0)
	}
	if err := m.socket.SetReadDeadline(at); (err != nil) != m.closed {
		m.t.Errorf("SetReadDeadline: %v", err)
	}
	m.past = past
}

func (m *model) close() {
	if err := m.socket.Close(); (err != nil) != m.closed {
		m.t.Errorf("Close: %v", err)
	}
	m.closed = true
}

// readOnce reads as a goroutine.
func (m *model) readOnce(b []byte) {
	n, err := m.socket.Read(b)
	m.take(b[:n])
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reading--
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		m.err = err
	}
}

// check waits until nothing moves, and compares.
func (m *model) check() {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		m.served, m.stopping, m.stopped = false, false, false
	}
	left := m.sent - m.read
	switch {
	case m.stop.Load() && m.err == nil:
		m.t.Error("a Reader does not see that it is poked")
	case m.called.Load():
		m.t.Error("a Reader does not return")
	case m.err != nil:
		m.served = false
		m.stop.Store(false)
		switch {
		case errors.Is(m.err, net.ErrClosed) && m.closed:
		case m.err == io.EOF && m.ended && left == 0:
		default:
			m.t.Errorf("the end is %v (closed %t, ended %t, %d bytes left)", m.err, m.closed, m.ended, left)
		}
	case m.served && (left > 0 || m.closed || m.ended):
		m.t.Errorf("a Reader sleeps (closed %t, ended %t, %d bytes left)", m.closed, m.ended, left)
	case m.reading > 0 && (left > 0 || m.closed || m.ended || m.past):
		m.t.Errorf("a Read sleeps (closed %t, ended %t, late %t, %d bytes left)", m.closed, m.ended, m.past, left)
	}
}
