package handshake

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A pump adds read deadlines to a stream whose reads can't be interrupted. The
// stream is read in a goroutine. When the deadline passes, Read returns while that
// goroutine keeps waiting, and the next call of Read gets what it brings. So no
// byte is lost, and no read of the stream ever fails because of a deadline.
//
// The states of a pump:
//
//	idle     no read of the stream is under way, and nothing is left of the last one
//	reading  a goroutine waits in the stream's Read, and ends when that returns
//	done     the stream's Read has returned; data, err and panicked are its outcome
//
// Read goes from idle to reading, the goroutine goes to done, and Read goes back
// to idle when it has returned the whole outcome.
type pump struct {
	in io.Reader // the stream

	mu       sync.Mutex
	changed  sync.Cond // with mu; state, passed or closed has changed
	state    pumpState
	buf      []byte      // memory for reads; the goroutine owns it while reading
	data     []byte      // the part of buf that is still to be returned
	err      error       // of the stream, to be returned after data
	panicked any         // what the stream's Read panicked with
	excused  bool        // if the read under way fails at a deadline, read again
	closed   bool        // close was called
	passed   bool        // the deadline has passed
	timer    *time.Timer // sets passed; nil if the deadline is not in the future
}

type pumpState uint8

const (
	pumpIdle pumpState = iota
	pumpReading
	pumpDone
)

// pumpBytes is the most that the pump asks of the stream at once.
const pumpBytes = 16 << 10

func newPump(in io.Reader) *pump {
	p := &pump{in: in}
	p.changed.L = &p.mu
	return p
}

// errOverdue is the error of Read after the deadline. It is a timeout, and not
// equal to any error of the stream.
var errOverdue = &net.OpError{Op: "read", Net: "websocket", Err: os.ErrDeadlineExceeded}

// Read implements io.Reader. It returns errOverdue if the deadline has passed and
// no read is done, and net.ErrClosed after close. If the stream's Read panics, Read
// panics with the same value.
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

// take returns the outcome of a read that is done. The caller holds mu.
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

// start starts a read of up to n bytes. The caller holds mu.
func (p *pump) start(n int) {
	n = min(n, pumpBytes)
	if cap(p.buf) < n {
		p.buf = make([]byte, n)
	}
	p.state = pumpReading
	go p.read(p.buf[:n])
}

// read reads from the stream once, in a goroutine of its own.
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

// errReadLeft is the outcome of a Read that calls runtime.Goexit.
var errReadLeft = errors.New("websocket: read has ended its goroutine")

// excuse makes the pump read again if the last read of the stream fails at a
// deadline of the stream itself, or has done so.
func (p *pump) excuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.excused = true; p.state == pumpDone {
		p.forgive()
	}
}

// forgive applies excuse to a read that is done. The caller holds mu.
func (p *pump) forgive() {
	p.excused = false
	if len(p.data) == 0 && p.panicked == nil && errors.Is(p.err, os.ErrDeadlineExceeded) {
		p.state, p.err = pumpIdle, nil
	}
}

// setDeadline sets the deadline; the zero time is none. It applies to a Read that
// waits, too.
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
		if p.timer == timer { // else there is another deadline by now
			p.pass()
		}
	})
	p.timer = timer
}

// pass makes the deadline pass. The caller holds mu.
func (p *pump) pass() {
	p.passed = true
	p.changed.Broadcast()
}

// close makes all calls of Read return. It does not close the stream.
func (p *pump) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.changed.Broadcast()
}
