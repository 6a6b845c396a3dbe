package message

import (
	"math/rand/v2"
	"testing"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/frame"
)

// header returns h as a client sends it, with an all-zero masking key.
func header(h frame.Header) []byte {
	h.Masked = true
	return h.Append(nil)
}

// show gives b to p, which must use all of it up, and returns the last event.
func show(t *testing.T, p *Parser, b []byte) Event {
	t.Helper()
	var last Event
	for {
		n, e, err := p.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != None {
			last = e
		}
		if b = b[n:]; len(b) == 0 {
			return last
		}
		if n == 0 {
			t.Fatalf("%d bytes are left", len(b))
		}
	}
}

// In mode Stream nothing of a message is held, so the message may have any length.
func TestOctetsHaveNoLimit(t *testing.T) {
	p := testParser(false)
	if p.SetMode(Stream); p.Mode() != Stream {
		t.Errorf("mode %d", p.Mode())
	}
	show(t, p, header(frame.Header{Fin: true, Opcode: frame.Binary, Length: 1 << 40}))
	piece := make([]byte, 64<<10)
	for came := 0; came < 4<<20; came += len(piece) { // four times the limit
		if e := show(t, p, piece); e.Kind != Part || e.Opcode != frame.Binary || e.Last || len(e.Payload) != len(piece) {
			t.Fatalf("got kind %d, %v, last %t, %d bytes", e.Kind, e.Opcode, e.Last, len(e.Payload))
		}
		if p.Room() != nil || p.collected != nil {
			t.Fatal("bytes are held")
		}
	}
}

// Fragments that are free of the limit may have any total length, even one that
// overflows. The bound on their number stays.
func TestOctetsFragments(t *testing.T) {
	r := newRules(false, false, 10)
	h := frame.Header{Opcode: frame.Binary, Length: 1<<63 - 1}
	for range 3 {
		if err := r.check(&h, true); err != nil {
			t.Fatal(err)
		}
		h.Opcode = frame.Continuation
	}
	r = newRules(false, false, 10)
	h = frame.Header{Opcode: frame.Binary}
	for n := 1; n <= freeFragments; n++ {
		if err := r.check(&h, true); err != nil {
			t.Fatalf("fragment %d: %v", n, err)
		}
		h.Opcode = frame.Continuation
	}
	if err := r.check(&h, true); err != errFragments {
		t.Errorf("one more: %v", err)
	}
}

// In mode Stream the limit applies to bytes that are collected.
func TestOctetsLimit(t *testing.T) {
	const limit = 1 << 20 // of testParser
	var z packer
	large := z.pack(make([]byte, limit+1))
	tests := []struct {
		name  string
		begin func(*testing.T, *Parser) // called before the mode becomes Stream
		b     []byte
	}{
		{"compressed, declared", nil, header(frame.Header{Fin: true, Rsv1: true, Opcode: frame.Binary, Length: 1 << 40})},
		{"compressed, inflated", nil, appendFrame(nil, frame.Header{Fin: true, Rsv1: true, Opcode: frame.Binary}, large)},
		{"collected before", func(t *testing.T, p *Parser) {
			show(t, p, appendFrame(nil, frame.Header{Opcode: frame.Binary}, make([]byte, 10)))
		}, header(frame.Header{Fin: true, Opcode: frame.Continuation, Length: limit - 9})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := testParser(true)
			if tt.begin != nil {
				tt.begin(t, p)
			}
			p.SetMode(Stream)
			if _, _, err := p.Next(tt.b); err != inflater.ErrMessageSize {
				t.Errorf("got %v", err)
			}
			p.Release()
		})
	}
}

// If a message began in mode Stream and continues in another mode, the limit
// applies to the rest of it.
func TestOctetsThenOtherwise(t *testing.T) {
	const limit = 1 << 20 // of testParser
	for _, mode := range []Mode{Whole, Parts} {
		for _, tt := range []struct {
			name   string
			length int64 // declared length of the frame
			came   int   // number of bytes that come in mode Stream
			want   error // result of the call that follows
		}{
			{"nothing has come", 1 << 40, 0, inflater.ErrMessageSize},
			{"some has come", 1 << 40, 100, inflater.ErrMessageSize},
			{"one byte too many is left", limit + 101, 100, inflater.ErrMessageSize},
			{"the limit is left", limit + 100, 100, nil},
		} {
			t.Run(tt.name, func(t *testing.T) {
				p := testParser(false)
				p.SetMode(Stream)
				show(t, p, header(frame.Header{Opcode: frame.Binary, Length: tt.length}))
				if tt.came > 0 {
					show(t, p, make([]byte, tt.came))
				}
				p.SetMode(mode)
				if p.Room() != nil {
					t.Error("there is room for what is not judged")
				}
				_, _, err := p.Next(nil)
				if err != tt.want {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				if err != nil {
					return
				}
				got := 0
				if e := show(t, p, make([]byte, limit)); mode == Parts {
					got = len(e.Payload)
				}
				if p.collected != nil && len(p.collected.B) != limit {
					t.Errorf("%d bytes are collected", len(p.collected.B))
				}
				// The limit is used up: one more byte is too much.
				_, _, err = p.Next(header(frame.Header{Fin: true, Opcode: frame.Continuation, Length: 1}))
				if err != inflater.ErrMessageSize || mode == Parts && got != limit {
					t.Errorf("after %d bytes: %v", got, err)
				}
				p.Release()
			})
		}
	}
}

// In mode Whole the rest of a message, after parts of it, is a Message.
func TestOctetsThenWhole(t *testing.T) {
	p := testParser(false)
	p.SetMode(Stream)
	b := appendFrame(nil, frame.Header{Fin: true, Opcode: frame.Text}, []byte("hello, world"))
	if e := show(t, p, b[:len(b)-5]); e.Kind != Part || string(e.Payload) != "hello, " || e.Last {
		t.Fatalf("got kind %d, %q", e.Kind, e.Payload)
	}
	p.SetMode(Whole)
	if e := show(t, p, b[len(b)-5:]); e.Kind != Message || string(e.Payload) != "world" || !e.Last || e.Opcode != frame.Text {
		t.Fatalf("got kind %d, %q", e.Kind, e.Payload)
	}
	p.Settle()
	if p.collected != nil || p.UnderWay() {
		t.Error("bytes are held after the message")
	}
}

// However the mode changes, even inside messages, the parser collects no more bytes
// than the limit allows.
func TestOctetsCollectWithinLimit(t *testing.T) {
	const limit = 1000
	ended, passed := 0, 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 4))
		var stream []byte
		h := frame.Header{Opcode: frame.Binary}
		for i := range 20 {
			h.Fin = r.IntN(3) == 0 || i == 19
			stream = appendFrame(stream, h, make([]byte, r.IntN(1+r.IntN(2*limit))))
			h.Opcode = frame.Continuation
			if h.Fin {
				h.Opcode = frame.Binary
			}
		}
		p := New(Options{Masked: true, Limit: limit})
		mode := Stream
		for buffered := 0; ; {
			if r.IntN(10) == 0 {
				mode = Mode(r.IntN(3))
			}
			p.SetMode(mode)
			n, e, err := p.Next(stream[:buffered])
			if p.collected != nil && len(p.collected.B) > limit || e.Kind == Message && len(e.Payload) > limit {
				t.Fatalf("seed %d: %d bytes are collected", seed, len(p.collected.B))
			}
			if err != nil {
				if err != inflater.ErrMessageSize {
					t.Fatalf("seed %d: %v", seed, err)
				}
				ended++
				break
			}
			stream = stream[n:]
			buffered -= n
			if n > 0 || e.Kind != None {
				p.Settle()
				continue
			}
			if buffered == len(stream) {
				passed++
				break
			}
			buffered = min(len(stream), buffered+1+r.IntN(300))
		}
		p.Release()
	}
	if ended == 0 || passed == 0 {
		t.Errorf("%d streams were refused, %d were not", ended, passed)
	}
}
