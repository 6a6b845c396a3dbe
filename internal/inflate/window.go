package inflate

// A Window keeps the last bytes of a stream, at most Size of them. With context
// takeover it is handed from one message to the next (RFC 7692, section 7.1.1).
// Its memory grows with the bytes that it holds.
type Window struct {
	Bytes []byte // for reading only, valid until the next Push or Forget
	Size  int    // constant; if it is 0 the window stays empty
}

// Push appends p to the window, which drops its oldest bytes if it is full. Push
// copies: it does not keep p.
func (w *Window) Push(p []byte) {
	if len(p) >= w.Size {
		p = p[len(p)-w.Size:] // and all of the window is over
	}
	if over := len(w.Bytes) + len(p) - w.Size; over > 0 {
		w.Bytes = w.Bytes[:copy(w.Bytes, w.Bytes[over:])]
	}
	w.grow(len(p))
	w.Bytes = append(w.Bytes, p...)
}

// grow makes room for n more bytes. It at least doubles the capacity, up to Size.
func (w *Window) grow(n int) {
	need := len(w.Bytes) + n
	if need <= cap(w.Bytes) {
		return
	}
	bigger := make([]byte, len(w.Bytes), min(w.Size, max(need, 2*cap(w.Bytes))))
	copy(bigger, w.Bytes)
	w.Bytes = bigger
}

// Forget empties the window and keeps its memory.
func (w *Window) Forget() { w.Bytes = w.Bytes[:0] }
