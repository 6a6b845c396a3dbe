package conn

// The sizes of an LZ77 sliding window (RFC 7692, section 7.1.2), as the
// exponent of two.
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// A window keeps the last octets of a stream, at most size of them: what one
// message hands over to the next with context takeover (RFC 7692, section
// 7.1.1). It grows as they come.
type window struct {
	octets []byte
	size   int
}

// push takes p for what came behind the octets that the window holds. A window
// of size 0 stays empty.
func (w *window) push(p []byte) {
	if len(p) >= w.size {
		p = p[len(p)-w.size:]
		w.octets = w.octets[:0]
	}
	if over := len(w.octets) + len(p) - w.size; over > 0 {
		w.octets = w.octets[:copy(w.octets, w.octets[over:])]
	}
	w.grow(len(p))
	w.octets = append(w.octets, p...)
}

// grow makes room for n more octets, by doubling and up to size.
func (w *window) grow(n int) {
	need := len(w.octets) + n
	if need <= cap(w.octets) {
		return
	}
	bigger := make([]byte, len(w.octets), min(w.size, max(need, 2*cap(w.octets))))
	copy(bigger, w.octets)
	w.octets = bigger
}

// forget empties the window and keeps its room.
func (w *window) forget() { w.octets = w.octets[:0] }
