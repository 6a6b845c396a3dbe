package conn

import (
	"bytes"
	"compress/flate"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/inflate"
)

// pack compresses text as one message, without takeover.
func pack(t testing.TB, text []byte) []byte {
	t.Helper()
	p, err := newDeflater(nil, false, maxWindowBits).compress(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// unpack inflates p as the next message of i.
func unpack(i *inflater, p []byte, limit int64) ([]byte, error) {
	b, err := i.inflate(getBuffer(0), p, limit)
	if err != nil {
		return nil, err
	}
	return b.b, nil
}

// The limit counts what comes out.
func TestInflateLimit(t *testing.T) {
	const limit = 100_000
	for _, tt := range []struct {
		name  string
		size  int
		limit int64
		want  error
	}{
		{"one octet below", limit - 1, limit, nil},
		{"the limit", limit, limit, nil},
		{"one octet over", limit + 1, limit, errMessageSize},
		{"far over", 100 * limit, limit, errMessageSize},
		{"no limit", 100 * limit, noSize, nil},
		{"limit 0, empty", 0, 0, nil},
		{"limit 0, one octet", 1, 0, errMessageSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pack(t, make([]byte, tt.size))
			for _, room := range []int{0, smallBuffer, tt.size, tt.size + inflate.Room, 1 << 20} {
				b, err := newInflater(false, maxWindowBits).inflate(getBuffer(room), p, tt.limit)
				if err != tt.want || err == nil && len(b.b) != tt.size {
					t.Errorf("room for %d: %d octets, %v; want %d, %v", room, len(b.b), err, tt.size, tt.want)
				}
				if over := int64(len(b.b)) - tt.limit; over > inflate.Room {
					t.Errorf("room for %d: inflated %d octets more than the limit", room, over)
				}
			}
		})
	}
}

// 1 GiB in 1 MiB costs the limit and little more: the sum of all allocations,
// which is no less than their peak.
func TestInflateBomb(t *testing.T) {
	part, err := newDeflater(nil, false, maxWindowBits).compress(nil, make([]byte, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Repeat(append(part, tail...), 1<<10)
	bomb = bomb[:len(bomb)-len(tail)]
	if len(bomb) > 5<<20 {
		t.Fatalf("the bomb is %d octets", len(bomb))
	}
	const limit = 1 << 20
	for _, takeover := range []bool{false, true} {
		i := newInflater(takeover, maxWindowBits)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = unpack(i, bomb, limit)
		runtime.ReadMemStats(&after)
		if err != errMessageSize {
			t.Errorf("got %v", err)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > limit+8<<20 {
			t.Errorf("takeover %t: allocated %d octets for a limit of %d", takeover, spent, limit)
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
		{"junk behind it", hello + "ff", "", errDeflate},
		{"more than an empty block behind it", hello + "00 00", "", errDeflate},
		{"stored, ended by our octets", "01 04 00 fb ff", "", errDeflate},
		{"refers to before the message", "03 13 00 00", "", errDeflate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, takeover := range []bool{false, true} {
				i := newInflater(takeover, maxWindowBits)
				got, err := unpack(i, unhex(t, tt.payload), 1000)
				if err != tt.err || string(got) != tt.want {
					t.Errorf("takeover %t: got %q, %v; want %q, %v", takeover, got, err, tt.want, tt.err)
				}
				if err == nil && takeover && string(i.window.octets) != tt.want {
					t.Errorf("the window is %q", i.window.octets)
				}
			}
		})
	}
}

// A reference that leaves 32 KiB of output before a final block in place: the
// window goes on behind it.
func TestInflateFinalBlockFar(t *testing.T) {
	text := someText(rand.New(rand.NewPCG(4, 4)), 40_000)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(text)
	w.Close()
	second, _ := flate.NewWriterDict(&b, flate.BestCompression, text)
	second.Write(text[10_000:])
	second.Flush()
	p := b.Bytes()[:b.Len()-len(tail)]
	want := append(append([]byte{}, text...), text[10_000:]...)
	for _, takeover := range []bool{false, true} {
		i := newInflater(takeover, maxWindowBits)
		if got, err := unpack(i, p, 1<<20); err != nil || !bytes.Equal(got, want) {
			t.Errorf("takeover %t: %d octets, %v", takeover, len(got), err)
		}
		if takeover && !bytes.Equal(i.window.octets, want[len(want)-1<<15:]) {
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
		{"stored block without its octets", "00 ff ff 00 00"},
		{"stored header cut", "00 05"},
		{"the tail left on", "f2 48 cd c9 c9 07 00 00 00 ff ff"},
		{"distance before the beginning", "02 13 00 00"},
		{"dynamic block cut", "04 c0"},
		{"too many length symbols", "f4 ff ff ff ff"},
		{"text", "48 65 6c 6c 6f"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := unpack(newInflater(false, maxWindowBits), unhex(t, tt.payload), 1000)
			if e, ok := errors.AsType[*frame.Error](err); !ok || e.Code != frame.StatusInvalidPayload {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A message that lacks its end is refused wherever it was cut, except where it
// is another whole message.
func TestInflateCut(t *testing.T) {
	text := someText(rand.New(rand.NewPCG(5, 5)), 3000)
	p := pack(t, text)
	for n := range p {
		got, err := unpack(newInflater(false, maxWindowBits), p[:n], 1<<20)
		if err != errDeflate {
			t.Errorf("%d of %d octets: %q, %v", n, len(p), got, err)
		}
	}
}

// Empty stored blocks are what a flush leaves behind: many of them are strange
// but legal, and cost no more than their octets.
func TestInflateEmptyBlocks(t *testing.T) {
	p := bytes.Repeat([]byte("\x00\x00\x00\xff\xff"), 100_000)
	got, err := unpack(newInflater(false, maxWindowBits), append(p, 0), 10)
	if err != nil || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

// What one connection said is not there for the next, though it used the same
// pooled state.
func TestDeflatePoolsLeakNothing(t *testing.T) {
	secret := []byte("the password is correct horse battery staple")
	want := pack(t, []byte("the password is unknown"))
	for _, codec := range []Codec{nil, dictCodec{}} {
		for _, takeover := range []bool{false, true} {
			a, b := newDeflater(codec, takeover, maxWindowBits), newDeflater(codec, takeover, maxWindowBits)
			p, err := a.compress(nil, secret)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := unpack(newInflater(takeover, maxWindowBits), p, 100); err != nil {
				t.Fatal(err)
			}
			// A copy from just before the message's beginning.
			got, err := unpack(newInflater(takeover, maxWindowBits), unhex(t, "02 13 00 00"), 100)
			if err != errDeflate {
				t.Errorf("inflater: got %q, %v", got, err)
			}
			mine, err := b.compress(nil, []byte("the password is unknown"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (&strictInflater{window: 1 << 15}).message(mine); err != nil {
				t.Errorf("deflater refers to another connection's message: %v", err)
			}
			if codec == nil && !takeover && !bytes.Equal(mine, want) {
				t.Errorf("deflater: got %x, want %x", mine, want)
			}
		}
	}
}

// With room for it, nothing is allocated for a message.
func TestDeflateAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops at random under the race detector")
	}
	text := someText(rand.New(rand.NewPCG(6, 6)), 4000)
	for _, takeover := range []bool{false, true} {
		for _, bits := range []int{minWindowBits, maxWindowBits} {
			d, i := newDeflater(nil, takeover, bits), newInflater(takeover, bits)
			dst := make([]byte, 0, 8000)
			for range 10 { // fill the window
				if _, err := d.compress(dst, text); err != nil {
					t.Fatal(err)
				}
			}
			compress := testing.AllocsPerRun(100, func() { d.compress(dst, text) })
			p, b := pack(t, bytes.Repeat(text, 10)), getBuffer(largeBuffer)
			inflate := testing.AllocsPerRun(100, func() {
				b.b = b.b[:0]
				b, _ = i.inflate(b, p, 1<<20)
			})
			if compress != 0 || inflate != 0 {
				t.Errorf("takeover %t, %d bits: compress allocates %v times, inflate %v", takeover, bits, compress, inflate)
			}
		}
	}
}

// A codec that breaks its promises is an error, never a wrong message.
func TestFaultyCodec(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name  string
		codec *faultyCodec
		want  error
	}{
		{"sound", &faultyCodec{}, nil},
		{"write fails", &faultyCodec{write: broken}, broken},
		{"flush fails", &faultyCodec{flush: broken}, broken},
		{"flush does nothing", &faultyCodec{noFlush: true}, errCodec},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, bits := range []int{minWindowBits, maxWindowBits} {
				d := newDeflater(tt.codec, false, bits)
				got, err := d.compress([]byte("dst"), make([]byte, 1000))
				if err != tt.want || err != nil && string(got) != "dst" {
					t.Errorf("%d bits: %q, %v", bits, got, err)
				}
			}
		})
	}
}

// A faultyCodec is compress/flate but for what it is told to do wrong.
type faultyCodec struct {
	flateCodec
	write, flush error
	noFlush      bool
}

func (c *faultyCodec) NewCompressor(windowBits int, takeover bool) Compressor {
	w := c.flateCodec.NewCompressor(windowBits, takeover)
	if w == nil {
		return nil
	}
	return &faultyCompressor{w, c}
}

type faultyCompressor struct {
	Compressor
	codec *faultyCodec
}

func (c *faultyCompressor) Write(p []byte) (int, error) {
	if c.codec.write != nil {
		return 0, c.codec.write
	}
	return c.Compressor.Write(p)
}

func (c *faultyCompressor) Flush() error {
	if c.codec.flush != nil || c.codec.noFlush {
		return c.codec.flush
	}
	return c.Compressor.Flush()
}

// Any messages, through any window: what went in comes out, under its limit.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte("Hello Hello Hello"), uint8(5), true, uint8(0))
	f.Add(bytes.Repeat([]byte("0123456789abcdef"), 300), uint8(200), false, uint8(1))
	f.Add([]byte{}, uint8(1), true, uint8(7))
	f.Fuzz(func(t *testing.T, text []byte, part uint8, takeover bool, size uint8) {
		bits := minWindowBits + int(size)%8
		text = text[:min(len(text), 1<<13)]
		d, i := newDeflater(nil, takeover, bits), newInflater(takeover, bits)
		strict := strictInflater{window: 1 << bits}
		for rest := text; ; {
			n := min(len(rest), int(part)*7+100)
			message := rest[:n]
			p, err := d.compress(nil, message)
			if err != nil {
				t.Fatal(err)
			}
			if !takeover {
				strict.history = nil
			}
			if got, err := strict.message(p); err != nil || !bytes.Equal(got, message) {
				t.Fatalf("%d bits: %q became %q, %v", bits, message, got, err)
			}
			got, err := unpack(i, p, int64(n))
			if err != nil || !bytes.Equal(got, message) {
				t.Fatalf("%d bits: %q became %q, %v", bits, message, got, err)
			}
			if n > 0 {
				_, err = unpack(newInflater(takeover, bits), p, int64(n-1))
				if takeover && err == nil || !takeover && err != errMessageSize {
					t.Fatalf("limit %d passed by %d octets: %v", n-1, n, err)
				}
			}
			if rest = rest[n:]; len(rest) == 0 {
				return
			}
		}
	})
}

// Any octets as a compressed message: what they say, or a typed error; never more
// than the limit.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), uint16(100))
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), uint16(5))
	f.Add([]byte("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), uint16(4))
	f.Add([]byte("\x03\x00\x03\x00\x03\x00\x00"), uint16(0))
	f.Fuzz(func(t *testing.T, p []byte, limit uint16) {
		whole, wholeErr := unpack(newInflater(false, maxWindowBits), p, 1<<20)
		got, err := unpack(newInflater(true, maxWindowBits), p, int64(limit))
		if err != nil {
			if _, ok := errors.AsType[*frame.Error](err); !ok {
				t.Fatal(err)
			}
			if wholeErr == nil && (err != errMessageSize || len(whole) <= int(limit)) {
				t.Fatalf("limit %d: %v for %d octets", limit, err, len(whole))
			}
			return
		}
		if wholeErr != nil || !bytes.Equal(got, whole) || len(got) > int(limit) {
			t.Fatalf("limit %d: %q; without: %q, %v", limit, got, whole, wholeErr)
		}
		strict, err := (&strictInflater{window: 1 << 15}).message(p)
		if err == nil && !bytes.Equal(strict, whole) {
			t.Fatalf("got %q, strictly %q", whole, strict)
		}
	})
}
