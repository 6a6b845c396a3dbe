package conn

import (
	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
)

// pending is what is to be sent, in its order: bytes of our own, and frames
// that are shared with other connections and only referred to. It is guarded
// by outbound.mu and does no I/O.
//
// Positions count our own bytes from the first one that was ever appended. A
// shared frame is sent before the byte at its position:
//
//	        base         base+head                         end
//	own      | taken      | to be taken                     |  room
//	shared                   ^ at     ^ at ^ at             ^ at
type pending struct {
	own    *pool.Buffer // own.B[head:] are our own bytes; nil while there are none
	head   int
	base   int64  // position of own.B[0]
	shared *queue // nil: none was ever queued
	late   *late  // what can't be appended yet; nil while there is nothing
}

// late is what has to wait.
type late struct {
	parked queue  // shared frames that wait for the end of a message
	pong   []byte // control frames that wait for the end of a frame: the latest Pong,
	others []byte // and all others
}

// len returns the number of bytes that can be taken.
func (p *pending) len() int {
	_, n := p.shared.size()
	if p.own != nil {
		n += len(p.own.B) - p.head
	}
	return n
}

// empty reports whether there is nothing to take. Something may wait still.
func (p *pending) empty() bool { return p.len() == 0 }

// end returns the position after our last byte.
func (p *pending) end() int64 {
	if p.own == nil {
		return p.base
	}
	return p.base + int64(len(p.own.B))
}

// taken returns the position up to which our own bytes have been taken.
func (p *pending) taken() int64 { return p.base + int64(p.head) }

// reserve returns the buffer of our own bytes, with room for n more.
func (p *pending) reserve(n int) *pool.Buffer {
	if p.own == nil {
		p.own = pool.Get(n)
		return p.own
	}
	if cap(p.own.B)-len(p.own.B) < n {
		p.makeRoom(n)
	}
	return p.own
}

// makeRoom makes room for n bytes after those that are there. What has been
// taken makes place first, once it is the larger part: so no byte is moved more
// than once for each one taken, and the buffer stays within twice of what it
// holds.
func (p *pending) makeRoom(n int) {
	left := len(p.own.B) - p.head
	if p.head >= left {
		copy(p.own.B, p.own.B[p.head:])
		p.own.B = p.own.B[:left]
		p.base, p.head = p.taken(), 0
	}
	p.own = pool.Grow(p.own, len(p.own.B)+n)
}

// share appends a shared frame.
func (p *pending) share(f sharedFrame) {
	if p.shared == nil {
		p.shared = &queue{}
	}
	f.at = p.end()
	p.shared.push(f)
}

// wait returns late, for adding to it.
func (p *pending) wait() *late {
	if p.late == nil {
		p.late = &late{}
	}
	return p.late
}

// park keeps a shared frame for the end of the message that is half sent.
func (p *pending) park(f sharedFrame) { p.wait().parked.push(f) }

// unpark appends the shared frames that waited for that.
func (p *pending) unpark() {
	if p.late == nil {
		return
	}
	for p.late.parked.count > 0 {
		p.share(p.late.parked.pop())
	}
	p.forgetLate()
}

// later keeps a control frame for the end of the frame that is half appended,
// or a Pong for when there is room. Of several Pongs it keeps the latest (RFC
// 6455, section 5.5.3).
func (p *pending) later(op frame.Opcode, b []byte) {
	l := p.wait()
	if op == frame.Pong {
		l.pong = b
	} else {
		l.others = append(l.others, b...)
	}
}

// endFrame appends the control frames that were kept.
func (p *pending) endFrame() {
	l := p.late
	if l == nil || len(l.pong)+len(l.others) == 0 {
		return
	}
	b := p.reserve(len(l.pong) + len(l.others))
	b.B = append(append(b.B, l.pong...), l.others...)
	l.pong, l.others = nil, nil
	p.forgetLate()
}

// forgetLate lets go of late if nothing waits.
func (p *pending) forgetLate() {
	if l := p.late; l.parked.count == 0 && len(l.pong)+len(l.others) == 0 {
		p.late = nil
	}
}

// gatherLimit is the length of a shared frame from which on it is written by
// itself. Copying a shorter one costs less than a write.
const gatherLimit = 4 << 10

// take returns the bytes that are to be written next, which are no longer
// pending, and the buffer that they lie in, nil if they are a shared frame.
func (p *pending) take() ([]byte, *pool.Buffer) {
	frames, _ := p.shared.size()
	if frames == 0 {
		return p.takeOwn()
	}
	first := p.shared.first()
	alone := frames == 1 && p.taken() == p.end()
	if first.at == p.taken() && (len(first.p) >= gatherLimit || alone) {
		return p.shared.pop().p, nil
	}
	g := pool.Get(pool.Large)
	p.gather(g)
	p.tidy()
	return g.B, g
}

// takeOwn takes all of our own bytes, with their buffer.
func (p *pending) takeOwn() ([]byte, *pool.Buffer) {
	b, head := p.own, p.head
	if b == nil {
		return nil, nil
	}
	p.base, p.own, p.head = p.end(), nil, 0
	return b.B[head:], b
}

// gather moves bytes and short shared frames to g, up to a batch.
func (p *pending) gather(g *pool.Buffer) {
	for {
		end := p.end()
		if p.shared.count > 0 {
			end = p.shared.first().at
		}
		if n := min(int(end-p.taken()), maxBatch-len(g.B)); n > 0 {
			g.B = append(g.B, p.own.B[p.head:p.head+n]...)
			p.head += n
		}
		if p.shared.count == 0 {
			return
		}
		// Where some of our own bytes are left before it the batch is full, and no frame is empty.
		if n := len(p.shared.first().p); n >= gatherLimit || len(g.B)+n > maxBatch {
			return
		}
		g.B = append(g.B, p.shared.pop().p...)
	}
}

// tidy gives the buffer of our own bytes back once all have been taken.
func (p *pending) tidy() {
	if p.own != nil && p.head == len(p.own.B) {
		_, b := p.takeOwn()
		pool.Put(b)
	}
}

// forget drops all that has not been taken, and does not count as taken.
func (p *pending) forget() {
	own := p.own
	*p = pending{base: p.taken()}
	pool.Put(own)
}

// queued returns how many shared frames are queued, and how many bytes of them.
func (p *pending) queued() (frames, bytes int) {
	frames, bytes = p.shared.size()
	if p.late != nil {
		f, b := p.late.parked.size()
		frames, bytes = frames+f, bytes+b
	}
	return frames, bytes
}

// dropOldest forgets the message of Send that was queued first, and reports
// whether there was one.
func (p *pending) dropOldest() bool {
	return p.shared.dropOldest() || p.late != nil && p.late.parked.dropOldest()
}
