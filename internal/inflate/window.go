package inflate

// A Window keeps the last bytes of a stream, at most Size of them: what one
// message hands over to the next with context takeover (RFC 7692, section
// 7.1.1). It allocates as they come.
type Window struct {
	Bytes []byte // valid until the next Push or Forget; for reading only
	Size  int    // constant; 0: the window stays empty
}

// Push appends p, of which nothing is kept but a copy of what the window has
// room for.
func (w *Window) Push(p []byte) {
	if len(p) >= w.Size {
		p = p[len(p)-w.Size:]
		w.Bytes = w.Bytes[:0]
	}
	if over := len(w.Bytes) + len(p) - w.Size; over > 0 {
		w.Bytes = w.Bytes[:copy(w.Bytes, w.Bytes[over:])]
	}
	w.grow(len(p))
	w.Bytes = append(w.Bytes, p...)
}

// grow makes room for n more bytes, by doubling and up to Size.
func (w *Window) grow(n int) {
	need := len(w.Bytes) + n
	if need <= cap(w.Bytes) {
		return
	}
	bigger := make([]byte, len(w.Bytes), min(w.Size, max(need, 2*cap(w.Bytes))))
	copy(bigger, w.Bytes)
	w.Bytes = bigger
}

// Forget empties the window and keeps its room.
func (w *Window) Forget() { w.Bytes = w.Bytes[:0] }
