// Package pool lends buffers, so that a connection holds memory only while it
// needs it: an idle connection holds none.
package pool

import "sync"

// A Buffer is a slice of bytes. It is passed by pointer, so that it goes in and out
// of its pool without an allocation. Its owner may reslice B and append to it up
// to its capacity. A Buffer has one owner at a time.
type Buffer struct {
	B []byte
}

// The capacities of small and large pooled buffers, in bytes. A Large buffer holds
// a frame with 64 KiB of payload and its header, so that the frame can be read in
// place.
const (
	Small = 4 << 10
	Large = 64<<10 + 16
)

// sizes lists the capacities that are pooled. Buffers of any other capacity are
// left to the garbage collector.
var sizes = [...]int{Small, Large, 256 << 10, 1 << 20}

var pools [len(sizes)]sync.Pool

// Poison makes Put overwrite each buffer, so that the use of a view that was kept
// too long fails loudly. Only tests set it, before the first call of Put.
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

// Put gives b back. The caller must not use b, or any slice of its bytes, from
// then on. Put ignores a nil b.
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

// Grow returns a buffer that begins with the bytes of b and has a capacity of at
// least n bytes. b may be nil. Grow takes ownership of b: it returns b itself, or
// it puts b back and returns a larger buffer.
func Grow(b *Buffer, n int) *Buffer {
	if b == nil {
		return Get(n)
	}
	if cap(b.B) >= n {
		return b
	}
	larger := Get(max(n, 2*len(b.B)))
	larger.B = append(larger.B, b.B...)
	Put(b)
	return larger
}
