// Package pool lends buffers that connections share: an idle connection holds
// none.
package pool

import "sync"

// A Buffer is a slice of bytes that goes into its pool and comes out again
// without an allocation, since it is passed by pointer. B may be resliced and
// appended to up to its capacity. A Buffer has one owner at a time.
type Buffer struct {
	B []byte
}

// Sizes of pooled buffers, in bytes. A Large one holds a frame of 64 KiB with
// its header, so that the frame can be read in place.
const (
	Small = 4 << 10
	Large = 64<<10 + 16
)

// sizes are those that are pooled. A buffer larger than the last one is left to
// the garbage collector.
var sizes = [...]int{Small, Large, 256 << 10, 1 << 20}

var pools [len(sizes)]sync.Pool

// Poison makes Put overwrite what is given back, so that a view that was kept
// too long shows. Tests alone set it, before the first call of Put.
var Poison bool

// Get returns an empty buffer with room for at least n bytes.
func Get(n int) *Buffer {
	for i, size := range &sizes {
		if n <= size {
			if b, ok := pools[i].Get().(*Buffer); ok {
				return b
			}
			return &Buffer{make([]byte, 0, size)}
		}
	}
	return &Buffer{make([]byte, 0, n)}
}

// Put gives b back. Nobody may look at it or at a view of it from then on. A
// nil b is ignored.
func Put(b *Buffer) {
	if b == nil {
		return
	}
	b.B = b.B[:cap(b.B)]
	if Poison && len(b.B) > 0 {
		b.B[0] = 0xDB
		for n := 1; n < len(b.B); n *= 2 {
			copy(b.B[n:], b.B[:n])
		}
	}
	for i, size := range &sizes {
		if len(b.B) == size {
			b.B = b.B[:0]
			pools[i].Put(b)
			return
		}
	}
}

// Grow returns a buffer that begins with the bytes of b, which may be nil, and
// has room for n bytes altogether. It takes b over: what it returns is b, or b
// is given back.
func Grow(b *Buffer, n int) *Buffer {
	if b == nil {
		return Get(n)
	}
	if cap(b.B) >= n {
		return b
	}
	larger := Get(max(n, min(2*len(b.B), 2*n)))
	larger.B = append(larger.B, b.B...)
	Put(b)
	return larger
}
