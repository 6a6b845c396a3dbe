package packet_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parleyws/parley/engineio/internal/packet"
)

// What the parser of version 3 in the npm package engine.io 6.6 writes, for clients
// that can receive binary data and for those that can't.
var version3 = []struct {
	name    string
	packets []packet.Packet
	mixed   string // of V3.Mixed; a form of its own if any packet is binary
	text    string // of V3Base64.Mixed
}{
	{"text", []packet.Packet{text(packet.Message, "hello"), text(packet.Ping, ""), text(packet.Message, "world")},
		"6:4hello1:26:4world", "6:4hello1:26:4world"},
	{"beyond ASCII", []packet.Packet{text(packet.Message, "€"), text(packet.Message, "😀 ž"), text(packet.Pong, "probe")},
		"2:4€5:4😀 ž6:3probe", "2:4€5:4😀 ž6:3probe"},
	{"binary", []packet.Packet{text(packet.Message, "€😀"), binary("\x01\x02\x03\x04"), text(packet.Noop, "")},
		unhex("0008ff34e282acf09f98800105ff04010203040001ff36"), "4:4€😀10:b4AQIDBA==1:6"},
	{"empty binary", []packet.Packet{binary("")}, unhex("0101ff04"), "2:b4"},
	{"length of two digits", []packet.Packet{binary("0123456789ab")},
		unhex("010103ff04303132333435363738396162"), "18:b4MDEyMzQ1Njc4OWFi"},
}

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestVersion3(t *testing.T) {
	for _, tt := range version3 {
		t.Run(tt.name, func(t *testing.T) {
			mixed := packet.V3.Text
			for _, p := range tt.packets {
				if p.Binary {
					mixed = packet.V3.Mixed
				}
			}
			for _, form := range []struct {
				name string
				*packet.Form
				body string
			}{{"mixed", mixed, tt.mixed}, {"text", packet.V3Base64.Mixed, tt.text}} {
				var body []byte
				for _, p := range tt.packets {
					body = form.Append(body, p)
				}
				if string(body) != form.body {
					t.Errorf("%s: appended %q, want %q", form.name, body, form.body)
				}
				got, err := collect(form.Form, form.body)
				if err != nil || len(got) != len(tt.packets) {
					t.Fatalf("%s: %d packets, %v; want %d", form.name, len(got), err, len(tt.packets))
				}
				for i := range got {
					if !equal(got[i], tt.packets[i]) {
						t.Errorf("%s: packet %d is %+v, want %+v", form.name, i, got[i], tt.packets[i])
					}
				}
			}
		})
	}
}

// Packets of any length, and of characters at the borders of UTF-8, are read as they were written.
func TestVersion3Lengths(t *testing.T) {
	try := func(form *packet.Form, p packet.Packet, head string) {
		t.Helper()
		body := form.Append(nil, p)
		if !strings.HasPrefix(string(body), head) {
			t.Errorf("%.20q, want %q", body, head)
		}
		if got, err := collect(form, string(body)); err != nil || len(got) != 1 || !equal(got[0], p) {
			t.Errorf("%.20q: %v, %v", body, got, err)
		}
	}
	for n := range 1200 {
		data := strings.Repeat("a", n)
		try(packet.V3.Text, text(packet.Message, data), strconv.Itoa(1+n)+":4")
		try(packet.V3.Text, binary(data), "")
		try(packet.V3.Binary, text(packet.Message, data), "")
		try(packet.V3.Binary, binary(data), "")
	}
	for character, units := range map[string]int{"\x7f": 1, "\u0080": 1, "ÿ": 1, "\uffff": 1, "\U00010000": 2, "\U0010ffff": 2} {
		try(packet.V3.Text, text(packet.Message, character), strconv.Itoa(1+units)+":4")
	}
}

// The lengths in a payload are numbers of the peer's choice.
func TestVersion3Errors(t *testing.T) {
	count := func(body string) func() (*packet.Form, string) {
		return func() (*packet.Form, string) { return packet.V3.Text, body }
	}
	bytes := func(body string) func() (*packet.Form, string) {
		return func() (*packet.Form, string) { return packet.V3.Binary, body }
	}
	for _, tt := range []struct {
		name string
		body func() (*packet.Form, string)
		good int // packets before the error
		want error
	}{
		{"no byte", count(""), 0, packet.ErrLength},
		{"no length", count(":4"), 0, packet.ErrLength},
		{"no colon", count("1"), 0, packet.ErrLength},
		{"no packet", count("1:"), 0, packet.ErrLength},
		{"payload of version 4", count("4hello"), 0, packet.ErrLength},
		{"too long by one", count("3:4a"), 0, packet.ErrLength},
		{"below zero", count("-1:4"), 0, packet.ErrLength},
		{"plus", count("+1:4"), 0, packet.ErrLength},
		{"before 0", count("1/:4abcdefgh"), 0, packet.ErrLength},
		{"after 9", count("1;:4aaaaaaaaaaaaaaaaaaaa"), 0, packet.ErrLength},
		{"space", count(" 1:4"), 0, packet.ErrLength},
		{"fraction", count("1.0:4"), 0, packet.ErrLength},
		{"exponent", count("1e0:4"), 0, packet.ErrLength},
		{"hexadecimal", count("0x1:4"), 0, packet.ErrLength},
		{"zero before", count("01:4"), 0, packet.ErrLength},
		{"zeros", count(strings.Repeat("0", 1000) + ":"), 0, packet.ErrLength},
		{"greatest int", count(strconv.Itoa(math.MaxInt) + ":4"), 0, packet.ErrLength},
		{"beyond 64 bits", count("18446744073709551617:4"), 0, packet.ErrLength},
		{"a thousand digits", count(strings.Repeat("9", 1000) + ":4"), 0, packet.ErrLength},
		{"length in bytes", count("4:4€"), 0, packet.ErrLength},
		{"half of a character", count("2:4😀"), 0, packet.ErrLength},
		{"something after", count("1:4x"), 1, packet.ErrLength},
		{"unknown type", count("1:22:7x"), 1, packet.ErrType},
		{"binary without a type", count("1:b"), 0, packet.ErrType},
		{"binary ping", count("2:b2"), 0, packet.ErrType},
		{"binary of version 4", count("5:bAQID"), 0, packet.ErrType},
		{"no base64", count("4:b4??"), 0, packet.ErrBase64},

		{"binary: no byte", bytes(""), 0, packet.ErrKind},
		{"binary: neither text nor binary", bytes("\x02\x01\xff4"), 0, packet.ErrKind},
		{"binary: no length", bytes("\x00\xff4"), 0, packet.ErrLength},
		{"binary: no end of the length", bytes("\x00\x01"), 0, packet.ErrLength},
		{"binary: digit of ten", bytes("\x00\x0a\xff4234567890"), 0, packet.ErrLength},
		{"binary: ASCII digit", bytes("\x001\xff4"), 0, packet.ErrLength},
		{"binary: too long by one", bytes("\x01\x02\xff\x04"), 0, packet.ErrLength},
		{"binary: a thousand digits", bytes("\x00" + strings.Repeat("\x09", 1000) + "\xff4"), 0, packet.ErrLength},
		{"binary: zero before", bytes("\x00\x00\x01\xff4"), 0, packet.ErrLength},
		{"binary: empty text", bytes("\x00\x00\xff"), 0, packet.ErrEmpty},
		{"binary: empty", bytes("\x01\x00\xff"), 0, packet.ErrEmpty},
		{"binary: ping", bytes("\x00\x01\xff4\x01\x01\xff\x02"), 1, packet.ErrType},
		{"binary: type as a digit", bytes("\x01\x01\xff4"), 0, packet.ErrType},
		{"binary: not UTF-8", bytes("\x00\x02\xff4\xff"), 0, packet.ErrUTF8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			form, body := tt.body()
			got, err := collect(form, body)
			if err != tt.want || len(got) != tt.good {
				t.Errorf("Packets(%.40q): %d packets, %v; want %d, %v", body, len(got), err, tt.good, tt.want)
			}
		})
	}
}

// A client that has nothing to send may say so.
func TestVersion3Nothing(t *testing.T) {
	got, err := collect(packet.V3.Text, "0:2:4a0:")
	if err != nil || len(got) != 3 || got[0].Type != packet.Noop || string(got[1].Data) != "a" || got[2].Type != packet.Noop {
		t.Errorf("got %v, %v; want a message between two noops", got, err)
	}
}

func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		name   string
		codec  *packet.Codec
		frame  string
		binary bool
		want   packet.Packet
		err    error
	}{
		{"text", packet.V4, "4hi", false, text(packet.Message, "hi"), nil},
		{"binary", packet.V4, "\x01\x02", true, binary("\x01\x02"), nil},
		{"text", packet.V3, "4hi", false, text(packet.Message, "hi"), nil},
		{"probe", packet.V3, "2probe", false, text(packet.Ping, "probe"), nil},
		{"binary", packet.V3, "\x04\x01\x02", true, binary("\x01\x02"), nil},
		{"base64", packet.V3, "b4AQIDBA==", false, binary("\x01\x02\x03\x04"), nil},
		{"empty binary", packet.V3, "\x04", true, binary(""), nil},
		{"no type", packet.V3, "", true, packet.Packet{}, packet.ErrEmpty},
		{"no type in text", packet.V3, "", false, packet.Packet{}, packet.ErrEmpty},
		{"binary without its type", packet.V3, "\x01\x02", true, packet.Packet{}, packet.ErrType},
	} {
		t.Run(strconv.Itoa(tt.codec.Version)+" "+tt.name, func(t *testing.T) {
			got, err := tt.codec.Parse([]byte(tt.frame), tt.binary)
			if err != tt.err || !equal(got, tt.want) {
				t.Errorf("Parse(%q) = %+v, %v; want %+v, %v", tt.frame, got, err, tt.want, tt.err)
			}
		})
	}
}

// What Frame makes of a message, Parse takes apart.
func TestFrame(t *testing.T) {
	for _, tt := range []struct {
		codec  *packet.Codec
		want   string
		binary bool
	}{{packet.V3, "\x04\x01\x02\x03\x04", true}, {packet.V3Base64, "b4AQIDBA==", false}} {
		data := []byte("\x01\x02\x03\x04")
		frame, isBinary := tt.codec.Frame(data)
		if string(frame) != tt.want || isBinary != tt.binary {
			t.Errorf("Frame(%q) = %q, %t; want %q, %t", data, frame, isBinary, tt.want, tt.binary)
		}
		p, err := tt.codec.Parse(frame, isBinary)
		if err != nil || !equal(p, binary(string(data))) {
			t.Errorf("Parse(Frame(%q)) = %+v, %v", data, p, err)
		}
	}
	if packet.V4.Frame != nil {
		t.Error("a binary message of version 4 needs no frame of its own")
	}
}

// FuzzVersion3 checks, for each form, that the packets of a payload come back from
// what is written of them, that this is no longer, and that the packets before an
// error are those of the start of the body.
func FuzzVersion3(f *testing.F) {
	for _, tt := range version3 {
		f.Add([]byte(tt.mixed), true)
		f.Add([]byte(tt.mixed), false)
		f.Add([]byte(tt.text), false)
	}
	f.Add([]byte("0:2:4a18446744073709551617:4"), false)
	f.Add([]byte("\x00\x01\xff4\x01\x02\xff\x04"), true)
	f.Add([]byte("8:b4AQ\n=="), false)
	f.Fuzz(func(t *testing.T, body []byte, isBinary bool) {
		form := packet.V3.Text
		if isBinary {
			form = packet.V3.Binary
		} else if !utf8.Valid(body) {
			return // the caller refuses it
		}
		got, err := collect(form, string(body))
		var again []byte
		room := 0
		for _, p := range got {
			again = form.Append(again, p)
			room += len(p.Data)
		}
		if room > len(body) {
			t.Fatalf("%d bytes of data from a body of %d", room, len(body))
		}
		if err != nil && len(got) == 0 {
			return
		}
		same, err := collect(form, string(again))
		if err != nil || len(same) != len(got) {
			t.Fatalf("%d packets of %q came back from %q as %d, %v", len(got), body, again, len(same), err)
		}
		for i := range got {
			if !equal(got[i], same[i]) {
				t.Fatalf("packet %d of %q came back as %+v, want %+v", i, body, same[i], got[i])
			}
		}
		if len(got) > 0 && canonical(body) && err == nil && !bytes.HasPrefix(body, again) {
			t.Fatalf("packets of %q give %q", body, again)
		}
	})
}

// canonical reports whether body is as encoders write it, without line breaks in
// base64, payloads that say that there is nothing, and base64 where bytes could be.
func canonical(body []byte) bool {
	return !bytes.ContainsAny(body, "\r\n") && !bytes.Contains(body, []byte("0:")) && !bytes.Contains(body, []byte("b4"))
}

// In text of version 3 each packet is found by counting, in one pass.
func BenchmarkVersion3Text(b *testing.B) {
	for _, bb := range []struct{ name, data string }{
		{"ASCII", strings.Repeat("x", 100_000)},
		{"beyond", strings.Repeat("ž", 50_000)},
		{"base64", base64.StdEncoding.EncodeToString(make([]byte, 75_000))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			body := packet.V3.Text.Append(nil, text(packet.Message, bb.data))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range packet.V3.Text.Packets(body) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
