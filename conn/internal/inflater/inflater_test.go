package inflater

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/inflate"
	"github.com/parleyws/parley/internal/race"
	"github.com/parleyws/parley/internal/strictinflate"
)

func init() { pool.Poison = true }

// tail is the length of the end of a flush, which a sender removes from each
// message (RFC 7692, section 7.2.1).
const tail = 4

// pack compresses text as one message, without context takeover.
func pack(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	w.Flush()
	return b.Bytes()[:b.Len()-tail]
}

// unpack inflates p as the next message of i.
func unpack(i *Inflater, p []byte, limit int64) ([]byte, error) {
	b, err := i.Inflate(pool.Get(0), p, limit)
	if err != nil {
		return nil, err
	}
	return b.B, nil
}

// unhex reads bytes as the specifications print them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// someText returns n bytes that compress well, with repetitions near and far.
func someText(r *rand.Rand, n int) []byte {
	words := strings.Fields("a frame of the message is masked by the client and never by the server RFC6455 7692")
	var b []byte
	for len(b) < n {
		if r.IntN(20) == 0 {
			b = append(b, byte(r.Uint32()), byte(r.Uint32()))
		}
		b = append(b, words[r.IntN(len(words))]...)
		b = append(b, ' ')
	}
	return b[:n]
}

// The samples of RFC 7692, section 7.2.3, as a receiver sees them.
func TestInflateSamples(t *testing.T) {
	tests := []struct {
		name     string
		messages []string // payloads, in order, on one connection
		want     string   // each of them
	}{
		{"7.2.3.1 one fixed block", []string{"f2 48 cd c9 c9 07 00"}, "Hello"},
		{"7.2.3.2 sharing the window", []string{"f2 48 cd c9 c9 07 00", "f2 00 11 00 00"}, "Hello"},
		{"7.2.3.3 no compression", []string{"00 05 00 fa ff 48 65 6c 6c 6f 00"}, "Hello"},
		{"7.2.3.4 BFINAL set", []string{"f3 48 cd c9 c9 07 00 00"}, "Hello"},
		{"7.2.3.5 two blocks", []string{"f2 48 05 00 00 00 ff ff ca c9 c9 07 00"}, "Hello"},
		{"7.2.3.6 empty", []string{"00"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := New(true, 15)
			for n, p := range tt.messages {
				got, err := unpack(i, unhex(t, p), 5)
				if err != nil || string(got) != tt.want {
					t.Errorf("message %d: got %q, %v; want %q", n, got, err, tt.want)
				}
			}
		})
	}
}

// The limit counts inflated bytes.
func TestInflateLimit(t *testing.T) {
	const limit = 100_000
	for _, tt := range []struct {
		name  string
		size  int
		limit int64
		want  error
	}{
		{"one byte below", limit - 1, limit, nil},
		{"the limit", limit, limit, nil},
		{"one byte over", limit + 1, limit, ErrMessageSize},
		{"far over", 100 * limit, limit, ErrMessageSize},
		{"no limit", 100 * limit, 1 << 62, nil},
		{"limit 0, empty", 0, 0, nil},
		{"limit 0, one byte", 1, 0, ErrMessageSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pack(t, make([]byte, tt.size))
			for _, room := range []int{0, pool.Small, tt.size, tt.size + inflate.Room, 1 << 20} {
				b, err := New(false, 15).Inflate(pool.Get(room), p, tt.limit)
				if err != tt.want || err == nil && len(b.B) != tt.size {
					t.Errorf("room for %d: %d bytes, %v; want %d, %v", room, len(b.B), err, tt.size, tt.want)
				}
				if over := int64(len(b.B)) - tt.limit; over > inflate.Room {
					t.Errorf("room for %d: inflated %d bytes more than the limit", room, over)
				}
			}
		})
	}
}

// A message of about 1 MiB that would inflate to 1 GiB costs little more memory
// than the limit. The test counts all allocations, which are no less than their
// peak.
func TestInflateBomb(t *testing.T) {
	part := append(pack(t, make([]byte, 1<<20)), "\x00\x00\xff\xff"...)
	bomb := bytes.Repeat(part, 1<<10)
	bomb = bomb[:len(bomb)-tail]
	if len(bomb) > 5<<20 {
		t.Fatalf("the bomb is %d bytes", len(bomb))
	}
	const limit = 1 << 20
	for _, takeover := range []bool{false, true} {
		i := New(takeover, 15)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := unpack(i, bomb, limit)
		runtime.ReadMemStats(&after)
		if err != ErrMessageSize {
			t.Errorf("got %v", err)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > limit+8<<20 {
			t.Errorf("takeover %t: allocated %d bytes for a limit of %d", takeover, spent, limit)
		}
	}
}

// Blocks with BFINAL set, which RFC 7692, section 7.2.3.4, allows in a message.
func TestInflateFinalBlocks(t *testing.T) {
	hello := "f3 48 cd c9 c9 07 00" // "Hello", one fixed block, BFINAL set
	tests := []struct {
		name, payload, want string
		err                 error
	}{
		{"as the RFC has it", hello + "00", "Hello", nil},
		{"nothing behind it", hello, "Hello", nil},
		{"twice", hello + hello + "00", "HelloHello", nil},
		{"the second refers to the first", hello + "03 13 00 00", "HelloHello", nil},
		{"then one without", hello + "f2 48 cd c9 c9 07 00", "HelloHello", nil},
		{"empty ones", strings.Repeat("03 00", 10) + "00", "", nil},
		{"very many empty ones", strings.Repeat("03 00", 1<<16) + "00", "", nil},
		{"stored and empty", hello + "01", "Hello", nil},
		{"junk behind it", hello + "ff", "", errCorrupt},
		{"more than an empty block behind it", hello + "00 00", "", errCorrupt},
		{"stored, ended by our bytes", "01 04 00 fb ff", "", errCorrupt},
		{"refers to before the message", "03 13 00 00", "", errCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, takeover := range []bool{false, true} {
				i := New(takeover, 15)
				got, err := unpack(i, unhex(t, tt.payload), 1000)
				if err != tt.err || string(got) != tt.want {
					t.Errorf("takeover %t: got %q, %v; want %q, %v", takeover, got, err, tt.want, tt.err)
				}
				if err == nil && takeover && string(i.window.Bytes) != tt.want {
					t.Errorf("the window is %q", i.window.Bytes)
				}
			}
		})
	}
}

// After a final block the window goes on: the second stream refers to text 30,000
// bytes back, before the final block of the first.
func TestInflateFinalBlockFar(t *testing.T) {
	text := someText(rand.New(rand.NewPCG(4, 4)), 40_000)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(text)
	w.Close()
	second, _ := flate.NewWriterDict(&b, flate.BestCompression, text)
	second.Write(text[10_000:])
	second.Flush()
	p := b.Bytes()[:b.Len()-tail]
	want := append(append([]byte{}, text...), text[10_000:]...)
	for _, takeover := range []bool{false, true} {
		i := New(takeover, 15)
		if got, err := unpack(i, p, 1<<20); err != nil || !bytes.Equal(got, want) {
			t.Errorf("takeover %t: %d bytes, %v", takeover, len(got), err)
		}
		if takeover && !bytes.Equal(i.window.Bytes, want[len(want)-1<<15:]) {
			t.Error("the window is not the last 32 KiB")
		}
	}
}

func TestInflateRefuses(t *testing.T) {
	tests := []struct{ name, payload string }{
		{"nothing at all", ""},
		{"block type 3", "06 00"},
		{"stored length and its inverse differ", "00 05 00 fa fe 48 65 6c 6c 6f 00"},
		{"stored block cut", "00 05 00 fa ff 48 65"},
		{"stored block without its bytes", "00 ff ff 00 00"},
		{"stored header cut", "00 05"},
		{"the tail left on", "f2 48 cd c9 c9 07 00 00 00 ff ff"},
		{"distance before the beginning", "02 13 00 00"},
		{"dynamic block cut", "04 c0"},
		{"too many length symbols", "f4 ff ff ff ff"},
		{"text", "48 65 6c 6c 6f"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := unpack(New(false, 15), unhex(t, tt.payload), 1000)
			if e, ok := errors.AsType[*frame.Error](err); !ok || e.Code != frame.StatusInvalidPayload {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A message that was cut anywhere is refused.
func TestInflateCut(t *testing.T) {
	text := someText(rand.New(rand.NewPCG(5, 5)), 3000)
	p := pack(t, text)
	for n := range p {
		got, err := unpack(New(false, 15), p[:n], 1<<20)
		if err != errCorrupt {
			t.Errorf("%d of %d bytes: %q, %v", n, len(p), got, err)
		}
	}
}

// A flush leaves an empty stored block. Many of them in a row are strange but
// legal.
func TestInflateEmptyBlocks(t *testing.T) {
	p := bytes.Repeat([]byte("\x00\x00\x00\xff\xff"), 100_000)
	got, err := unpack(New(false, 15), append(p, 0), 10)
	if err != nil || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

// Any bytes, taken as a compressed message, give the same result as in other
// inflaters or a *frame.Error, and never more bytes than the limit.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), uint16(100))
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), uint16(5))
	f.Add([]byte("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), uint16(4))
	f.Add([]byte("\x03\x00\x03\x00\x03\x00\x00"), uint16(0))
	f.Fuzz(func(t *testing.T, p []byte, limit uint16) {
		whole, wholeErr := unpack(New(false, 15), p, 1<<20)
		got, err := unpack(New(true, 15), p, int64(limit))
		if err != nil {
			if _, ok := errors.AsType[*frame.Error](err); !ok {
				t.Fatal(err)
			}
			if wholeErr == nil && (err != ErrMessageSize || len(whole) <= int(limit)) {
				t.Fatalf("limit %d: %v for %d bytes", limit, err, len(whole))
			}
			return
		}
		if wholeErr != nil || !bytes.Equal(got, whole) || len(got) > int(limit) {
			t.Fatalf("limit %d: %q; without: %q, %v", limit, got, whole, wholeErr)
		}
		strict, err := (&strictinflate.Inflater{Window: 1 << 15}).Message(p)
		if err == nil && !bytes.Equal(strict, whole) {
			t.Fatalf("got %q, strictly %q", whole, strict)
		}
	})
}

// Inflating a message into a buffer that is large enough allocates nothing.
func TestInflateAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("sync.Pool drops at random under the race detector")
	}
	text := someText(rand.New(rand.NewPCG(6, 6)), 4000)
	for _, takeover := range []bool{false, true} {
		for _, bits := range []int{8, 15} {
			i := New(takeover, bits)
			p, b := pack(t, bytes.Repeat(text, 10)), pool.Get(pool.Large)
			for range 2 { // fill the window
				b.B = b.B[:0]
				b, _ = i.Inflate(b, p, 1<<20)
			}
			allocs := testing.AllocsPerRun(100, func() {
				b.B = b.B[:0]
				b, _ = i.Inflate(b, p, 1<<20)
			})
			if allocs != 0 || len(b.B) != 10*len(text) {
				t.Errorf("takeover %t, %d bits: %v allocations for %d bytes", takeover, bits, allocs, len(b.B))
			}
		}
	}
}

// The window takes no more memory than was agreed, and none without context
// takeover.
func TestInflateWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(7692, 1))
	for _, takeover := range []bool{false, true} {
		for bits := 8; bits <= 15; bits++ {
			i, want := New(takeover, bits), 0
			if takeover {
				want = 1 << bits
			}
			for range 20 {
				if _, err := unpack(i, pack(t, someText(random, 1+random.IntN(1<<14))), 1<<20); err != nil {
					t.Fatal(err)
				}
			}
			if got := cap(i.window.Bytes); got != want {
				t.Errorf("takeover %t, %d bits: it keeps %d bytes, want %d", takeover, bits, got, want)
			}
		}
	}
}
