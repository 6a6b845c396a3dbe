package frame_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parleyws/parley/frame"
)

// Parse and the oracle read the same. Append gives back the shortest form. No
// proper prefix yields a header, or any error but ErrLengthRange.
func FuzzParse(f *testing.F) {
	for _, tt := range golden {
		f.Add(unhex(f, tt.wire))
	}
	f.Add(unhex(f, "82 fe 007d 37fa213d"))
	f.Add(unhex(f, "82 ff 8000000000000000 37fa213d"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		h, n, err := frame.Parse(b)
		if !bytes.Equal(b, before) {
			t.Errorf("Parse(%x) changed its input to %x", before, b)
		}
		compareToOracle(t, b)
		full := frame.Header{Fin: true, Rsv1: true, Rsv2: true, Rsv3: true, Opcode: 0xF, Masked: true, Length: -1, MaskKey: [4]byte{1, 2, 3, 4}}
		into, want := full, h
		if n == 0 {
			want = full
		}
		if m, intoErr := into.Parse(b); into != want || m != n || intoErr != err {
			t.Errorf("Header.Parse(%x) made %+v, %d, %v; Parse %+v, %d, %v", b, into, m, intoErr, h, n, err)
		}
		if n == 0 {
			return
		}
		for i := range n {
			if got, m, err := frame.Parse(b[:i]); got != (frame.Header{}) || m != 0 || err != nil {
				t.Errorf("Parse(%x) = %+v, %d, %v: the header is %x", b[:i], got, m, err, b[:n])
			}
		}
		shortest := h.Append(nil)
		if again, m, err := frame.Parse(shortest); again != h || m != len(shortest) || err != nil {
			t.Errorf("Parse(Append(%+v)) = %+v, %d, %v", h, again, m, err)
		}
		if (err == frame.ErrLengthForm) != (len(shortest) < n) {
			t.Errorf("Parse(%x): %v, the shortest form is %x", b[:n], err, shortest)
		}
	})
}

// Parse reads back any header that Append wrote.
func FuzzAppend(f *testing.F) {
	f.Add(byte(0x81), false, uint32(0), int64(0))
	f.Add(byte(0xC2), true, uint32(0x37FA213D), int64(125))
	f.Add(byte(0x00), true, uint32(0xFFFFFFFF), int64(126))
	f.Add(byte(0x8A), false, uint32(1), int64(65535))
	f.Add(byte(0x02), true, uint32(0x80000000), int64(65536))
	f.Add(byte(0xFF), true, uint32(0), int64(1<<63-1))
	f.Fuzz(func(t *testing.T, b0 byte, masked bool, key uint32, length int64) {
		want := frame.Header{
			Fin: b0&0x80 != 0, Rsv1: b0&0x40 != 0, Rsv2: b0&0x20 != 0, Rsv3: b0&0x10 != 0,
			Opcode: frame.Opcode(b0 & 0xF), Masked: masked, Length: length & (1<<63 - 1),
		}
		if masked {
			want.MaskKey = [4]byte{byte(key >> 24), byte(key >> 16), byte(key >> 8), byte(key)}
		}
		wire := want.Append(nil)
		if len(wire) > frame.MaxHeaderLen {
			t.Errorf("a header of %d bytes", len(wire))
		}
		if h, n, err := frame.Parse(wire); h != want || n != len(wire) || err != nil {
			t.Errorf("Parse(Append(%+v)) = %+v, %d, %v", want, h, n, err)
		}
	})
}

// AppendClose writes every payload that ParseClose accepts, byte for byte.
func FuzzParseClose(f *testing.F) {
	for _, s := range []string{"", "\x03", "\x03\xE8", "\x03\xE9bye", "\x03\xED", "\x03\xE8\xFF", "\x0F\xA0Grüße, 世界",
		"\x03\xE8" + strings.Repeat("x", 123), "\x03\xE8" + strings.Repeat("ü", 62)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		code, reason, err := frame.ParseClose(payload)
		if err != nil {
			if code != 0 || reason != "" {
				t.Errorf("ParseClose(%x) = %v, %q beside %v", payload, code, reason, err)
			}
			return
		}
		if !code.Valid() && code != frame.StatusNoStatus {
			t.Errorf("ParseClose(%x) let code %v pass", payload, code)
		}
		if !utf8.ValidString(reason) {
			t.Errorf("ParseClose(%x) let reason %q pass", payload, reason)
		}
		if len(reason) > frame.MaxReason {
			return // longer than a control frame: AppendClose cuts it
		}
		if again := frame.AppendClose(nil, code, reason); !bytes.Equal(again, payload) {
			t.Errorf("AppendClose(ParseClose(%x)) = %x", payload, again)
		}
	})
}

// The peer can read every payload of AppendClose: the code is kept, and so is the
// reason as far as it fits.
func FuzzAppendClose(f *testing.F) {
	for _, s := range []string{"", "bye", "Grüße, 世界", "a\xFFb", strings.Repeat("x", 124), strings.Repeat("x", 122) + "ü",
		strings.Repeat("\xFF", 42), strings.Repeat("😀", 31), "\xED\xA0\x80"} {
		f.Add(uint16(1000), s)
	}
	f.Add(uint16(1005), "dropped")
	f.Add(uint16(0), "")
	f.Fuzz(func(t *testing.T, n uint16, reason string) {
		code := frame.StatusCode(n)
		payload := frame.AppendClose(nil, code, reason)
		checkClosePayload(t, payload)
		gotCode, got, err := frame.ParseClose(payload)
		if (err == nil) != (code.Valid() || code == frame.StatusNoStatus) {
			t.Errorf("ParseClose(AppendClose(%v, %q)) failed with %v", code, reason, err)
		}
		if err != nil || code == frame.StatusNoStatus {
			return
		}
		if whole := string([]rune(reason)); gotCode != code || !strings.HasPrefix(whole, got) {
			t.Errorf("ParseClose(AppendClose(%v, %q)) = %v, %q", code, reason, gotCode, got)
		} else if rest := whole[len(got):]; rest != "" {
			if _, size := utf8.DecodeRuneInString(rest); len(got)+size <= frame.MaxReason {
				t.Errorf("AppendClose(%v, %q) cut the reason to %q, though more fits", code, reason, got)
			}
		}
	})
}
