package conn

import (
	"slices"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
)

// pending is what is to be sent, in its order: octets of our own, and frames
// that are shared with other connections and only referred to. It is guarded
// by outbound.mu and does no I/O.
type pending struct {
	buf  *pool.Buffer // our own octets; nil while there are none
	head int          // how many of them have been taken
	refs refs         // shared frames, each with its place among them
	late *late        // what has to wait; nil while there is nothing
}

// late is what can't be appended yet.
type late struct {
	parked refs   // shared frames that wait for the end of a message
	pong   []byte // control frames that wait for the end of a frame: the latest Pong,
	others []byte // and all others
}

// A ref is a shared frame and its place among the octets of buf.
type ref struct {
	at   int
	p    []byte
	sent bool // by Send: may be dropped
}

// refs is a queue of them.
type refs struct {
	list  []ref
	first int
	bytes int
}

func (r *refs) len() int { return len(r.list) - r.first }

func (r *refs) push(x ref) {
	r.list = append(r.list, x)
	r.bytes += len(x.p)
}

func (r *refs) pop() ref {
	x := r.list[r.first]
	r.list[r.first].p = nil
	r.bytes -= len(x.p)
	if r.first++; r.first == len(r.list) {
		r.clear()
	}
	return x
}

// dropOldest removes the first frame that may be dropped, if there is one.
func (r *refs) dropOldest() bool {
	for i := r.first; i < len(r.list); i++ {
		if r.list[i].sent {
			r.bytes -= len(r.list[i].p)
			r.list = slices.Delete(r.list, i, i+1)
			return true
		}
	}
	return false
}

// clear empties the queue. A long one is let go of.
func (r *refs) clear() {
	clear(r.list)
	if r.list = r.list[:0]; cap(r.list) > 8 {
		r.list = nil
	}
	r.first, r.bytes = 0, 0
}

// len returns the number of octets that can be taken.
func (p *pending) len() int {
	n := p.refs.bytes
	if p.buf != nil {
		n += len(p.buf.B) - p.head
	}
	return n
}

// reserve returns the buffer of our own octets, with room for n more.
func (p *pending) reserve(n int) *pool.Buffer {
	if p.buf == nil || cap(p.buf.B)-len(p.buf.B) < n {
		p.grow(n)
	}
	return p.buf
}

func (p *pending) grow(n int) {
	if p.buf != nil {
		n += len(p.buf.B)
	}
	p.buf = pool.Grow(p.buf, n)
}

// share appends a shared frame.
func (p *pending) share(x ref) {
	x.at = 0
	if p.buf != nil {
		x.at = len(p.buf.B)
	}
	p.refs.push(x)
}

// wait returns late, for adding to it.
func (p *pending) wait() *late {
	if p.late == nil {
		p.late = &late{}
	}
	return p.late
}

// park keeps a shared frame for the end of the message that is half sent.
func (p *pending) park(x ref) { p.wait().parked.push(x) }

// unpark appends the shared frames that waited for that.
func (p *pending) unpark() {
	if p.late == nil {
		return
	}
	for p.late.parked.len() > 0 {
		p.share(p.late.parked.pop())
	}
	p.late = nil
}

// later keeps a control frame for the end of the frame that is half appended.
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
	if l.parked.len() == 0 {
		p.late = nil
	}
}

// gatherLimit is the length of a shared frame from which on it is written by
// itself. Copying a shorter one costs less than a write.
const gatherLimit = 4 << 10

// take returns the octets that are to be written next, which are no longer
// pending, and the buffer that they lie in, nil if they are a shared frame.
func (p *pending) take() ([]byte, *pool.Buffer) {
	if p.refs.len() == 0 {
		b, head := p.buf, p.head
		p.buf, p.head = nil, 0
		return b.B[head:], b
	}
	own := 0
	if p.buf != nil {
		own = len(p.buf.B) - p.head
	}
	if first := p.refs.list[p.refs.first]; first.at == p.head && (len(first.p) >= gatherLimit || own == 0 && p.refs.len() == 1) {
		b := p.refs.pop().p
		p.tidy()
		return b, nil
	}
	g := pool.Get(pool.Large)
	p.gather(g)
	p.tidy()
	return g.B, g
}

// gather moves octets and short shared frames to g, up to a batch.
func (p *pending) gather(g *pool.Buffer) {
	for {
		end := 0
		if p.buf != nil {
			end = len(p.buf.B)
		}
		if p.refs.len() > 0 {
			end = p.refs.list[p.refs.first].at
		}
		if n := min(end-p.head, maxBatch-len(g.B)); n > 0 {
			g.B = append(g.B, p.buf.B[p.head:p.head+n]...)
			p.head += n
		}
		if p.head < end || p.refs.len() == 0 {
			return
		}
		if n := len(p.refs.list[p.refs.first].p); n >= gatherLimit || len(g.B)+n > maxBatch {
			return
		}
		g.B = append(g.B, p.refs.pop().p...)
	}
}

// tidy gives the buffer back once all of it has been taken.
func (p *pending) tidy() {
	if p.buf != nil && p.head == len(p.buf.B) && p.refs.len() == 0 {
		pool.Put(p.buf)
		p.buf, p.head = nil, 0
	}
}

// forget drops all that has not been taken.
func (p *pending) forget() {
	pool.Put(p.buf)
	*p = pending{}
}
