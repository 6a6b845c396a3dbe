package conn

import "sync"

// A buffer is a pooled slice of octets. It is passed by pointer so that it
// goes into its pool and out again without an allocation.
type buffer struct {
	b []byte
}

// The sizes of pooled buffers. The second holds a frame of 64 KiB with its
// header, so that it can be read in place. What is larger than the last is
// not pooled.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64<<10 + 16
)

var bufferSizes = [...]int{smallBuffer, largeBuffer, 256 << 10, 1 << 20}

var bufferPools [len(bufferSizes)]sync.Pool

// poison, set by tests alone, overwrites what is released, so that a view
// that was kept too long shows.
var poison bool

// getBuffer returns an empty buffer with room for at least n octets.
func getBuffer(n int) *buffer {
	for i, size := range &bufferSizes {
		if n <= size {
			if b, ok := bufferPools[i].Get().(*buffer); ok {
				return b
			}
			return &buffer{make([]byte, 0, size)}
		}
	}
	return &buffer{make([]byte, 0, n)}
}

// putBuffer gives b, which may be nil, back. Nobody may look at it any more.
func putBuffer(b *buffer) {
	if b == nil {
		return
	}
	b.b = b.b[:cap(b.b)]
	if poison && len(b.b) > 0 {
		b.b[0] = 0xDB
		for n := 1; n < len(b.b); n *= 2 {
			copy(b.b[n:], b.b[:n])
		}
	}
	for i, size := range &bufferSizes {
		if len(b.b) == size {
			b.b = b.b[:0]
			bufferPools[i].Put(b)
			return
		}
	}
}

// growBuffer returns a buffer that begins with the octets of b, which may be
// nil, and has room for n octets altogether; b is given back if it is not the
// same.
func growBuffer(b *buffer, n int) *buffer {
	if b == nil {
		return getBuffer(n)
	}
	if cap(b.b) >= n {
		return b
	}
	larger := getBuffer(max(n, min(2*len(b.b), 2*n)))
	larger.b = append(larger.b, b.b...)
	putBuffer(b)
	return larger
}
