package suite

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"net"
	"runtime"
	"time"

	"github.com/parleyws/parley/frame"
)

const (
	handshakeTime = 10 * time.Second
	// dropTime is how long a peer may take to end its stream after both Close frames.
	dropTime = time.Second
)

// A fuzzer is one end of a connection, with a script. The goroutine that runs the case
// owns it. The reader has its own goroutine, which ends when the stream ends.
type fuzzer struct {
	c      Case
	o      *Options
	client bool
	nc     net.Conn
	in     *bufio.Reader

	agreed *agreement // terms of permessage-deflate; nil if there are none
	squash *deflater  // compresses messages; nil if they are not compressed
	wire   []byte     // buffer of a write, reused by the next

	arrivals <-chan found
	deadline time.Time // deadline of the case, and later of the end of the stream
	inFrame  bool      // a frame is written only in part
	broken   bool      // a write has failed, and all later ones are skipped
	over     bool      // the connection has ended

	outcome
}

func newFuzzer(nc net.Conn, c Case, o *Options, client bool) *fuzzer {
	return &fuzzer{c: c, o: o, client: client, nc: nc, in: bufio.NewReaderSize(nc, 16<<10)}
}

func (f *fuzzer) run() {
	defer f.nc.Close()
	f.nc.SetDeadline(time.Now().Add(handshakeTime))
	f.handshake = f.shakeHands()
	if f.handshake != nil {
		return
	}
	f.nc.SetDeadline(time.Time{})
	arrivals := make(chan found, 16)
	f.arrivals = arrivals
	go newReader(f).run(arrivals)
	limit := f.c.limit
	if limit == 0 {
		limit = time.Second
	}
	f.deadline = time.Now().Add(limit)
	if f.c.traffic != nil {
		f.converse(f.c.traffic)
	} else {
		f.play()
	}
	f.settle()
	f.nc.Close()
	for range arrivals { // wait until the reader has seen the end
	}
}

func (f *fuzzer) shakeHands() error {
	if f.client {
		return f.openAsClient()
	}
	return f.openAsServer()
}

// play sends the script until the script or the connection ends.
func (f *fuzzer) play() {
	for _, s := range f.c.steps {
		if f.over || f.peerClose != nil {
			return
		}
		if s.cuts != nil {
			f.sendInParts(s)
			continue
		}
		for _, p := range s.pieces {
			f.queue(p, s.how)
		}
		f.flush(s.how)
		f.pause(s)
	}
}

// pause waits for the number of events that s wants, or until the time of s has passed.
func (f *fuzzer) pause(s step) {
	until := f.deadline
	if s.wait > 0 {
		until = time.Now().Add(s.wait)
	} else if s.await == 0 {
		return
	}
	for !f.over && f.peerClose == nil && (s.await == 0 || len(f.events) < s.await) {
		if f.next(until) {
			continue
		}
		if s.await > 0 {
			f.missed = fmt.Sprintf("%d events expected before the next step, got %v", s.await, f.events)
		} else {
			f.events = append(f.events, arrival{event: waited})
		}
		return
	}
}

// settle closes when all events have come, and waits for the end of the connection.
func (f *fuzzer) settle() {
	for !f.over {
		if f.complete() {
			f.close(frame.StatusNormalClosure)
		}
		if f.next(f.deadline) {
			continue
		}
		f.late = true
		if f.sentClose {
			f.dropped, f.over = true, true
		} else {
			f.close(frame.StatusGoingAway)
		}
	}
}

// complete reports whether it is the fuzzer's turn to close.
func (f *fuzzer) complete() bool {
	if f.c.ending.byPeer || f.sentClose {
		return false
	}
	return f.c.traffic != nil || same(f.events, f.c.ok, f.c.lengthOnly && f.o.Mode == ModeSuite)
}

// next waits for the next arrival and reports whether it came in time.
func (f *fuzzer) next(until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case a := <-f.arrivals:
		f.take(a)
		return true
	case <-timer.C:
		return false
	}
}

func (f *fuzzer) take(a found) {
	switch {
	case a.violation != nil:
		f.violation, f.over = a.violation, true
	case a.end != nil:
		f.end, f.behind, f.over = a.end, a.behind, true
	case a.op == frame.Ping:
		if !f.sentClose && !f.inFrame {
			f.queue(piece{op: frame.Pong, data: octets(string(a.data))}, burst)
			f.flush(burst)
		}
	case a.op == frame.Pong:
		f.events = append(f.events, arrival{event: ponged, data: a.data})
	case a.op == frame.Close:
		f.takeClose(a.data)
	default:
		f.events = append(f.events, arrival{op: a.op, data: a.data})
	}
}

// takeClose completes the closing handshake. A server then drops the connection, and a
// client waits until the server does (RFC 6455, section 7.1.1).
func (f *fuzzer) takeClose(payload []byte) {
	f.peerClose = &closeFrame{empty: len(payload) == 0}
	if len(payload) >= 2 {
		f.peerClose.code = frame.StatusCode(payload[0])<<8 | frame.StatusCode(payload[1])
	}
	if f.closedByUs {
		f.deadline = time.Now().Add(dropTime)
	}
	if !f.sentClose {
		f.queue(closing(frame.StatusNormalClosure, ""), burst)
		f.flush(burst)
	}
	if f.client {
		return
	}
	f.deadline = time.Now().Add(dropTime)
	if half, ok := f.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	} else {
		f.nc.Close()
	}
}

// close starts the closing handshake.
func (f *fuzzer) close(code frame.StatusCode) {
	f.queue(closing(code, ""), burst)
	f.flush(burst)
	f.deadline = time.Now().Add(dropTime)
}

// turn lets the endpoint read the bytes that have been written.
func (f *fuzzer) turn() {
	if f.o.Turn != nil {
		f.o.Turn()
	} else {
		runtime.Gosched()
	}
}

func (f *fuzzer) maskKey() (key [4]byte) {
	if f.o.MaskKey != nil {
		return f.o.MaskKey()
	}
	rand.Read(key[:])
	return key
}
