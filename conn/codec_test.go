package conn

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/strictinflate"
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
func unpack(i *inflater.Inflater, p []byte, limit int64) ([]byte, error) {
	b, err := i.Inflate(pool.Get(0), p, limit)
	if err != nil {
		return nil, err
	}
	return b.B, nil
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
			if _, err := unpack(inflater.New(takeover, maxWindowBits), p, 100); err != nil {
				t.Fatal(err)
			}
			// A copy from just before the message's beginning.
			got, err := unpack(inflater.New(takeover, maxWindowBits), unhex(t, "02 13 00 00"), 100)
			if err == nil {
				t.Errorf("inflater: got %q, %v", got, err)
			}
			mine, err := b.compress(nil, []byte("the password is unknown"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (&strictinflate.Inflater{Window: 1 << 15}).Message(mine); err != nil {
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
			d := newDeflater(nil, takeover, bits)
			dst := make([]byte, 0, 8000)
			for range 10 { // fill the window
				if _, err := d.compress(dst, text); err != nil {
					t.Fatal(err)
				}
			}
			if allocs := testing.AllocsPerRun(100, func() { d.compress(dst, text) }); allocs != 0 {
				t.Errorf("takeover %t, %d bits: %v allocations", takeover, bits, allocs)
			}
		}
	}
}

// A compressor that takes a dictionary is pooled, with context takeover too: a
// connection has its window alone. One that takes none is made for a connection,
// once.
func TestTakeoverCompressors(t *testing.T) {
	for _, tt := range []struct {
		codec Codec
		own   int
	}{{flateCodec{}, 1}, {dictCodec{}, 0}} {
		codec := &askedCodec{Codec: tt.codec}
		d := newDeflater(codec, true, maxWindowBits)
		for range 3 {
			if _, err := d.compress(nil, []byte("the same again")); err != nil {
				t.Fatal(err)
			}
		}
		if codec.own != tt.own {
			t.Errorf("%T: %d compressors for one connection alone, want %d", tt.codec, codec.own, tt.own)
		}
	}
}

// What a codec has for a window is asked once, and known to the connections that follow.
func TestCodecIsAskedOnce(t *testing.T) {
	codec := &askedCodec{Codec: flateCodec{}}
	for range 3 {
		newDeflater(codec, false, minWindowBits)
	}
	if codec.asked != 1 {
		t.Errorf("asked %d times", codec.asked)
	}
}

// An askedCodec counts how often it is asked for a compressor, and for one of a connection's
// own.
type askedCodec struct {
	Codec
	asked, own int
}

func (c *askedCodec) NewCompressor(windowBits int, takeover bool) Compressor {
	c.asked++
	if takeover {
		c.own++
	}
	return c.Codec.NewCompressor(windowBits, takeover)
}

// What is shorter than Compression.MinSize is not compressed.
func TestCompressionMinSize(t *testing.T) {
	agreed := &handshake.Deflate{ServerMaxWindowBits: maxWindowBits, ClientMaxWindowBits: maxWindowBits}
	for _, tt := range []struct{ minSize, shortest int }{{0, 128}, {1, 1}, {500, 500}, {-1, 0}} {
		d := newDeflation(RoleServer, agreed, Compression{MinSize: tt.minSize})
		for _, n := range []int{tt.shortest - 1, tt.shortest} {
			if n >= 0 && d.applies(make([]byte, n)) != (n == tt.shortest) {
				t.Errorf("MinSize %d: %d bytes are compressed: %t", tt.minSize, n, d.applies(make([]byte, n)))
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
		{"first write fails", &faultyCodec{write: broken, once: true}, broken},
		{"flush fails", &faultyCodec{flush: broken}, broken},
		{"flush does nothing", &faultyCodec{noFlush: true}, errCodec},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, bits := range []int{minWindowBits, maxWindowBits} {
				if tt.codec.once {
					tt.codec.write = broken
				}
				d := newDeflater(tt.codec, false, bits)
				got, err := d.compress([]byte("dst"), make([]byte, 1000))
				if err != tt.want || err != nil && string(got) != "dst" {
					t.Errorf("%d bits: %q, %v", bits, got, err)
				}
			}
		})
	}
}

// What a codec can't compress is not sent: whichever call it was fails, and the connection lives.
func TestFaultyCodecFailsCalls(t *testing.T) {
	broken := errors.New("broken")
	text := []byte("text")
	for _, takeover := range []bool{false, true} {
		s := &recipient{}
		c := must(New(&handshake.Result{Conn: s, Deflate: &handshake.Deflate{
			ServerNoContextTakeover: !takeover, ServerMaxWindowBits: maxWindowBits, ClientMaxWindowBits: maxWindowBits,
		}}, RoleServer, &Options{Compression: Compression{Codec: &faultyCodec{write: broken}, MinSize: -1}}))
		for name, send := range map[string]func() error{
			"Write":         func() error { return c.Write(t.Context(), Text, text) },
			"WritePrepared": func() error { return c.WritePrepared(t.Context(), NewPrepared(Text, text)) },
			"Send":          func() error { return c.Send(NewPrepared(Text, text)) },
			"Writer": func() error {
				w := must(c.Writer(t.Context(), Text))
				must(w.Write(text))
				return w.Close()
			},
		} {
			if err := send(); err != broken || s.writes > 0 || !c.life.is(open) {
				t.Errorf("takeover %t, %s: %v, %d writes", takeover, name, err, s.writes)
			}
		}
		c.CloseNow()
	}
}

// A faultyCodec is compress/flate but for what it is told to do wrong.
type faultyCodec struct {
	flateCodec
	write, flush error
	once         bool // the write of a message's first part alone fails
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
	if err := c.codec.write; err != nil {
		if c.codec.once {
			c.codec.write = nil
		}
		return 0, err
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
		d, i := newDeflater(nil, takeover, bits), inflater.New(takeover, bits)
		strict := strictinflate.Inflater{Window: 1 << bits}
		for rest := text; ; {
			n := min(len(rest), int(part)*7+100)
			message := rest[:n]
			p, err := d.compress(nil, message)
			if err != nil {
				t.Fatal(err)
			}
			if !takeover {
				strict.History = nil
			}
			if got, err := strict.Message(p); err != nil || !bytes.Equal(got, message) {
				t.Fatalf("%d bits: %q became %q, %v", bits, message, got, err)
			}
			got, err := unpack(i, p, int64(n))
			if err != nil || !bytes.Equal(got, message) {
				t.Fatalf("%d bits: %q became %q, %v", bits, message, got, err)
			}
			if n > 0 {
				_, err = unpack(inflater.New(takeover, bits), p, int64(n-1))
				if takeover && err == nil || !takeover && err != inflater.ErrMessageSize {
					t.Fatalf("limit %d passed by %d octets: %v", n-1, n, err)
				}
			}
			if rest = rest[n:]; len(rest) == 0 {
				return
			}
		}
	})
}
