package message

import (
	"errors"
	"math"
	"testing"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/frame"
)

// send gives r the header of one unmasked frame.
func send(r *rules, op frame.Opcode, length int64, fin, rsv1 bool) error {
	return r.check(&frame.Header{Fin: fin, Rsv1: rsv1, Opcode: op, Length: length}, false)
}

func TestRulesMessageSize(t *testing.T) {
	const limit, bound = 1 << 20, 1<<20 + 1<<17 + 1<<10
	tests := []struct {
		name   string
		limit  int64
		rsv1   bool
		frames []int64 // lengths; the last one has FIN
		want   error
	}{
		{"one byte below", limit, false, []int64{limit - 1}, nil},
		{"the limit", limit, false, []int64{limit}, nil},
		{"one byte over", limit, false, []int64{limit + 1}, inflater.ErrMessageSize},
		{"fragments to the limit", limit, false, []int64{1, limit - 2, 0, 1}, nil},
		{"fragments over it", limit, false, []int64{1, limit - 2, 0, 2}, inflater.ErrMessageSize},
		{"compressed, all that it may take", limit, true, []int64{bound}, nil},
		{"compressed, more", limit, true, []int64{bound + 1}, inflater.ErrMessageSize},
		{"compressed fragments, all", limit, true, []int64{limit, bound - limit}, nil},
		{"compressed fragments, more", limit, true, []int64{limit, bound - limit + 1}, inflater.ErrMessageSize},
		{"limit 0", 0, false, []int64{0, 0}, nil},
		{"limit 0, one byte", 0, false, []int64{0, 1}, inflater.ErrMessageSize},
		{"greatest limit", math.MaxInt64, false, []int64{math.MaxInt64}, nil},
		{"greatest limit, compressed", math.MaxInt64, true, []int64{math.MaxInt64}, nil},
		{"a sum that overflows", math.MaxInt64, false, []int64{1, math.MaxInt64}, inflater.ErrMessageSize},
		{"greatest limit, compressed fragments", math.MaxInt64, true, []int64{math.MaxInt64, 0}, nil},
		{"a sum that overflows, compressed", math.MaxInt64, true, []int64{math.MaxInt64, math.MaxInt64}, inflater.ErrMessageSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRules(false, true, tt.limit)
			for again := range 2 { // the second message starts from nothing
				op := frame.Binary
				var err error
				for i, length := range tt.frames {
					fin := i == len(tt.frames)-1
					err = send(&r, op, length, fin, tt.rsv1 && i == 0)
					if !fin && err != nil {
						t.Fatalf("frame %d: %v", i, err)
					}
					op = frame.Continuation
				}
				if err != tt.want {
					t.Fatalf("message %d: got %v, want %v", again, err, tt.want)
				}
				if err != nil {
					break
				}
			}
		})
	}
}

// The bound of compressed bytes is exact up to limits for which it would overflow.
func TestCompressedBound(t *testing.T) {
	for _, tt := range []struct{ limit, want int64 }{
		{0, 1024},
		{80, 80 + 10 + 1024},
		{8_190_000_000_000_000_000, 8_190_000_000_000_000_000/8*9 + 1024},
		{8_200_000_000_000_000_000, math.MaxInt64},
		{math.MaxInt64 - 2000, math.MaxInt64},
	} {
		if got := compressedBound(tt.limit); got != tt.want {
			t.Errorf("limit %d: %d, want %d", tt.limit, got, tt.want)
		}
	}
}

func TestRulesFragments(t *testing.T) {
	tests := []struct {
		name   string
		length int64 // length of each fragment
		last   int   // number of the last fragment that is accepted; 0 if all 1<<17 are
	}{
		{"empty", 0, 1024},
		{"one byte", 1, 1092}, // 1024 + 1092/16
		{"15 bytes", 15, 16384},
		{"16 bytes", 16, 0},
		{"64 bytes", 64, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRules(false, false, math.MaxInt64)
			op, refused := frame.Text, 0
			for n := 1; n <= 1<<17; n++ {
				if err := send(&r, op, tt.length, false, false); err != nil {
					if err != errFragments {
						t.Fatal(err)
					}
					refused = n
					break
				}
				op = frame.Continuation
			}
			if want := tt.last + 1; tt.last != 0 && refused != want || tt.last == 0 && refused != 0 {
				t.Errorf("refused is fragment %d, want %d", refused, want)
			}
		})
	}
}

// For any headers: the accepted frames are a legal sequence, control frames do not
// change the state, and each refusal carries a status code.
func FuzzRules(f *testing.F) {
	f.Add([]byte{0x81, 0x00}, false, false)
	f.Add([]byte{0x01, 0x80, 1, 2, 3, 4, 0x89, 0x80, 1, 2, 3, 4, 0x80, 0x80, 1, 2, 3, 4}, true, false)
	f.Add([]byte{0x41, 0x05, 0x00, 0x7E, 0x10, 0x00, 0x80, 0x00, 0xC2, 0x00}, false, true)
	f.Add([]byte{0x02, 0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0x01}, false, false)
	f.Fuzz(func(t *testing.T, stream []byte, server, deflate bool) {
		const limit = 1 << 16
		r := newRules(server, deflate, limit)
		var message []frame.Header // frames of the current message
		for {
			h, n, err := frame.Parse(stream)
			if n == 0 || err != nil {
				return
			}
			stream = stream[n:]
			before := r
			if err := r.check(&h, false); err != nil {
				checkRefusal(t, err)
				return
			}
			if h.Rsv2 || h.Rsv3 || h.Opcode.IsReserved() || h.Masked != server {
				t.Fatalf("accepted %+v", h)
			}
			if h.Opcode.IsControl() {
				if !h.Fin || h.Length > 125 || h.Rsv1 || r != before {
					t.Fatalf("accepted %+v, %+v became %+v", h, before, r)
				}
				continue
			}
			message = append(message, h)
			checkMessage(t, message, deflate, limit)
			if r.open == h.Fin {
				t.Fatalf("open = %t after %+v", r.open, h)
			}
			if h.Fin {
				message = nil
			}
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*frame.Error](err)
	if !ok || e.Reason == "" {
		t.Fatalf("refused with %#v", err)
	}
	switch e.Code {
	case frame.StatusProtocolError, frame.StatusPolicyViolation, frame.StatusMessageTooBig:
	default:
		t.Fatalf("refused with %v", e)
	}
}

// checkMessage checks the accepted frames of one message against RFC 6455, section
// 5.4, and the limits.
func checkMessage(t *testing.T, frames []frame.Header, deflate bool, limit uint64) {
	t.Helper()
	var sum uint64
	for i, h := range frames {
		sum += uint64(h.Length)
		first, last := i == 0, i == len(frames)-1
		switch {
		case first == (h.Opcode == frame.Continuation),
			!last && h.Fin,
			h.Rsv1 && !(first && deflate):
			t.Fatalf("accepted as frame %d: %+v", i, h)
		}
	}
	if frames[0].Rsv1 {
		limit = limit*9/8 + 1024
	}
	if sum > limit || uint64(len(frames)) > 1024+sum/16 {
		t.Fatalf("accepted %d bytes in %d frames", sum, len(frames))
	}
}

func TestRulesAllocateNothing(t *testing.T) {
	r := newRules(true, false, 1<<20)
	legal := frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Length: 16}
	illegal := frame.Header{Fin: true, Opcode: frame.Continuation, Masked: true}
	allocs := testing.AllocsPerRun(100, func() {
		if r.check(&legal, false) != nil || r.check(&illegal, false) == nil {
			t.Error("wrong verdict")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
