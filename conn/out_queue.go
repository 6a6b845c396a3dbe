package conn

// A sharedFrame is a frame that several connections send, and its place among
// a connection's own bytes: before the byte at position at.
type sharedFrame struct {
	at   int64
	p    []byte // nil: it was dropped
	sent bool   // by Send: it may be dropped
}

// A queue holds shared frames in their order, in a ring. Dropping one from the
// middle moves nothing: it leaves a gap, which is skipped. Gaps never make up
// more than half of a ring that grows, so that the ring stays within twice of
// the most that was queued at one time, whatever passes through it.
type queue struct {
	ring       []sharedFrame // its length is a power of two, or 0
	head, tail uint          // the first frame is ring[head], the next goes to ring[tail], modulo the length
	drop       uint          // no frame before it may be dropped: where a search begins
	count      int           // of frames, without gaps
	bytes      int           // in them
}

// fewFrames is the length of a ring that is worth keeping when it is empty.
const fewFrames = 8

func (q *queue) slot(i uint) *sharedFrame { return &q.ring[i&uint(len(q.ring)-1)] }

// size returns how many frames there are, and how many bytes in them. q may be
// nil.
func (q *queue) size() (frames, bytes int) {
	if q == nil {
		return 0, 0
	}
	return q.count, q.bytes
}

// push appends f.
func (q *queue) push(f sharedFrame) {
	if int(q.tail-q.head) == len(q.ring) {
		q.rebuild()
	}
	*q.slot(q.tail) = f
	q.tail++
	q.count++
	q.bytes += len(f.p)
}

// rebuild moves the frames to the front of a ring with room for as many more,
// and leaves the gaps out. It is called when the ring is full, gaps included:
// at least half as many frames have been pushed since it was called last. The
// search for one that may be dropped begins again, which costs no more than this.
func (q *queue) rebuild() {
	size := max(fewFrames/2, len(q.ring))
	if 2*q.count > size {
		size *= 2
	}
	ring := make([]sharedFrame, size)
	n := uint(0)
	for i := q.head; i != q.tail; i++ {
		if f := q.slot(i); f.p != nil {
			ring[n] = *f
			n++
		}
	}
	q.ring, q.head, q.tail, q.drop = ring, 0, n, 0
}

// first returns the first frame; there is one.
func (q *queue) first() *sharedFrame {
	for q.slot(q.head).p == nil {
		q.head++
	}
	return q.slot(q.head)
}

// pop removes and returns the first frame; there is one.
func (q *queue) pop() sharedFrame {
	f := *q.first()
	q.slot(q.head).p = nil
	q.head++
	q.count--
	q.bytes -= len(f.p)
	q.tidy()
	return f
}

// dropOldest removes the first frame that may be dropped, and reports whether
// there was one. q may be nil.
func (q *queue) dropOldest() bool {
	if q == nil {
		return false
	}
	if int(q.drop-q.head) < 0 {
		q.drop = q.head
	}
	for ; q.drop != q.tail; q.drop++ {
		if f := q.slot(q.drop); f.p != nil && f.sent {
			q.count--
			q.bytes -= len(f.p)
			f.p = nil
			q.tidy()
			return true
		}
	}
	return false
}

// tidy starts an empty queue again. A long ring is let go of.
func (q *queue) tidy() {
	if q.count > 0 {
		return
	}
	if len(q.ring) > fewFrames {
		q.ring = nil
	}
	q.head, q.tail, q.drop = 0, 0, 0
}
