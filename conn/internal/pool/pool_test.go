package pool

import (
	"bytes"
	"testing"
)

func init() { Poison = true }

// Get returns an empty buffer of the smallest pooled size that holds n bytes. If
// no pooled size is large enough, the buffer has a capacity of exactly n.
func TestGet(t *testing.T) {
	for _, tt := range []struct{ n, want int }{
		{5 << 20, 5 << 20}, {0, 4096}, {1, 4096}, {4096, 4096}, {4097, 65552}, {65552, 65552},
		{65553, 262144}, {262144, 262144}, {262145, 1048576}, {1048576, 1048576}, {1048577, 1048577}, {1, 4096},
	} {
		for range 3 { // new, then perhaps from the pool
			b := Get(tt.n)
			if len(b.B) != 0 || cap(b.B) != tt.want {
				t.Errorf("Get(%d): length %d, capacity %d; want 0, %d", tt.n, len(b.B), cap(b.B), tt.want)
			}
			b.B = append(b.B, "dirty"...)
			Put(b)
		}
	}
}

// Put overwrites a buffer up to its capacity, whether it pools it or not.
func TestPutPoisons(t *testing.T) {
	for _, n := range []int{Small, Large, 3 << 20} {
		b := Get(n)
		view := b.B[:n]
		Put(b)
		if i := bytes.IndexFunc(view, func(r rune) bool { return r == 0 }); i >= 0 || view[n-1] != 0xDB {
			t.Errorf("%d bytes: byte %d is not overwritten, the last is %x", n, i, view[n-1])
		}
	}
	Put(nil)
	Put(&Buffer{})
}

// Grow keeps the bytes and puts the smaller buffer back. Above the pooled sizes it
// doubles, so that growing step by step copies each byte a constant number of
// times.
func TestGrow(t *testing.T) {
	if b := Grow(nil, 10); len(b.B) != 0 || cap(b.B) != Small {
		t.Errorf("of nil: length %d, capacity %d", len(b.B), cap(b.B))
	}
	b := Get(Small)
	b.B = append(b.B, "hello"...)
	if same := Grow(b, Small); same != b {
		t.Error("grown where there was room")
	}
	view := b.B
	larger := Grow(b, Small+1)
	if larger == b || cap(larger.B) != Large || string(larger.B) != "hello" {
		t.Errorf("%q with capacity %d", larger.B, cap(larger.B))
	}
	if string(view) == "hello" {
		t.Error("the smaller buffer was not given back")
	}
	b = &Buffer{make([]byte, 2<<20)}
	if larger := Grow(b, 2<<20+1); cap(larger.B) != 4<<20 || len(larger.B) != 2<<20 {
		t.Errorf("above the pooled sizes: length %d, capacity %d", len(larger.B), cap(larger.B))
	}
}
