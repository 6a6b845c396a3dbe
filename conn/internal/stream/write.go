package stream

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"time"
)

// WriteAll writes p, which has to make progress within timeout again and again,
// and at a KiB a second at least over all: see allowance. On a plain socket every
// byte that it takes is progress; over TLS p goes out in pieces of 16 KiB,
// elsewhere of 64 KiB, and each that has gone out is, or the part of one that a
// write returns when its deadline passes. Without progress the error is
// os.ErrDeadlineExceeded. Forever is no timeout.
func (s *Stream) WriteAll(p []byte, timeout time.Duration) error {
	if s.tries {
		return s.writeAllSocket(p, timeout)
	}
	piece := writePiece
	if _, ok := s.end.unwrap().(*tls.Conn); ok {
		piece = writePieceTLS
	}
	start := time.Now()
	for written := 0; written < len(p); {
		left := allowance(timeout, written, time.Since(start))
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		n, err := s.writePiece(p[written:min(len(p), written+piece)], left)
		if n == 0 && err == nil { // it would go on for ever
			err = io.ErrNoProgress
		}
		if err != nil {
			return err
		}
		written += n
	}
	if s.writes { // a deadline that has passed would stop TryWrite
		s.end.SetWriteDeadline(time.Time{})
	}
	return nil
}

// writeAllSocket is WriteAll for a socket. It waits for room as long as allowance says.
func (s *Stream) writeAllSocket(p []byte, timeout time.Duration) error {
	var start time.Time // of the first wait
	for written := 0; ; {
		waited := !start.IsZero()
		n, err := s.end.write(p[written:], waited)
		if written += n; err != nil || written == len(p) {
			if waited && timeout < Forever { // a deadline that has passed would stop TryWrite
				s.end.SetWriteDeadline(time.Time{})
			}
			return err
		}
		now := time.Now()
		if !waited {
			start = now
		}
		if left := allowance(timeout, written, now.Sub(start)); left < Forever {
			s.end.SetWriteDeadline(now.Add(left))
		}
	}
}

// allowance returns how long a write that began elapsed ago, of which written
// bytes have gone out, may wait for the next one: for timeout, but no longer
// than until timeout and a second for each KiB have passed. A peer that takes a
// byte now and then could hold a connection for days otherwise.
func allowance(timeout time.Duration, written int, elapsed time.Duration) time.Duration {
	if timeout >= Forever {
		return Forever
	}
	return min(timeout, timeout+time.Duration(written>>10)*time.Second-elapsed)
}

// writePiece writes p, within timeout, or what of it goes in that time.
func (s *Stream) writePiece(p []byte, timeout time.Duration) (int, error) {
	if timeout >= Forever {
		return s.end.Write(p)
	}
	limit := s.limit(timeout, s.end.SetWriteDeadline, s.stall)
	n, err := s.end.Write(p)
	if passed := limit.stop(); passed && err != nil {
		return n, os.ErrDeadlineExceeded
	}
	if _, ok := s.end.unwrap().(*tls.Conn); n > 0 && !ok && errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil // that is progress; over TLS a deadline that has passed is final
	}
	return n, err
}
