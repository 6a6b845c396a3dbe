package mask

import (
	"bytes"
	"fmt"
	"math"
	"testing"
)

// byOctet is RFC 6455, section 5.3, as it is written: "octet i of the
// transformed data is the XOR of octet i of the original data with octet at
// index i modulo 4 of the masking key".
func byOctet(b []byte, key [4]byte, pos int) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ key[(pos%4+i)%4]
	}
	return out
}

var keys = [][4]byte{
	{0x37, 0xFA, 0x21, 0x3D}, // from the samples of RFC 6455, section 5.7
	{0x00, 0x00, 0x00, 0x01},
	{0xFF, 0x7F, 0x80, 0x00},
}

// lengths returns all short lengths and those around each block of the longer
// paths.
func lengths() []int {
	var all []int
	for n := range 301 {
		all = append(all, n)
	}
	for _, edge := range []int{384, 512, 640, 1024, 4096} {
		for n := edge - 2; n <= edge+34; n++ {
			all = append(all, n)
		}
	}
	return all
}

// filler returns n bytes that differ from their neighbours; none has a meaning.
func filler(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*167 + i>>8 + 13)
	}
	return b
}

// The masked "Hello" of RFC 6455, section 5.7.
func TestGolden(t *testing.T) {
	b := []byte("Hello")
	next := Bytes(b, [4]byte{0x37, 0xFA, 0x21, 0x3D}, 0)
	if want := []byte{0x7F, 0x9F, 0x4D, 0x51, 0x58}; !bytes.Equal(b, want) || next != 1 {
		t.Errorf("Bytes = % x, %d, want % x, 1", b, next, want)
	}
}

const margin = 64 // bytes on both sides that must stay as they are

func TestBytes(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, n := range lengths() {
			plain := filler(margin + n + 2*margin)
			buf := make([]byte, len(plain))
			for at := margin; at < margin+33; at++ {
				key, pos := keys[at%len(keys)], at/len(keys)%4
				copy(buf, plain)
				next := Bytes(buf[at:at+n], key, pos)
				checkMasked(t, fmt.Sprintf("Bytes of %d at %d", n, at), buf, plain, at, plain[at:at+n], key, pos, next)
			}
		}
	})
}

// dst and src are disjoint, at every alignment of both.
func TestCopy(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, n := range lengths() {
			before := filler(2*margin + n)
			src := bytes.Clone(before)
			plain := bytes.Repeat([]byte{0xA5}, 3*margin+n)
			buf := make([]byte, len(plain))
			for at := margin; at < margin+33; at++ {
				key, pos, from := keys[at%len(keys)], at/len(keys)%4, at*5%margin
				copy(buf, plain)
				next := Copy(buf[at:], src[from:from+n], key, pos)
				checkMasked(t, fmt.Sprintf("Copy of %d from %d to %d", n, from, at), buf, plain, at, src[from:from+n], key, pos, next)
				if !bytes.Equal(src, before) {
					t.Fatalf("Copy of %d from %d to %d: src has changed", n, from, at)
				}
			}
		}
	})
}

func TestCopyInPlace(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, n := range lengths() {
			plain := filler(n + 3*margin)
			buf := make([]byte, len(plain))
			for _, at := range []int{0, 1, 2, 3, 8, 31, 32, 33} {
				copy(buf, plain)
				next := Copy(buf[at:], buf[at:at+n], keys[0], at)
				checkMasked(t, fmt.Sprintf("Copy of %d at %d to itself", n, at), buf, plain, at, plain[at:at+n], keys[0], at, next)
			}
		}
	})
}

// Neighbours in one buffer count as disjoint.
func TestCopyToNeighbour(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, n := range lengths() {
			plain := filler(2*n + 1)
			up, down := bytes.Clone(plain), bytes.Clone(plain)
			next := Copy(up[n:], up[:n], keys[2], 3)
			checkMasked(t, fmt.Sprintf("Copy of %d upwards", n), up, plain, n, plain[:n], keys[2], 3, next)
			next = Copy(down, down[n:2*n], keys[2], 3)
			checkMasked(t, fmt.Sprintf("Copy of %d downwards", n), down, plain, 0, plain[n:2*n], keys[2], 3, next)
		}
	})
}

// checkMasked fails unless buf equals before, except at index at, where src
// must lie masked.
func checkMasked(t *testing.T, call string, buf, before []byte, at int, src []byte, key [4]byte, pos, next int) {
	t.Helper()
	want := byOctet(src, key, pos)
	end := at + len(want)
	if !bytes.Equal(buf[at:end], want) {
		t.Fatalf("%s, key %x, pos %d:\n got %x\nwant %x", call, key, pos, buf[at:end], want)
	}
	if !bytes.Equal(buf[:at], before[:at]) || !bytes.Equal(buf[end:], before[end:]) {
		t.Fatalf("%s: bytes outside were changed", call)
	}
	if wantNext := (pos%4 + len(want)) % 4; next != wantNext {
		t.Fatalf("%s, pos %d: next position %d, want %d", call, pos, next, wantNext)
	}
}

// Only pos mod 4 matters, up to the largest int.
func TestPosition(t *testing.T) {
	for _, pos := range []int{0, 1, 2, 3, 4, 7, 1 << 16, 1<<30 + 1, math.MaxInt - 3, math.MaxInt - 1, math.MaxInt} {
		for _, n := range []int{0, 1, 3, 5, 8, 17, 40, 70, 600} {
			plain := filler(n)
			buf := bytes.Clone(plain)
			next := Bytes(buf, keys[0], pos)
			checkMasked(t, fmt.Sprintf("Bytes of %d", n), buf, plain, 0, plain, keys[0], pos, next)
		}
	}
}

// Copy refuses a dst that is shorter than src before it writes anything, even
// if the capacity of dst would do.
func TestCopyShort(t *testing.T) {
	for _, n := range []int{1, 5, 64, 65, 1000} {
		buf := filler(2 * n)
		want := bytes.Clone(buf)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Copy of %d bytes into %d did not panic", n, n-1)
				}
			}()
			Copy(buf[:n-1], buf[n:], keys[0], 0)
		}()
		if !bytes.Equal(buf, want) {
			t.Errorf("Copy of %d bytes into %d has written", n, n-1)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, n := range []int{0, 5, 16, 125, 1 << 10, 16 << 10} {
			dst, src := make([]byte, n), make([]byte, n)
			pos := 0
			allocs := testing.AllocsPerRun(100, func() {
				pos = Bytes(src, keys[0], pos)
				pos = Copy(dst, src, keys[0], pos)
			})
			if allocs != 0 {
				t.Errorf("%d bytes: %v allocations, want 0", n, allocs)
			}
		}
	})
}

// A payload masked in parts, however it is split, equals the payload masked as a
// whole. Masking it once more restores it.
func FuzzSplit(f *testing.F) {
	f.Add([]byte(nil), []byte(nil), uint32(0), 0)
	f.Add([]byte("Hello"), []byte{1, 3}, uint32(0x37FA213D), 0)
	f.Add(filler(125), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint32(0x00000001), 1)
	f.Add(filler(300), []byte{65, 64, 63, 33}, uint32(0xFF7F8000), 2)
	f.Add(filler(1500), []byte{3, 255, 255, 255, 255, 129}, uint32(0x80402010), 3)
	f.Add(filler(1024), []byte{}, uint32(0xFFFFFFFF), math.MaxInt)
	f.Fuzz(func(t *testing.T, plain, cuts []byte, k uint32, pos int) {
		if pos < 0 {
			pos = ^pos
		}
		key := [4]byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)}
		want := byOctet(plain, key, pos)
		eachPath(t, func(t *testing.T) {
			inPlace, copied := bytes.Clone(plain), make([]byte, len(plain))
			next := pos
			for at, i := 0, 0; at < len(plain); i++ {
				end := len(plain)
				if i < len(cuts) {
					end = min(at+int(cuts[i]), end)
				}
				copyNext := Copy(copied[at:end], plain[at:end], key, next)
				next = Bytes(inPlace[at:end], key, next)
				if copyNext != next {
					t.Fatalf("Copy goes on from %d, Bytes from %d", copyNext, next)
				}
				at = end
			}
			if !bytes.Equal(inPlace, want) || !bytes.Equal(copied, want) {
				t.Fatalf("%d bytes, key %x, pos %d, cuts %d:\nBytes %x\nCopy  %x\nwant  %x", len(plain), key, pos, cuts, inPlace, copied, want)
			}
			if Bytes(inPlace, key, pos); !bytes.Equal(inPlace, plain) {
				t.Fatalf("masking twice is not the identity: %x, want %x", inPlace, plain)
			}
		})
	})
}
