package packet_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyws/parley/engineio/internal/packet"
)

func text(t packet.Type, data string) packet.Packet {
	return packet.Packet{Type: t, Data: []byte(data)}
}

func binary(data string) packet.Packet {
	return packet.Packet{Type: packet.Message, Binary: true, Data: []byte(data)}
}

func equal(a, b packet.Packet) bool {
	return a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}

// The samples of the specification, "Packet encoding", and each type.
var packets = []struct {
	name string
	wire string
	want packet.Packet
}{
	{"open", `0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`,
		text(packet.Open, `{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`)},
	{"close", "1", text(packet.Close, "")},
	{"ping", "2", text(packet.Ping, "")},
	{"probe", "2probe", text(packet.Ping, "probe")},
	{"pong", "3", text(packet.Pong, "")},
	{"probe answered", "3probe", text(packet.Pong, "probe")},
	{"message", "4hello", text(packet.Message, "hello")},
	{"message that looks like base64", "4bAQIDBA==", text(packet.Message, "bAQIDBA==")},
	{"empty message", "4", text(packet.Message, "")},
	{"unicode", "4€", text(packet.Message, "€")},
	{"upgrade", "5", text(packet.Upgrade, "")},
	{"noop", "6", text(packet.Noop, "")},
	{"binary", "bAQIDBA==", binary("\x01\x02\x03\x04")},
	{"binary without padding", "bAQID", binary("\x01\x02\x03")},
	{"empty binary", "b", binary("")},
}

func TestParse(t *testing.T) {
	for _, tt := range packets {
		t.Run(tt.name, func(t *testing.T) {
			got, err := packet.Parse([]byte(tt.wire))
			if err != nil || !equal(got, tt.want) {
				t.Errorf("Parse(%q) = %+v, %v; want %+v", tt.wire, got, err, tt.want)
			}
			if wire := tt.want.Append([]byte("before")); string(wire) != "before"+tt.wire {
				t.Errorf("Append(before) = %q, want before%s", wire, tt.wire)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(make([]byte, 3*500))
	for _, tt := range []struct {
		name string
		wire string
		want error
	}{
		{"empty", "", packet.ErrEmpty},
		{"type beyond the last", "7", packet.ErrType},
		{"type before the first", "/", packet.ErrType},
		{"a letter", "abc", packet.ErrType},
		{"base64 of the URL alphabet", "b_-8=", packet.ErrBase64},
		{"base64 without its padding", "bAQIDBA", packet.ErrBase64},
		{"base64 after its padding", "bAQIDBA==AQID", packet.ErrBase64},
		{"bits after the last byte", "bAQIDBB==", packet.ErrBase64},
		{"line break in padding", "bAQ=\n=\nAQ==", packet.ErrBase64},
		{"space", "bAQID AQID", packet.ErrBase64},
		{"tab", "bAQID\tAQID", packet.ErrBase64},
		{"padding at the end of a piece", "b" + long[:764] + "AA==" + long, packet.ErrBase64},
		{"bad byte late", "b" + long[:1500] + "????", packet.ErrBase64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := packet.Parse([]byte(tt.wire))
			if err != tt.want || !equal(got, packet.Packet{}) {
				t.Errorf("Parse(%q) = %+v, %v; want %v", tt.wire, got, err, tt.want)
			}
			pe, ok := errors.AsType[*packet.Error](err)
			if !ok || !strings.HasSuffix(err.Error(), pe.Reason) {
				t.Errorf("error %v is no *PacketError", err)
			}
		})
	}
}

// Base64 is decoded by pieces: every length around their ends.
func TestParseBinaryLengths(t *testing.T) {
	data := make([]byte, 3*192*2+4)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for n := range data {
		want := binary(string(data[:n]))
		got, err := packet.Parse(want.Append(nil))
		if err != nil || !equal(got, want) {
			t.Fatalf("binary of %d bytes came back as %d bytes, %v", n, len(got.Data), err)
		}
	}
}

// Lines may be broken, anywhere and by whatever (RFC 2045, section 6.8). The Java client does so
// after 76 characters.
func TestParseBrokenLines(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 200)
	whole := base64.StdEncoding.EncodeToString(data)
	for _, end := range []string{"\r\n", "\n", "\r"} {
		text := "b"
		for rest := whole; len(rest) > 0; {
			n := min(76, len(rest))
			text, rest = text+rest[:n]+end, rest[n:]
		}
		for _, text := range []string{text, "b" + end + whole} {
			p, err := packet.Parse([]byte(text))
			if err != nil || !bytes.Equal(p.Data, data) {
				t.Errorf("%q: %d bytes, %v; want %d", end, len(p.Data), err, len(data))
			}
		}
	}
}

// What one version has that the other has not.
func TestCodecs(t *testing.T) {
	for _, tt := range []struct {
		codec   *packet.Codec
		version int
		binary  bool
	}{{packet.V4, 4, false}, {packet.V3, 3, true}, {packet.V3Base64, 3, true}} {
		if tt.codec.Version != tt.version || !tt.codec.Text.Text || (tt.codec.Binary != nil) != tt.binary || tt.binary && tt.codec.Binary.Text {
			t.Errorf("version %d: %+v", tt.version, tt.codec)
		}
	}
}

func TestTypeString(t *testing.T) {
	want := []string{"open", "close", "ping", "pong", "message", "upgrade", "noop", "unknown"}
	for i, name := range want {
		if got := packet.Type(i).String(); got != name {
			t.Errorf("Type(%d) = %q, want %q", i, got, name)
		}
	}
}

func ExampleParse() {
	p, err := packet.Parse([]byte("4hello"))
	fmt.Println(p.Type, string(p.Data), err)

	_, err = packet.Parse([]byte("abc"))
	fmt.Println(err)
	// Output:
	// message hello <nil>
	// engine.io: unknown packet type
}
