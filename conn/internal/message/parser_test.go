package message

import (
	"bytes"
	"compress/flate"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

func init() { pool.Poison = true }

// testParser returns the parser of a server. With deflate it has context takeover.
func testParser(deflate bool) *Parser {
	o := Options{Masked: true, Limit: 1 << 20}
	if deflate {
		o.Inflater = inflater.New(true, 15)
	}
	p := New(o)
	return &p
}

// A delivery is a message or a control frame that a parser found in a stream.
type delivery struct {
	op      frame.Opcode
	payload string
}

// run gives stream to p in pieces, as a connection does: bytes that p has not used
// up are given to it again, together with the next piece. chunk returns the length
// of each piece. Large payloads go through Room and Filled. Used bytes are
// overwritten. mode returns the mode; run calls it wherever one read may follow
// another.
func run(p *Parser, stream []byte, mode func() Mode, chunk func() int) (got []delivery, err error) {
	var buffered []byte
	var part []byte
	take := func(n int) []byte {
		n = min(n, len(stream))
		b := stream[:n]
		stream = stream[n:]
		return b
	}
	begun := false // a part was handed out, and its message goes on
	for {
		if !begun {
			p.SetMode(mode())
		}
		n, e, err := p.Next(buffered)
		if err != nil {
			return got, err
		}
		if n == 0 && e.Kind != None {
			return got, errors.New("an event without a byte")
		}
		if n == 0 {
			if len(stream) == 0 {
				return got, nil
			}
			if room := p.Room(); room != nil && len(buffered) == 0 {
				e, err = p.Filled(copy(room, take(min(len(room), chunk()))))
				if err != nil {
					return got, err
				}
			} else {
				buffered = append(bytes.Clone(buffered), take(chunk())...)
			}
		}
		switch e.Kind {
		case Control, Message:
			if !e.Last {
				return got, errors.New("a whole message is not its last part")
			}
			got = append(got, delivery{e.Opcode, string(e.Payload)})
			p.Settle()
		case Part:
			begun = !e.Last
			part = append(part, e.Payload...)
			if e.Last {
				got = append(got, delivery{e.Opcode, string(part)})
				part = nil
				p.Settle()
			}
		}
		for i := range buffered[:n] {
			buffered[i] = 0xDB
		}
		buffered = buffered[n:]
	}
}

// always returns a function that always returns m.
func always(m Mode) func() Mode { return func() Mode { return m } }

// sometimes returns a function that returns a random mode.
func sometimes(r *rand.Rand) func() Mode { return func() Mode { return Mode(r.IntN(3)) } }

// A packer compresses messages with context takeover.
type packer struct {
	out bytes.Buffer
	w   *flate.Writer
}

func (z *packer) pack(p []byte) []byte {
	if z.w == nil {
		z.w, _ = flate.NewWriter(&z.out, flate.DefaultCompression)
	}
	z.out.Reset()
	z.w.Write(p)
	z.w.Flush()
	return bytes.Clone(z.out.Bytes()[:z.out.Len()-4])
}

// appendFrame appends a frame as a client sends it.
func appendFrame(b []byte, h frame.Header, p []byte) []byte {
	h.Masked, h.MaskKey, h.Length = true, [4]byte{byte(len(b)), 0x37, 0xFA, 0x21}, int64(len(p))
	b = h.Append(b)
	n := len(b)
	b = append(b, p...)
	mask.Bytes(b[n:], h.MaskKey, 0)
	return b
}

// randomStream returns a legal stream and the deliveries that it contains. It is the
// oracle: it knows the messages because it made them.
func randomStream(r *rand.Rand, deflate bool) (stream []byte, want []delivery) {
	var z packer
	for range 1 + r.IntN(6) {
		p := bytes.Repeat([]byte("Grüße "), r.IntN(4))
		if r.IntN(4) == 0 {
			p = bytes.Repeat([]byte("wellen€"), r.IntN(20000))
		}
		h := frame.Header{Opcode: frame.Text + frame.Opcode(r.IntN(2))}
		want = append(want, delivery{h.Opcode, string(p)})
		if deflate && r.IntN(2) == 0 {
			h.Rsv1 = true
			p = z.pack(p)
		}
		var pings []delivery
		for fragment := 0; ; fragment++ {
			n := len(p)
			if r.IntN(3) > 0 {
				n = r.IntN(len(p) + 1)
			}
			h.Fin = fragment == 5 || n == len(p) && r.IntN(2) == 0
			if h.Fin {
				n = len(p)
			}
			stream = appendFrame(stream, h, p[:n])
			p = p[n:]
			if h.Fin {
				break
			}
			h.Opcode, h.Rsv1 = frame.Continuation, false
			if r.IntN(3) == 0 {
				ping := delivery{frame.Ping, "ping"}
				stream = appendFrame(stream, frame.Header{Fin: true, Opcode: frame.Ping}, []byte(ping.payload))
				pings = append(pings, ping)
			}
		}
		message := want[len(want)-1]
		want = append(append(want[:len(want)-1], pings...), message)
	}
	return stream, want
}

// TestParserChunks checks that a stream gives the same deliveries in any pieces.
func TestParserChunks(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		deflate := seed%2 == 0
		stream, want := randomStream(r, deflate)
		limit := 1 + r.IntN(1+len(stream))
		p := testParser(deflate)
		modes := []func() Mode{always(Whole), always(Parts), always(Stream), sometimes(r)}
		got, err := run(p, bytes.Clone(stream), modes[seed/2%4], func() int { return 1 + r.IntN(limit) })
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		compareDeliveries(t, seed, got, want)
		if p.UnderWay() || p.collected != nil {
			t.Errorf("seed %d: something is under way or held after the last message", seed)
		}
	}
}

func compareDeliveries(t *testing.T, seed uint64, got, want []delivery) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("seed %d: event %d is %v with %d bytes, want %v with %d", seed, i,
				got[i].op, len(got[i].payload), want[i].op, len(want[i].payload))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("seed %d: %d events, want %d", seed, len(got), len(want))
	}
}

// FuzzParser gives any bytes to a parser, at once and in pieces. The deliveries and
// the error must be the same.
func FuzzParser(f *testing.F) {
	for seed := range uint64(8) {
		stream, _ := randomStream(rand.New(rand.NewPCG(seed, 2)), seed%2 == 0)
		if len(stream) < 4096 {
			f.Add(stream, seed, seed%2 == 0)
		}
	}
	f.Add([]byte{0x81, 0x82, 0, 0, 0, 0, 0xC3, 0x28}, uint64(1), false)
	f.Add([]byte{0xC1, 0x83, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF}, uint64(1), true)
	f.Add([]byte{0x82, 0xFF, 0, 0, 0, 0, 0, 0x0F, 0xFF, 0xFF, 1, 2, 3, 4, 5}, uint64(3), false)
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64, deflate bool) {
		stream = stream[:min(len(stream), 1<<14)] // more takes too long in small pieces
		whole, wholeErr := run(testParser(deflate), bytes.Clone(stream), always(Whole), func() int { return len(stream) })
		r := rand.New(rand.NewPCG(seed, 3))
		for _, m := range []struct {
			name string
			mode func() Mode
		}{
			{"whole", always(Whole)},
			{"parts", always(Parts)},
			{"either", func() Mode { return Mode(r.IntN(2)) }},
		} {
			got, err := run(testParser(deflate), bytes.Clone(stream), m.mode, func() int { return 1 + r.IntN(9) })
			if err != wholeErr {
				t.Fatalf("in pieces (%s): %v, at once: %v", m.name, err, wholeErr)
			}
			compareDeliveries(t, seed, got, whole)
		}
		// Without the limit the parser may go on where it stopped before.
		got, err := run(testParser(deflate), bytes.Clone(stream), always(Stream), func() int { return 1 + r.IntN(9) })
		if wholeErr == inflater.ErrMessageSize && len(got) >= len(whole) {
			got = got[:len(whole)]
		} else if err != wholeErr {
			t.Fatalf("in pieces (octets): %v, at once: %v", err, wholeErr)
		}
		compareDeliveries(t, seed, got, whole)
	})
}

// TestParserGrowth declares a large payload: memory is taken for the bytes that
// come, not for those that are declared.
func TestParserGrowth(t *testing.T) {
	p := testParser(false)
	h := frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, Length: 1 << 20}
	if n, e, err := p.Next(h.Append(nil)); n == 0 || e.Kind != None || err != nil {
		t.Fatal(n, e, err)
	}
	for came := 0; came < 1<<20; {
		room := p.Room()
		if room == nil {
			break
		}
		if c, most := cap(p.collected.B), max(pool.Large, 2*came); c > most && c > bufferSize(most) {
			t.Fatalf("capacity %d after %d bytes", c, came)
		}
		n := min(len(room), 10000)
		if _, err := p.Filled(n); err != nil {
			t.Fatal(err)
		}
		came += n
	}
}

// bufferSize returns the size of the pooled buffer that holds n bytes.
func bufferSize(n int) int {
	b := pool.Get(n)
	defer pool.Put(b)
	return cap(b.B)
}
