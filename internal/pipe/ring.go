package pipe

// A ring is a queue of octets that takes up to max of them and grows as they come.
type ring struct {
	buf   []byte
	start int // of the oldest octet in buf
	n     int // octets held
	max   int
}

// write takes as much of p as there is room for and returns how much that is.
func (r *ring) write(p []byte) int {
	p = p[:min(len(p), r.max-r.n)]
	r.grow(r.n + len(p))
	for rest := p; len(rest) > 0; {
		end := (r.start + r.n) % len(r.buf)
		c := copy(r.buf[end:], rest)
		rest = rest[c:]
		r.n += c
	}
	return len(p)
}

// read moves the oldest octets to p and returns their number.
func (r *ring) read(p []byte) int {
	p = p[:min(len(p), r.n)]
	for rest := p; len(rest) > 0; {
		c := copy(rest, r.buf[r.start:])
		rest = rest[c:]
		r.start = (r.start + c) % len(r.buf)
		r.n -= c
	}
	return len(p)
}

// grow makes room for size octets in all, at least doubling the buffer.
func (r *ring) grow(size int) {
	if size <= len(r.buf) {
		return
	}
	buf := make([]byte, min(max(size, 2*len(r.buf), 512), r.max))
	r.n = r.read(buf)
	r.buf, r.start = buf, 0
}
