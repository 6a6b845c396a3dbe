package socketio

// A ring is a queue in one piece of memory that is used again and again: an
// element that leaves makes room for one that comes, and nothing is moved. The
// memory is at most four times what the elements need, and 16 of them. The zero
// value is empty.
type ring[T any] struct {
	buf  []T // its length is 0 or a power of two, at least minRing
	head int // where the first element is
	n    int // how many elements there are
}

// minRing is the size of the smallest ring that is not empty.
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

// pop takes the oldest element away.
func (r *ring[T]) pop() {
	clear(r.buf[r.head : r.head+1])
	r.head = (r.head + 1) & (len(r.buf) - 1)
	if r.n--; r.n == 0 {
		*r = ring[T]{}
	} else if len(r.buf) > minRing && r.n <= len(r.buf)/4 {
		r.resize(len(r.buf) / 2)
	}
}

// resize moves the elements to other memory. Between two calls the ring loses a
// quarter of its size or gains as much, so an element is moved twice on average.
func (r *ring[T]) resize(size int) {
	buf := make([]T, size)
	for i := range r.n {
		buf[i] = *r.at(i)
	}
	r.buf, r.head = buf, 0
}
