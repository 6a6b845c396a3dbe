package pipe

// A ring is a queue of up to max bytes. Its buffer grows when bytes come.
type ring struct {
	buf   []byte
	start int // index of the oldest byte in buf
	n     int // number of bytes in the queue
	max   int
}

// write appends as many bytes of p as there is room for and returns their number.
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

// read moves the oldest bytes to p and returns their number.
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

// grow makes room for size bytes in total. If the buffer grows, it at least
// doubles, up to max.
func (r *ring) grow(size int) {
	if size <= len(r.buf) {
		return
	}
	buf := make([]byte, min(max(size, 2*len(r.buf), 512), r.max))
	r.n = r.read(buf)
	r.buf, r.start = buf, 0
}
