package loop

import (
	"net"
	"os"
	"sync"
	"time"
)

// This file is a Socket as a net.Conn: reads and writes that wait, and their deadlines.

var _ net.Conn = (*Socket)(nil)

// waits are what a Socket needs for calls that wait.
type waits struct {
	mu          sync.Mutex // guards both sides, but for turn
	read, write side
}

// A side is one direction of a Socket.
type side struct {
	turn    sync.Mutex    // of Read, or of Write
	changed chan struct{} // has room for one, which says that there is something to look at
	passed  bool          // the deadline is
	timer   *time.Timer   // nil unless the deadline is in the future
}

// sides returns waits, made if need be.
func (s *Socket) sides() *waits {
	if s.waits.Load() == nil {
		w := &waits{}
		w.read.changed, w.write.changed = make(chan struct{}, 1), make(chan struct{}, 1)
		s.waits.CompareAndSwap(nil, w)
	}
	return s.waits.Load()
}

// wake makes all that wait look again.
func (w *waits) wake() {
	w.read.wake()
	w.write.wake()
}

// close is wake for a socket that is closed. w may be nil: whoever makes waits after that finds
// out that the socket is.
func (w *waits) close() {
	if w != nil {
		w.mu.Lock()
		w.read.stop()
		w.write.stop()
		w.mu.Unlock()
		w.wake()
	}
}

func (d *side) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

func (d *side) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// WaitRead waits until there may be something to read. The error is net.ErrClosed or
// os.ErrDeadlineExceeded.
func (s *Socket) WaitRead() error {
	w := s.sides()
	return s.wait(w, &w.read, reading, ready|hasEnded)
}

// WaitWrite waits until there may be room for bytes, likewise.
func (s *Socket) WaitWrite() error {
	w := s.sides()
	return s.wait(w, &w.write, writing, writable)
}

// wait waits until one of the bits of until is set, while the bit waiting says that it
// does.
func (s *Socket) wait(w *waits, d *side, waiting, until uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case s.closed():
			return net.ErrClosed
		case d.passed:
			return os.ErrDeadlineExceeded
		}
		if s.state.Or(waiting)&until != 0 {
			s.state.And(^waiting)
			return nil
		}
		w.mu.Unlock()
		<-d.changed
		w.mu.Lock()
		s.state.And(^waiting)
	}
}

// Read implements net.Conn. Several calls take turns, other than those of TryRead.
func (s *Socket) Read(p []byte) (int, error) {
	w := s.sides()
	d := &w.read
	d.turn.Lock()
	defer d.turn.Unlock()
	for {
		if w.late(d) {
			return 0, os.ErrDeadlineExceeded
		}
		if len(p) == 0 {
			return 0, nil
		}
		n, again, err := s.TryRead(p)
		if !again {
			return n, err
		}
		if err := s.WaitRead(); err != nil {
			return 0, err
		}
	}
}

// Write implements net.Conn, likewise.
func (s *Socket) Write(p []byte) (n int, err error) {
	w := s.sides()
	d := &w.write
	d.turn.Lock()
	defer d.turn.Unlock()
	for {
		if w.late(d) {
			return n, os.ErrDeadlineExceeded
		}
		m, err := s.WriteSome(p[n:])
		if n += m; n == len(p) || err != nil {
			return n, err
		}
	}
}

// late reports whether the deadline of a side has passed.
func (w *waits) late(d *side) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return d.passed
}

// WriteSome writes of p what goes, and waits until that is something.
func (s *Socket) WriteSome(p []byte) (int, error) {
	for {
		s.state.And(^writable)
		n, err := s.TryWrite(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		if err := s.WaitWrite(); err != nil {
			return 0, err
		}
	}
}

// SetDeadline implements net.Conn.
func (s *Socket) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn. A Reader is called if t has passed already, and a later
// t means nothing to it.
func (s *Socket) SetReadDeadline(t time.Time) error {
	passed, err := s.setDeadline(t, func(w *waits) *side { return &w.read })
	if passed {
		s.poke()
	}
	return err
}

// SetWriteDeadline implements net.Conn.
func (s *Socket) SetWriteDeadline(t time.Time) error {
	_, err := s.setDeadline(t, func(w *waits) *side { return &w.write })
	return err
}

// setDeadline sets the deadline of one side, and reports whether it has passed.
func (s *Socket) setDeadline(t time.Time, of func(*waits) *side) (passed bool, err error) {
	if t.IsZero() && s.waits.Load() == nil && !s.closed() { // as it is
		return false, nil
	}
	w := s.sides()
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.closed() {
		return false, net.ErrClosed
	}
	d := of(w)
	d.stop()
	d.passed = false
	if t.IsZero() {
		return false, nil
	}
	left := time.Until(t)
	if left <= 0 {
		d.passed = true
		d.wake()
		return true, nil
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if d.timer == timer { // it has not been moved meanwhile
			d.passed = true
			d.wake()
		}
	})
	d.timer = timer
	return false, nil
}
