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
	changed sync.Cond // uses mu; broadcast after every change of the fields below

	buf         ring
	readClosed  bool      // the reading end is closed, and buf stays empty
	writeClosed bool      // the writing end is closed, and EOF follows the bytes in buf
	writing     bool      // a write is in progress; others wait, so that their bytes do not mix
	rd, wd      deadline  // of reads and of writes
	watchers    [2]func() // of the reading and the writing end, if a loop has them; called with mu held
}

func newStream(size int) *stream {
	s := &stream{buf: ring{max: size}}
	s.changed.L = &s.mu
	return s
}

// The ends of a stream, as indexes of watchers.
const (
	readingEnd = iota
	writingEnd
)

// tell tells all who wait of a change, and the loop of an end which it may let go on. An
// end is told of nothing else, as by an operating system: a loop that is told too often
// never sleeps through anything. Called with mu held.
func (s *stream) tell(end int) {
	s.changed.Broadcast()
	if watcher := s.watchers[end]; watcher != nil {
		watcher()
	}
}

// take takes bytes out of the buffer. Called with mu held.
func (s *stream) take(p []byte) int {
	full := s.buf.n == s.buf.max
	n := s.buf.read(p)
	s.changed.Broadcast()
	if full {
		s.tell(writingEnd)
	}
	return n
}

// read waits for a byte, the end of the stream, or the deadline. If the deadline
// has passed, read fails even if bytes are buffered, as in package net.
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
			return s.take(p), nil
		case s.writeClosed:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

// write waits for its turn. Then it buffers p piece by piece, and waits for room
// between the pieces. It returns the number of bytes that it buffered, and an
// error if that is not len(p).
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
		s.tell(readingEnd)
		if n == len(p) {
			break
		}
		s.changed.Wait()
	}
	s.writing = false
	s.changed.Broadcast()
	return n, err
}

// tryRead is read for a caller that does not wait. again tells that there is nothing.
func (s *stream) tryRead(p []byte) (n int, again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.readClosed:
		return 0, false, net.ErrClosed
	case s.buf.n > 0:
		return s.take(p), false, nil
	}
	return 0, !s.writeClosed, nil
}

// tryWrite buffers of p what there is room for.
func (s *stream) tryWrite(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writeError(); err != nil {
		return 0, err
	}
	if n = s.buf.write(p); n > 0 {
		s.tell(readingEnd)
	}
	return n, nil
}

// watch has f called, with mu held, now and after every change. nil ends that.
func (s *stream) watch(end int, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[end] = f
	if f != nil {
		f()
	}
}

// writeError returns the reason why nothing can be written, or nil.
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

// closeWrite ends the stream after the buffered bytes.
func (s *stream) closeWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeClosed {
		return net.ErrClosed
	}
	s.writeClosed = true
	s.wd.stop()
	s.tell(readingEnd)
	return nil
}

// closeRead drops the buffered bytes and fails all later reads and writes. It is called once.
func (s *stream) closeRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readClosed = true
	s.buf = ring{}
	s.rd.stop()
	s.tell(writingEnd)
}

func (s *stream) setReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readClosed {
		return net.ErrClosed
	}
	s.rd.set(&s.changed, t)
	s.changed.Broadcast()
	return nil
}

func (s *stream) setWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeClosed {
		return net.ErrClosed
	}
	s.wd.set(&s.changed, t)
	s.changed.Broadcast()
	return nil
}
