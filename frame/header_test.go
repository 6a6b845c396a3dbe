package frame_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/parleyws/parley/frame"
)

// unhex reads bytes written as hexadecimal digits, with spaces for the eye.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// key is the masking key of the samples in RFC 6455, section 5.7.
var key = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// golden holds headers and their bytes. Rows that name a section are the samples
// of RFC 6455; the other rows are at the edges of the length forms.
var golden = []struct {
	name   string
	wire   string
	header frame.Header
}{
	{"5.7 single-frame unmasked text message", "81 05",
		frame.Header{Fin: true, Opcode: frame.Text, Length: 5}},
	{"5.7 single-frame masked text message", "81 85 37 fa 21 3d",
		frame.Header{Fin: true, Opcode: frame.Text, Masked: true, MaskKey: key, Length: 5}},
	{"5.7 fragmented unmasked text message, first", "01 03",
		frame.Header{Opcode: frame.Text, Length: 3}},
	{"5.7 fragmented unmasked text message, last", "80 02",
		frame.Header{Fin: true, Opcode: frame.Continuation, Length: 2}},
	{"5.7 unmasked Ping", "89 05",
		frame.Header{Fin: true, Opcode: frame.Ping, Length: 5}},
	{"5.7 masked Pong", "8a 85 37 fa 21 3d",
		frame.Header{Fin: true, Opcode: frame.Pong, Masked: true, MaskKey: key, Length: 5}},
	{"5.7 256 bytes of binary", "82 7e 0100",
		frame.Header{Fin: true, Opcode: frame.Binary, Length: 256}},
	{"5.7 64 KiB of binary", "82 7f 0000000000010000",
		frame.Header{Fin: true, Opcode: frame.Binary, Length: 65536}},
	{"all zero", "00 00", frame.Header{}},
	{"all flags", "ff 80 00000000",
		frame.Header{Fin: true, Rsv1: true, Rsv2: true, Rsv3: true, Opcode: 0xF, Masked: true}},
	{"Rsv1", "40 00", frame.Header{Rsv1: true}},
	{"Rsv2", "20 00", frame.Header{Rsv2: true}},
	{"Rsv3", "10 00", frame.Header{Rsv3: true}},
	{"Close", "88 02", frame.Header{Fin: true, Opcode: frame.Close, Length: 2}},
	{"longest in 7 bits", "82 7d", frame.Header{Fin: true, Opcode: frame.Binary, Length: 125}},
	{"shortest in 16 bits", "82 7e 007e", frame.Header{Fin: true, Opcode: frame.Binary, Length: 126}},
	{"shortest in 16 bits, masked", "82 fe 007e 37fa213d",
		frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, MaskKey: key, Length: 126}},
	{"longest in 16 bits", "82 7e ffff", frame.Header{Fin: true, Opcode: frame.Binary, Length: 65535}},
	{"shortest in 64 bits, masked", "82 ff 0000000000010000 37fa213d",
		frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, MaskKey: key, Length: 65536}},
	{"beyond 32 bits", "82 7f 0000000100000000",
		frame.Header{Fin: true, Opcode: frame.Binary, Length: 1 << 32}},
	{"longest in 64 bits", "82 7f 7fffffffffffffff",
		frame.Header{Fin: true, Opcode: frame.Binary, Length: math.MaxInt64}},
}

func TestParse(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			wire := unhex(t, tt.wire)
			h, n, err := frame.Parse(wire)
			if h != tt.header || n != len(wire) || err != nil {
				t.Errorf("Parse = %+v, %d, %v, want %+v, %d, nil", h, n, err, tt.header, len(wire))
			}
			h, n, err = frame.Parse(append(wire, "payload"...))
			if h != tt.header || n != len(wire) || err != nil {
				t.Errorf("Parse with a payload = %+v, %d, %v, want %+v, %d, nil", h, n, err, tt.header, len(wire))
			}
		})
	}
}

func TestAppend(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			want := unhex(t, tt.wire)
			if got := tt.header.Append(nil); !bytes.Equal(got, want) {
				t.Errorf("Append to nil = %x, want %x", got, want)
			}
			front := []byte("front")
			if got := tt.header.Append(front[:len(front):len(front)]); !bytes.Equal(got, append(front, want...)) {
				t.Errorf("Append to a full slice = %x, want %x after it", got, want)
			}
		})
	}
}

// Package conn writes a header before a payload that is already in place, so
// Append must write the bytes of the header alone, whatever the capacity.
func TestAppendWritesHeaderOnly(t *testing.T) {
	for _, tt := range golden {
		buf := bytes.Repeat([]byte{0xA5}, 64)
		n := len(tt.header.Append(buf[:8])) - 8
		if want := len(unhex(t, tt.wire)); n != want {
			t.Errorf("%s: %d bytes, want %d", tt.name, n, want)
		}
		for i, c := range buf {
			if (i < 8 || i >= 8+n) && c != 0xA5 {
				t.Errorf("%s: byte %d was overwritten", tt.name, i)
			}
		}
	}
}

func TestMaxHeaderLen(t *testing.T) {
	if got := len(frame.Header{Masked: true, Length: math.MaxInt64}.Append(nil)); got != frame.MaxHeaderLen {
		t.Errorf("the longest header has %d bytes, MaxHeaderLen is %d", got, frame.MaxHeaderLen)
	}
}

func TestAppendIgnores(t *testing.T) {
	h := frame.Header{Fin: true, Opcode: 0xF2, MaskKey: key, Length: 1}
	if got, want := h.Append(nil), []byte{0x82, 0x01}; !bytes.Equal(got, want) {
		t.Errorf("Append = %x, want %x: the upper bits of Opcode and the key of an unmasked frame have no place", got, want)
	}
}

// A negative length is a mistake of the caller. It must not become the length of
// some other frame, so Append writes a header that the peer has to refuse.
func TestAppendNegativeLength(t *testing.T) {
	for _, length := range []int64{-1, -125, math.MinInt64} {
		h := frame.Header{Opcode: frame.Binary, Length: length}
		if _, _, err := frame.Parse(h.Append(nil)); err != frame.ErrLengthRange {
			t.Errorf("Parse(Append) with length %d: %v, want ErrLengthRange", length, err)
		}
	}
}

func TestParseLengthForm(t *testing.T) {
	tests := []struct {
		name, wire string
		want       frame.Header
	}{
		{"0 in 16 bits", "82 7e 0000", frame.Header{Fin: true, Opcode: frame.Binary}},
		{"125 in 16 bits", "82 7e 007d", frame.Header{Fin: true, Opcode: frame.Binary, Length: 125}},
		{"125 in 16 bits, masked", "82 fe 007d 37fa213d",
			frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, MaskKey: key, Length: 125}},
		{"0 in 64 bits", "82 7f 0000000000000000", frame.Header{Fin: true, Opcode: frame.Binary}},
		{"125 in 64 bits", "82 7f 000000000000007d", frame.Header{Fin: true, Opcode: frame.Binary, Length: 125}},
		{"65,535 in 64 bits", "82 7f 000000000000ffff", frame.Header{Fin: true, Opcode: frame.Binary, Length: 65535}},
		{"65,535 in 64 bits, masked", "82 ff 000000000000ffff 37fa213d",
			frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, MaskKey: key, Length: 65535}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := unhex(t, tt.wire)
			h, n, err := frame.Parse(wire)
			if h != tt.want || n != len(wire) || err != frame.ErrLengthForm {
				t.Errorf("Parse = %+v, %d, %v, want %+v, %d, ErrLengthForm", h, n, err, tt.want, len(wire))
			}
		})
	}
}

func TestParseLengthRange(t *testing.T) {
	for _, s := range []string{
		"82 7f 80", // refused before the rest arrives
		"82 ff 80",
		"82 7f 8000000000000000",
		"82 ff ffffffffffffffff 37fa213d",
		"82 7f 8000000000000001",
	} {
		h, n, err := frame.Parse(unhex(t, s))
		if h != (frame.Header{}) || n != 0 || err != frame.ErrLengthRange {
			t.Errorf("Parse(%s) = %+v, %d, %v, want nothing, ErrLengthRange", s, h, n, err)
		}
	}
}
