package packet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyws/parley/engineio/internal/packet"
)

// collect ranges over a copy of body: ranging modifies it.
func collect(f *packet.Form, body string) (packets []packet.Packet, err error) {
	for p, e := range f.Packets([]byte(body)) {
		if e != nil {
			return packets, e
		}
		packets = append(packets, p)
	}
	return packets, nil
}

func TestPayload(t *testing.T) {
	for _, tt := range []struct {
		name string
		body string
		want []packet.Packet
		err  error
	}{
		{"the specification's sample", "4hello\x1e2\x1e4world",
			[]packet.Packet{text(packet.Message, "hello"), text(packet.Ping, ""), text(packet.Message, "world")}, nil},
		{"the specification's sample with binary", "4hello\x1ebAQIDBA==",
			[]packet.Packet{text(packet.Message, "hello"), binary("\x01\x02\x03\x04")}, nil},
		{"one packet", "4", []packet.Packet{text(packet.Message, "")}, nil},
		{"no byte", "", nil, packet.ErrEmpty},
		{"separator after", "4a\x1e", []packet.Packet{text(packet.Message, "a")}, packet.ErrEmpty},
		{"separator before", "\x1e4a", nil, packet.ErrEmpty},
		{"error in the middle", "4a\x1eb?\x1e4c", []packet.Packet{text(packet.Message, "a")}, packet.ErrBase64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := collect(packet.V4.Text, tt.body)
			if err != tt.err || len(got) != len(tt.want) {
				t.Fatalf("Packets(%q): %d packets, %v; want %d, %v", tt.body, len(got), err, len(tt.want), tt.err)
			}
			var again []byte
			for i := range got {
				if !equal(got[i], tt.want[i]) {
					t.Errorf("packet %d is %+v, want %+v", i, got[i], tt.want[i])
				}
				again = packet.V4.Text.Append(again, got[i])
			}
			if tt.err == nil && string(again) != tt.body {
				t.Errorf("appended again: %q, want %q", again, tt.body)
			}
		})
	}
}

func TestPayloadStops(t *testing.T) {
	n := 0
	for range packet.V4.Text.Packets([]byte("x\x1e4a")) {
		n++
	}
	if n != 1 {
		t.Errorf("%d packets, want the first error to be the last", n)
	}
	for p := range packet.V4.Text.Packets([]byte("4a\x1e4b")) {
		if string(p.Data) != "a" {
			t.Errorf("a sequence that was left went on to %q", p.Data)
		}
		break
	}
}

// The forms, by what they are.
var forms = []struct {
	name string
	form *packet.Form
}{
	{"separated", packet.V4.Text},
	{"counted", packet.V3.Text},
	{"binary", packet.V3.Binary},
}

// Memory for packets is bounded by the body, whatever their number.
func TestPayloadAllocs(t *testing.T) {
	for _, tt := range forms {
		t.Run(tt.name, func(t *testing.T) {
			var body []byte
			for range 100_000 {
				body = tt.form.Append(body, text(packet.Message, ""))
			}
			got := testing.AllocsPerRun(1, func() {
				n := 0
				for _, err := range tt.form.Packets(body) {
					if err != nil {
						t.Fatal(err)
					}
					n++
				}
				if n != 100_000 {
					t.Fatalf("%d packets, want 100,000", n)
				}
			})
			if got > 0 {
				t.Errorf("100,000 empty packets cost %v allocations, want 0", got)
			}
		})
	}
}

// unbroken returns b without the line breaks, which are skipped in base64.
func unbroken(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\n"), nil), []byte("\r"), nil)
}

func FuzzPayload(f *testing.F) {
	for _, tt := range packets {
		f.Add([]byte(tt.wire))
	}
	f.Add([]byte("4hello\x1e2\x1ebAQIDBA==\x1e4world"))
	f.Add([]byte("4a\x1e\x1eb?"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var again []byte
		for p, err := range packet.V4.Text.Packets(bytes.Clone(body)) {
			if err != nil {
				// What came before the error is the start of body.
				if !bytes.HasPrefix(unbroken(body), unbroken(again)) {
					t.Fatalf("packets before the error give %q, no prefix of %q", again, body)
				}
				return
			}
			again = packet.V4.Text.Append(again, p)
		}
		if !bytes.Equal(unbroken(again), unbroken(body)) {
			t.Fatalf("packets of %q give %q", body, again)
		}
	})
}

func BenchmarkPayload(b *testing.B) {
	for _, f := range forms {
		for _, p := range []packet.Packet{
			text(packet.Message, strings.Repeat("x", 100)),
			binary(strings.Repeat("x", 100)),
		} {
			b.Run(fmt.Sprintf("%s/binary=%t", f.name, p.Binary), func(b *testing.B) {
				var body []byte
				for range 100 {
					body = f.form.Append(body, p)
				}
				work := make([]byte, len(body))
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					copy(work, body)
					for _, err := range f.form.Packets(work) {
						if err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

func BenchmarkAppendPayload(b *testing.B) {
	p := text(packet.Message, strings.Repeat("x", 100))
	for _, bb := range forms {
		b.Run(bb.name, func(b *testing.B) {
			buf := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				buf = bb.form.Append(buf[:0], p)
			}
		})
	}
}

func ExampleForm_Packets() {
	body := []byte("4hello\x1ebAQIDBA==")
	for p, err := range packet.V4.Text.Packets(body) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%v binary=%t %q\n", p.Type, p.Binary, p.Data)
	}
	// Output:
	// message binary=false "hello"
	// message binary=true "\x01\x02\x03\x04"
}

func ExampleForm_Append() {
	var body []byte
	body = packet.V4.Text.Append(body, packet.Packet{Type: packet.Message, Data: []byte("hello")})
	body = packet.V4.Text.Append(body, packet.Packet{Type: packet.Ping})
	fmt.Printf("%q\n", body)
	// Output: "4hello\x1e2"
}
