package loop

// A queue is a queue of sockets. The zero value is ready.
type queue struct {
	ring  []*Socket // whose length is a power of two, or 0
	first int       // its place in ring
	n     int       // how many there are
}

// at returns the place of socket i.
func (q *queue) at(i int) int { return (q.first + i) & (len(q.ring) - 1) }

// push adds s at the end.
func (q *queue) push(s *Socket) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[q.at(q.n)] = s
	q.n++
}

// grow doubles the room.
func (q *queue) grow() {
	ring := make([]*Socket, max(16, 2*len(q.ring)))
	n := copy(ring, q.ring[q.first:])
	copy(ring[n:], q.ring[:q.first])
	q.ring, q.first = ring, 0
}

// pop takes the first socket out; nil if there is none.
func (q *queue) pop() *Socket {
	if q.n == 0 {
		return nil
	}
	s := q.ring[q.first]
	q.ring[q.first] = nil
	q.first = q.at(1)
	q.n--
	return s
}

// advance moves the last k sockets before all others, in their order.
func (q *queue) advance(k int) {
	for range k {
		last, place := q.at(q.n-1), q.at(-1)
		s := q.ring[last]
		q.ring[last] = nil
		q.ring[place], q.first = s, place
	}
}
