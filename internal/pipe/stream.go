package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A stream is one direction: a bounded buffer between a writing and a reading end.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond // with mu; broadcast after every change of what is below

	buf         ring
	readClosed  bool // the reading end is closed: nothing is kept any more
	writeClosed bool // the writing end is closed: EOF behind what is buffered
	writing     bool // a Write is under way: others wait, so that none is torn
	rd, wd      deadline
}

func newStream(size int) *stream {
	s := &stream{buf: ring{max: size}}
	s.changed.L = &s.mu
	return s
}

// read waits for an octet, the end, or the deadline. A deadline in the past
// goes before octets that are there, as in package net.
func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readClosed:
			return 0, net.ErrClosed
		case s.rd.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.buf.n > 0:
			n := s.buf.read(p)
			s.changed.Broadcast()
			return n, nil
		case s.writeClosed:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

// write waits for its turn and then for room, piece by piece, until all of p
// is buffered. It returns how much is, with an error if that is not all.
func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing {
		if err := s.writeError(); err != nil {
			return 0, err
		}
		s.changed.Wait()
	}
	s.writing = true
	for {
		if err = s.writeError(); err != nil {
			break
		}
		n += s.buf.write(p[n:])
		s.changed.Broadcast()
		if n == len(p) {
			break
		}
		s.changed.Wait()
	}
	s.writing = false
	s.changed.Broadcast()
	return n, err
}

// writeError returns why nothing can be written now, or nil.
func (s *stream) writeError() error {
	switch {
	case s.writeClosed:
		return net.ErrClosed
	case s.readClosed:
		return io.ErrClosedPipe
	case s.wd.passed:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// closeWrite ends the stream behind what is buffered.
func (s *stream) closeWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeClosed {
		return net.ErrClosed
	}
	s.writeClosed = true
	s.wd.stop()
	s.changed.Broadcast()
	return nil
}

// closeRead drops what is buffered and all that would come.
func (s *stream) closeRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readClosed {
		return net.ErrClosed
	}
	s.readClosed = true
	s.buf = ring{}
	s.rd.stop()
	s.changed.Broadcast()
	return nil
}

func (s *stream) setReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readClosed {
		return net.ErrClosed
	}
	s.rd.set(&s.changed, t)
	return nil
}

func (s *stream) setWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeClosed {
		return net.ErrClosed
	}
	s.wd.set(&s.changed, t)
	return nil
}
