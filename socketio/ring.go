package socketio

// A ring is a queue whose memory is used again and again: the place of an element
// that leaves is taken by one that comes, and no other element is moved. The memory
// has room for at most four times as many elements as there are, or for 16. The
// zero value is an empty ring.
type ring[T any] struct {
	buf  []T // its length is 0, or a power of two from minRing on
	head int // index in buf of the oldest element
	n    int // number of elements
}

// minRing is the length of buf in the smallest ring that is not empty.
const minRing = 16

// at returns element i, from 0, the oldest, to n-1.
func (r *ring[T]) at(i int) *T { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

// push adds v as the newest element.
func (r *ring[T]) push(v T) {
	if r.n == len(r.buf) {
		r.resize(max(2*r.n, minRing))
	}
	r.n++
	*r.at(r.n - 1) = v
}

// pop removes the oldest element. There must be one.
func (r *ring[T]) pop() {
	clear(r.buf[r.head : r.head+1])
	r.head = (r.head + 1) & (len(r.buf) - 1)
	if r.n--; r.n == 0 {
		*r = ring[T]{}
	} else if len(r.buf) > minRing && r.n <= len(r.buf)/4 {
		r.resize(len(r.buf) / 2)
	}
}

// resize moves the elements to new memory. Before a call that moves any, at least a
// quarter as many have come or left as the memory has room for, so that each push or
// pop pays for moving a few elements.
func (r *ring[T]) resize(size int) {
	buf := make([]T, size)
	for i := range r.n {
		buf[i] = *r.at(i)
	}
	r.buf, r.head = buf, 0
}
