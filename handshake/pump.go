package handshake

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A pump reads from a stream whose reads can't be interrupted, and gives up at a
// deadline all the same: the read that is under way then goes on in a goroutine,
// and what it brings belongs to the next call of Read. No byte is lost, and the
// stream never sees a read fail that it could have completed.
//
// A read is in one of three states:
//
//	idle     no read is under way and nothing is left of the last one
//	reading  a goroutine waits in the stream's Read; it ends when that returns
//	done     that Read has returned; data, err and panicked are what it brought
//
// Read moves from idle to reading, the goroutine to done, and Read back to idle
// once it has handed out everything.
type pump struct {
	in io.Reader

	mu       sync.Mutex
	changed  sync.Cond // the state, the deadline or closed has changed; uses mu
	state    pumpState
	buf      []byte // memory for reads; the goroutine's while reading
	data     []byte // part of buf
	err      error
	panicked any
	excused  bool // a deadline error of the read under way is not the caller's
	closed   bool

	passed bool        // the deadline
	timer  *time.Timer // that makes it pass; nil if it is not in the future
}

type pumpState uint8

const (
	pumpIdle pumpState = iota
	pumpReading
	pumpDone
)

// pumpBytes is the most that one read of the stream asks for.
const pumpBytes = 16 << 10

func newPump(in io.Reader) *pump {
	p := &pump{in: in}
	p.changed.L = &p.mu
	return p
}

// errOverdue is what Read returns when the deadline has passed: a timeout, and
// unlike any error of the stream itself.
var errOverdue = &net.OpError{Op: "read", Net: "websocket", Err: os.ErrDeadlineExceeded}

// Read implements io.Reader. It fails with errOverdue once the deadline has
// passed and nothing is left of the last read, and with net.ErrClosed once close
// was called. A panic of the stream's Read comes out here.
func (p *pump) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return 0, net.ErrClosed
		case p.state == pumpDone:
			return p.take(b)
		case p.passed:
			return 0, errOverdue
		case len(b) == 0:
			return 0, nil
		case p.state == pumpIdle:
			p.start(len(b))
		}
		p.changed.Wait()
	}
}

// take hands out what a read has brought.
func (p *pump) take(b []byte) (n int, err error) {
	if v := p.panicked; v != nil {
		p.state, p.panicked = pumpIdle, nil
		panic(v)
	}
	n = copy(b, p.data)
	if p.data = p.data[n:]; len(p.data) > 0 {
		return n, nil
	}
	err = p.err
	p.state, p.data, p.err = pumpIdle, nil, nil
	return n, err
}

// start reads in a goroutine, up to n bytes.
func (p *pump) start(n int) {
	n = min(n, pumpBytes)
	if cap(p.buf) < n {
		p.buf = make([]byte, n)
	}
	p.state = pumpReading
	go p.read(p.buf[:n])
}

// read is that goroutine.
func (p *pump) read(b []byte) {
	n, err := 0, errReadLeft
	defer func() {
		v := recover()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.state, p.data, p.err, p.panicked = pumpDone, b[:n], err, v
		if p.excused {
			p.forgive()
		}
		p.changed.Broadcast()
	}()
	n, err = p.in.Read(b)
}

// errReadLeft is a Read that neither returned nor panicked: it ended its
// goroutine.
var errReadLeft = errors.New("websocket: read has ended its goroutine")

// excuse makes Read start anew should the last read end, or have ended, at a
// deadline of the stream.
func (p *pump) excuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.excused = true; p.state == pumpDone {
		p.forgive()
	}
}

// forgive applies excuse to a read that is done. Called with mu held.
func (p *pump) forgive() {
	p.excused = false
	if len(p.data) == 0 && p.panicked == nil && errors.Is(p.err, os.ErrDeadlineExceeded) {
		p.state, p.err = pumpIdle, nil
	}
}

// setDeadline moves the deadline to t; the zero time takes it away. A Read that
// waits follows it.
func (p *pump) setDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.passed = false
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		p.pass()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.timer == timer { // else the deadline has been moved meanwhile
			p.pass()
		}
	})
	p.timer = timer
}

// pass makes the deadline pass. Called with mu held.
func (p *pump) pass() {
	p.passed = true
	p.changed.Broadcast()
}

// close ends all calls of Read. It does not close the stream.
func (p *pump) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.changed.Broadcast()
}
