package conn

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/parleyws/parley/conn/internal/message"
	"github.com/parleyws/parley/frame"
)

// control deals with the control frame e (RFC 6455, section 5.5). more tells that
// bytes have come after it. An error ends the read.
func (in *inbound) control(e message.Event, more bool) error {
	c := in.c
	p := e.Payload
	switch e.Opcode {
	case frame.Ping: // section 5.5.2
		if in.pings == nil {
			in.pings = &bucket{left: bucketSize}
		}
		if !in.pings.take(time.Now()) {
			return in.fail(errPings)
		}
		c.out.control(frame.Pong, p, more)
	case frame.Pong: // section 5.5.3
		if ping := c.ping.Load(); ping != nil {
			ping.answered(p)
		}
	case frame.Close: // section 5.5.1
		code, reason, err := frame.ParseClose(p)
		if err != nil {
			return in.fail(err)
		}
		// The answer repeats the code; the reason is the peer's own business.
		in.shut(peerClose, &CloseError{code, reason}, code, "")
		return c.end.err()
	}
	return nil
}

// control sends a control frame, at once unless hold is set, which the reader
// does when it has more octets at hand. It never blocks. While writing blocks,
// of several Pongs only the latest is kept (RFC 6455, section 5.5.3).
func (o *outbound) control(op frame.Opcode, p []byte, hold bool) error {
	o.lock()
	defer o.unlock()
	if o.closed() {
		return o.ended()
	}
	h := frame.Header{Fin: true, Opcode: op, Length: int64(len(p))}
	if o.mid || op == frame.Pong && o.pending.len() >= maxBatch {
		o.pending.later(op, o.encode(h, p))
		return nil
	}
	b := o.pending.reserve(frame.MaxHeaderLen + len(p))
	b.B = o.append(b.B, &h, p)
	if hold && !o.writing {
		o.startFlusher()
		return nil
	}
	return o.push(false)
}

// A bucket bounds how many Pings are answered: so many at once, and so many a
// second for good. It is pure: the time comes with each call.
type bucket struct {
	left float64
	at   time.Time
}

const (
	bucketSize = 1000
	bucketRate = 100 // a second
)

// take takes one out of the bucket, at a time that is not before that of the
// last call. It returns false when the bucket is empty.
func (b *bucket) take(now time.Time) bool {
	if now.After(b.at) {
		b.left = min(bucketSize, b.left+now.Sub(b.at).Seconds()*bucketRate)
		b.at = now
	}
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// A pinger knows the Pings that wait for their Pong. Each has a number of its
// own as its payload. A Pong answers its Ping and all that were sent before
// it (RFC 6455, section 5.5.3).
type pinger struct {
	mu    sync.Mutex
	last  uint64
	waits map[uint64]chan struct{}
}

// pingSize is the length of our Pings' payload in octets.
const pingSize = 8

// Ping sends a Ping and waits for its Pong, which a read must receive: some
// goroutine has to be reading. It returns when the Pong comes, ctx ends, or
// the connection does.
func (c *Conn) Ping(ctx context.Context) error {
	if err := contextError("ping", ctx); err != nil {
		return err
	}
	c.ping.CompareAndSwap(nil, &pinger{})
	ping := c.ping.Load()
	number, pong := ping.next()
	defer ping.forget(number)
	var p [pingSize]byte
	binary.BigEndian.PutUint64(p[:], number)
	if err := c.out.control(frame.Ping, p[:], false); err != nil {
		return err
	}
	select {
	case <-pong:
		return nil
	case <-c.end.done():
		return c.end.err()
	case <-ctx.Done():
		return contextError("ping", ctx)
	}
}

// next returns the number of a new Ping and the channel that its Pong closes.
func (p *pinger) next() (uint64, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits == nil {
		p.waits = make(map[uint64]chan struct{})
	}
	p.last++
	pong := make(chan struct{})
	p.waits[p.last] = pong
	return p.last, pong
}

func (p *pinger) forget(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waits, number)
}

// answered takes note of a Pong. One that nobody waits for is legal.
func (p *pinger) answered(payload []byte) {
	if len(payload) != pingSize {
		return
	}
	number := binary.BigEndian.Uint64(payload)
	p.mu.Lock()
	defer p.mu.Unlock()
	if number > p.last {
		return
	}
	for n, pong := range p.waits {
		if n <= number {
			close(pong)
			delete(p.waits, n)
		}
	}
}
