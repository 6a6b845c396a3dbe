package message

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/race"
)

// Take gives away a collected message that fills its buffer, copies any other
// payload, and never returns nil.
func TestTake(t *testing.T) {
	for _, size := range []int{0, 5, pool.Small - 100, pool.Large, 1 << 20} {
		for _, fragments := range []int{1, 2} {
			want := bytes.Repeat([]byte("x"), size)
			p := testParser(false)
			var b []byte
			if fragments == 2 {
				b = appendFrame(b, frame.Header{Opcode: frame.Binary}, want[:size/2])
				b = appendFrame(b, frame.Header{Fin: true, Opcode: frame.Continuation}, want[size/2:])
			} else {
				b = appendFrame(b, frame.Header{Fin: true, Opcode: frame.Binary}, want)
			}
			e := show(t, p, b)
			collected := p.collected != nil
			got := p.Take(e)
			if away, fills := collected && p.collected == nil, collected && size > pool.Small/2; away != fills {
				t.Errorf("%d bytes in %d: given away %t, want %t", size, fragments, away, fills)
			}
			p.Settle() // poisons the bytes, unless Take gave them away
			clear(b)
			if got == nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes in %d: Take returns something else", size, fragments)
			}
		}
	}
}

// Need returns the length of a frame that is completed in place, and the number of
// missing bytes of a payload that is not.
func TestNeed(t *testing.T) {
	p := testParser(false)
	if got := p.Need(); got != 0 {
		t.Errorf("between frames: %d", got)
	}
	b := appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Binary}, make([]byte, 1000))
	if n, e, err := p.Next(b[:500]); n != 0 || e.Kind != None || err != nil || p.Need() != len(b) || !p.UnderWay() {
		t.Errorf("inside a frame: %d, kind %d, %v; need %d, want %d", n, e.Kind, err, p.Need(), len(b))
	}
	show(t, p, b)
	show(t, p, header(frame.Header{Opcode: frame.Binary, Length: 1 << 20}))
	if got := p.Need(); got != pool.Large {
		t.Errorf("with much missing: %d", got)
	}
	show(t, p, make([]byte, 1<<20-1))
	if got := p.Need(); got != 1 {
		t.Errorf("with one byte missing: %d", got)
	}
	p.Release()
}

// Room is nil for a frame that is completed in place, both while it comes and when it is there.
func TestNoRoomInPlace(t *testing.T) {
	p := testParser(false)
	b := appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Binary}, make([]byte, 2*directly))
	for _, came := range []int{directly / 2, len(b)} {
		n, _, err := p.Next(b[:came])
		if whole := n == len(b); err != nil || whole != (came == len(b)) {
			t.Fatalf("%d of %d bytes: %d are used up, %v", came, len(b), n, err)
		}
		if p.Room() != nil {
			t.Errorf("there is room after %d of %d bytes", came, len(b))
		}
	}
}

// A frame of up to pool.Large bytes, were its header the longest, is completed in place, so
// that Need never asks for a larger buffer. The payload of a longer one is collected.
func TestLongestInPlace(t *testing.T) {
	for _, tt := range []struct {
		length int64
		want   place
	}{
		{pool.Large - frame.MaxHeaderLen, inFront},
		{pool.Large - frame.MaxHeaderLen + 1, apart},
	} {
		p := testParser(false)
		if _, _, err := p.Next(header(frame.Header{Fin: true, Opcode: frame.Binary, Length: tt.length})); err != nil {
			t.Fatal(err)
		}
		if p.place != tt.want || p.Need() > pool.Large {
			t.Errorf("payload of %d bytes: place %d, want %d; need %d", tt.length, p.place, tt.want, p.Need())
		}
	}
}

// There is room for 16 KiB and more of a payload, at first for 64 KiB of them, and for less
// there is none.
func TestRoom(t *testing.T) {
	for _, tt := range []struct{ missing, want int }{
		{1 << 20, pool.Large},
		{16 << 10, 16 << 10},
		{16<<10 - 1, 0},
		{1, 0},
	} {
		p := testParser(false)
		show(t, p, header(frame.Header{Opcode: frame.Binary, Length: int64(tt.missing)}))
		if got := len(p.Room()); got != tt.want {
			t.Errorf("%d bytes are missing: room for %d, want %d", tt.missing, got, tt.want)
		}
		p.Release()
	}
}

// What Take returns is the event's, even while a message is being collected.
func TestTakeBetween(t *testing.T) {
	p := testParser(false)
	b := appendFrame(nil, frame.Header{Opcode: frame.Binary}, make([]byte, pool.Large))
	e := show(t, p, appendFrame(b, frame.Header{Fin: true, Opcode: frame.Ping}, []byte("ping")))
	if got := string(p.Take(e)); got != "ping" || p.collected == nil {
		t.Errorf("%d bytes, collected %t", len(got), p.collected != nil)
	}
	p.Release()
}

// A length that is not in its shortest form (RFC 6455, section 5.2) is an error
// unless the parser is lenient.
func TestLenientLength(t *testing.T) {
	b := []byte{0x82, 0x80 | 126, 0, 1, 0, 0, 0, 0, 'x'}
	for _, lenient := range []bool{false, true} {
		p := New(Options{Masked: true, Limit: 10, LenientLength: lenient})
		_, e, err := p.Next(bytes.Clone(b))
		if lenient && (err != nil || string(e.Payload) != "x") || !lenient && err != frame.ErrLengthForm {
			t.Errorf("lenient %t: %q, %v", lenient, e.Payload, err)
		}
	}
}

// A lenient parser refuses all other headers that are wrong.
func TestLenientInNothingElse(t *testing.T) {
	p := New(Options{Masked: true, Limit: 10, LenientLength: true})
	if _, _, err := p.Next([]byte{0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x'}); err == nil || err == frame.ErrLengthForm {
		t.Errorf("the highest bit of a length: %v", err)
	}
}

// Text that is not UTF-8 is an error with 1007 in every place that checks text.
func TestTextErrors(t *testing.T) {
	var z packer
	large := bytes.Repeat([]byte("a"), 100_000)
	tests := []struct {
		name string
		mode Mode
		b    []byte
	}{
		{"short", Whole, appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, []byte("\xff"))},
		{"short, ends inside a character", Whole, appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, []byte("\xc3"))},
		{"in place", Whole, appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, append(large[:200:200], 0xff))},
		{"in place, ends inside a character", Whole, appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, append(large[:200:200], 0xc3))},
		{"collected", Whole, appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, append(large, 0xff))},
		{"in parts", Parts, appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, []byte("a\xff"))},
		{"in mode Stream", Stream, appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, []byte("a\xc3"))},
		{"compressed, ends inside a character", Whole, appendFrame(nil, frame.Header{Fin: true, Rsv1: true, Opcode: frame.Text}, new(packer).pack([]byte("a\xc3")))},
		{"compressed", Whole, appendFrame(nil, frame.Header{Fin: true, Rsv1: true, Opcode: frame.Text}, z.pack([]byte("a\xff")))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := testParser(true)
			p.SetMode(tt.mode)
			_, _, err := p.Next(tt.b)
			if e, ok := errors.AsType[*frame.Error](err); !ok || e.Code != frame.StatusInvalidPayload {
				t.Errorf("got %v", err)
			}
			p.Release()
		})
	}
}

// A view ends where the next frame begins, so that nothing appended to it destroys that.
func TestViewsEnd(t *testing.T) {
	for name, h := range map[string]frame.Header{
		"short":   {Fin: true, Opcode: frame.Text, Length: 5},
		"longer":  {Fin: true, Opcode: frame.Binary, Length: 200},
		"control": {Fin: true, Opcode: frame.Ping, Length: 5},
	} {
		p := testParser(false)
		b := appendFrame(nil, h, make([]byte, h.Length))
		_, e, err := p.Next(append(b, b...))
		if err != nil || len(e.Payload) != int(h.Length) || cap(e.Payload) != int(h.Length) {
			t.Errorf("%s: %d bytes of %d, %v; want %d of %d", name, len(e.Payload), cap(e.Payload), err, h.Length, h.Length)
		}
	}
}

// Filled unmasks and checks bytes as Next does.
func TestFilled(t *testing.T) {
	for _, masked := range []bool{false, true} {
		p := New(Options{Masked: masked, Limit: 1 << 20})
		want := bytes.Repeat([]byte("Grüße "), 20_000)
		b := appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, want)
		if !masked {
			b = append(frame.Header{Fin: true, Opcode: frame.Text, Length: int64(len(want))}.Append(nil), want...)
		}
		size := len(b) - len(want)
		if n, e, err := p.Next(b[:size]); n != size || e.Kind != None || err != nil {
			t.Fatal(n, e.Kind, err)
		}
		rest := b[size:]
		var e Event
		for len(rest) > 0 {
			room := p.Room()
			if room == nil { // fewer bytes are missing than Room is for
				e = show(t, &p, rest)
				break
			}
			n := copy(room[:min(len(room), 30_001)], rest)
			rest = rest[n:]
			var err error
			if e, err = p.Filled(n); err != nil {
				t.Fatal(err)
			}
		}
		if e.Kind != Message || !bytes.Equal(e.Payload, want) {
			t.Errorf("masked %t: kind %d, %d bytes", masked, e.Kind, len(e.Payload))
		}
		p.Release()
	}
}

// A Parser allocates nothing for frames that are completed in place.
func TestParserAllocatesNothing(t *testing.T) {
	p := testParser(false)
	stream := appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Binary}, make([]byte, 100))
	for _, mode := range []Mode{Whole, Parts, Stream} {
		p.SetMode(mode)
		allocs := testing.AllocsPerRun(100, func() {
			if n, e, err := p.Next(stream); n != len(stream) || e.Kind == None || err != nil {
				t.Error(n, e.Kind, err)
			}
			p.Settle()
		})
		if allocs != 0 {
			t.Errorf("mode %d: %v allocations", mode, allocs)
		}
	}
}

// It allocates nothing for a compressed message, short or long, once its buffers
// are in their pools.
func TestInflationAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("pools forget at random under the race detector")
	}
	for _, size := range []int{100, 10 << 10, 500 << 10} {
		plain := make([]byte, size)
		rand.NewChaCha8([32]byte{}).Read(plain) // of which nothing can be made shorter
		p := New(Options{Inflater: inflater.New(false, 15), Limit: 1 << 20})
		packed := new(packer).pack(plain)
		head := frame.Header{Fin: true, Rsv1: true, Opcode: frame.Binary, Length: int64(len(packed))}.Append(nil)
		stream := append(head, packed...)
		allocs := testing.AllocsPerRun(20, func() {
			for rest := stream; len(rest) > 0; {
				n, e, err := p.Next(rest)
				if rest = rest[n:]; err != nil || len(rest) == 0 && len(e.Payload) != size {
					t.Fatal(n, e.Kind, err)
				}
			}
			p.Settle()
		})
		if allocs != 0 {
			t.Errorf("%d bytes: %v allocations", size, allocs)
		}
	}
}

// A read that has given up with nothing of a payload in hand leaves the message
// to one that wants it in parts.
func TestHeaderThenParts(t *testing.T) {
	for _, mode := range []Mode{Parts, Stream} {
		p := testParser(false)
		b := appendFrame(nil, frame.Header{Opcode: frame.Binary}, []byte("abcd"))
		if e := show(t, p, b[:len(b)-4]); e.Kind != None {
			t.Fatalf("kind %d", e.Kind)
		}
		p.SetMode(mode)
		if e := show(t, p, b[len(b)-4:len(b)-2]); e.Kind != Part || string(e.Payload) != "ab" {
			t.Errorf("mode %d: kind %d, %q; want a part", mode, e.Kind, e.Payload)
		}
	}
}

// An Event is small enough to stay in registers: the compiler keeps a struct of
// up to four words and four fields there.
func TestEventSize(t *testing.T) {
	event := reflect.TypeFor[Event]()
	if word := reflect.TypeFor[uintptr]().Size(); event.Size() > 4*word || event.NumField() > 4 {
		t.Errorf("an Event has %d bytes and %d fields", event.Size(), event.NumField())
	}
}
