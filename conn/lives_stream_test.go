package conn_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/internal/pipe"
)

// A lifeKind is a kind of stream.
type lifeKind uint8

const (
	lifePipe      lifeKind = iota
	lifeTried              // a write can be tried
	lifeOctetwise          // reads and writes go octet by octet
	lifeTimeless           // there are no deadlines
	lifeLiar               // deadlines do nothing
	lifeLooped             // a loop serves it
	lifeKinds     = int(lifeLooped) + 1
)

func (k lifeKind) String() string {
	return [...]string{"pipe", "tried", "octetwise", "timeless", "liar", "looped"}[k]
}

// grace is how much longer a call may take than its ctx where deadlines do not
// work.
func (k lifeKind) grace() time.Duration {
	if k == lifeTimeless || k == lifeLiar {
		return time.Second
	}
	return 0
}

// A lifeStream is our end of a pipe, of one of the kinds of streams. It notes
// what passes and when, and fails when it is told to.
type lifeStream struct {
	net.Conn
	kind  lifeKind
	role  conn.Role // ours
	size  int
	start time.Time
	taken atomic.Int64 // by the peer: bytes that have left the pipe

	mu       sync.Mutex
	fault    error // of reads and writes from now on
	mute     error // of writes
	closed   bool  // by us
	in, out  passage
	wrote    []byte // what has gone out
	readEnd  moment // when a read told of the stream's end, or its failure
	readErr  error
	writeEnd moment // when a write failed
	blocked  time.Duration
}

// A moment is a time since the beginning of a life; never if it has not come.
type moment = time.Duration

const never = moment(1 << 62)

// A passage notes up to which position bytes had passed at which time.
type passage []struct {
	at  moment
	pos int
}

func (p *passage) add(at moment, n int) {
	last := len(*p) - 1
	switch {
	case n <= 0:
	case last >= 0 && (*p)[last].at == at:
		(*p)[last].pos += n
	default:
		*p = append(*p, struct {
			at  moment
			pos int
		}{at, p.total() + n})
	}
}

func (p passage) total() int {
	if len(p) == 0 {
		return 0
	}
	return p[len(p)-1].pos
}

// when returns when the byte before pos had passed.
func (p passage) when(pos int) moment {
	for _, m := range p {
		if m.pos >= pos {
			return m.at
		}
	}
	return never
}

// stalled reports whether nothing had passed for d at t, but for what a write that was given
// up at t had got rid of.
func (p passage) stalled(d time.Duration, t moment) bool {
	before := moment(0)
	for _, m := range p {
		if m.at < t {
			before = m.at
		}
	}
	return t >= before+d
}

// last returns when the last byte passed that had by t.
func (p passage) last(t moment) (at moment) {
	for _, m := range p {
		if m.at <= t {
			at = m.at
		}
	}
	return at
}

func (s *lifeStream) now() moment { return time.Since(s.start) }

// conn returns s as a net.Conn that has the methods of its kind.
func (s *lifeStream) conn() net.Conn {
	switch s.kind {
	case lifeTried:
		return lifeTrier{s}
	case lifeLooped:
		return lifeLooper{s}
	case lifeTimeless:
		return struct{ net.Conn }{s} // it can't be closed in one direction
	}
	return s
}

func (s *lifeStream) Read(p []byte) (int, error) {
	if s.kind == lifeOctetwise {
		p = p[:min(1, len(p))]
	}
	n, err := s.Conn.Read(p)
	return s.read(n, err)
}

// read takes note of a read.
func (s *lifeStream) read(n int, err error) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 && err != nil && s.fault != nil && !s.closed {
		err = s.fault
	}
	s.in.add(s.now(), n)
	if timeout, ok := errors.AsType[net.Error](err); err != nil && !s.closed && (!ok || !timeout.Timeout()) && s.readEnd == never {
		s.readEnd, s.readErr = s.now(), err
	}
	return n, err
}

func (s *lifeStream) Write(p []byte) (n int, err error) {
	if s.kind != lifeOctetwise {
		return s.write(p)
	}
	for n < len(p) && err == nil {
		var m int
		m, err = s.write(p[n : n+1])
		n += m
	}
	return n, err
}

func (s *lifeStream) write(p []byte) (int, error) {
	begin := s.now()
	n, err := 0, s.failure()
	if err == nil {
		if s.kind == lifeLooped {
			n, err = pipe.TryWrite(s.Conn, p)
		} else {
			n, err = s.Conn.Write(p)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.fault != nil {
			err = s.fault
		} else if s.mute != nil {
			err = s.mute
		}
		late := errors.Is(err, os.ErrDeadlineExceeded) && (n > 0 || s.kind == lifeOctetwise) // there was progress, maybe
		if !s.closed && !late && s.writeEnd == never {
			s.writeEnd = s.now()
		}
	}
	s.blocked = max(s.blocked, s.now()-begin)
	s.wrote = append(s.wrote, p[:n]...)
	s.out.add(s.now(), n)
	return n, err
}

// failure returns why a write can't begin.
func (s *lifeStream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	return s.mute
}

func (s *lifeStream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.Conn.Close()
}

func (s *lifeStream) CloseWrite() error { return s.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// past is a deadline that has passed.
var lifePast = time.Unix(1, 0)

// reset fails reads and writes from now on, as a reset of a TCP connection does.
func (s *lifeStream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = syscall.ECONNRESET
	s.Conn.SetDeadline(lifePast)
}

// failWrites fails writes from now on.
func (s *lifeStream) failWrites() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mute == nil {
		s.mute = syscall.EPIPE
		s.Conn.SetWriteDeadline(lifePast)
	}
}

func (s *lifeStream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *lifeStream) SetReadDeadline(t time.Time) error {
	return s.deadline(func() bool { return s.fault != nil }, s.Conn.SetReadDeadline, t)
}

func (s *lifeStream) SetWriteDeadline(t time.Time) error {
	return s.deadline(func() bool { return s.fault != nil || s.mute != nil }, s.Conn.SetWriteDeadline, t)
}

func (s *lifeStream) deadline(failed func() bool, set func(time.Time) error, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.kind == lifeTimeless:
		return errors.ErrUnsupported
	case s.kind == lifeLiar, failed():
		return nil
	}
	return set(t)
}

// A lifeTrier is a lifeStream to which a write can be tried.
type lifeTrier struct{ *lifeStream }

// TryWrite takes what there is room for.
func (s lifeTrier) TryWrite(p []byte) (int, error) {
	s.mu.Lock()
	room := s.size - (s.out.total() - int(s.taken.Load()))
	s.mu.Unlock()
	if p = p[:min(len(p), max(room, 0))]; len(p) == 0 {
		return 0, s.failure()
	}
	return s.Write(p)
}

// A lifeLooper is a lifeStream that a loop may serve.
type lifeLooper struct{ *lifeStream }

func (s lifeLooper) Unwrap() net.Conn { return s.Conn }

// TryRead reads what there is.
func (s lifeLooper) TryRead(p []byte) (n int, again bool, err error) {
	s.mu.Lock()
	err = s.fault
	s.mu.Unlock()
	if err == nil {
		n, again, err = pipe.TryRead(s.Conn, p)
	}
	if !again && n == 0 && err == nil {
		s.read(0, io.EOF)
		return 0, false, nil
	}
	if !again {
		n, err = s.read(n, err)
	}
	return n, again, err
}

// TryWrite takes what there is room for.
func (s lifeLooper) TryWrite(p []byte) (int, error) { return s.write(p) }
