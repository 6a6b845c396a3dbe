package stream

import (
	"net"

	"github.com/parleyws/parley/internal/loop"
)

// A looped is a socket that a loop has taken over.
type looped struct{ *loop.Socket }

// read implements endpoint.
func (l looped) read(s *Stream, p []byte, release, try bool) (n int, again bool, err error) {
	for {
		n, again, err = l.TryRead(p)
		if !again || try {
			return n, again, err
		}
		if release {
			s.Drop()
		}
		if err := l.WaitRead(); err != nil || release {
			return 0, false, err
		}
	}
}

// write implements endpoint.
func (l looped) write(p []byte, wait bool) (int, error) {
	if wait {
		return l.WriteSome(p)
	}
	return l.TryWrite(p)
}

// control implements endpoint.
func (l looped) control(f func(fd uintptr)) error { return l.Control(f) }

// unwrap implements endpoint.
func (l looped) unwrap() net.Conn { return l.Socket }
