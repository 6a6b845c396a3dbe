package engineio_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyws/parley/engineio"
)

func text(t engineio.PacketType, data string) engineio.Packet {
	return engineio.Packet{Type: t, Data: []byte(data)}
}

func binary(data string) engineio.Packet {
	return engineio.Packet{Type: engineio.TypeMessage, Binary: true, Data: []byte(data)}
}

func equal(a, b engineio.Packet) bool {
	return a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}

// The samples of the specification, "Packet encoding", and each type.
var packets = []struct {
	name string
	wire string
	want engineio.Packet
}{
	{"open", `0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`,
		text(engineio.TypeOpen, `{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`)},
	{"close", "1", text(engineio.TypeClose, "")},
	{"ping", "2", text(engineio.TypePing, "")},
	{"probe", "2probe", text(engineio.TypePing, "probe")},
	{"pong", "3", text(engineio.TypePong, "")},
	{"probe answered", "3probe", text(engineio.TypePong, "probe")},
	{"message", "4hello", text(engineio.TypeMessage, "hello")},
	{"message that looks like base64", "4bAQIDBA==", text(engineio.TypeMessage, "bAQIDBA==")},
	{"empty message", "4", text(engineio.TypeMessage, "")},
	{"unicode", "4€", text(engineio.TypeMessage, "€")},
	{"upgrade", "5", text(engineio.TypeUpgrade, "")},
	{"noop", "6", text(engineio.TypeNoop, "")},
	{"binary", "bAQIDBA==", binary("\x01\x02\x03\x04")},
	{"binary without padding", "bAQID", binary("\x01\x02\x03")},
	{"empty binary", "b", binary("")},
}

func TestParsePacket(t *testing.T) {
	for _, tt := range packets {
		t.Run(tt.name, func(t *testing.T) {
			got, err := engineio.ParsePacket([]byte(tt.wire))
			if err != nil || !equal(got, tt.want) {
				t.Errorf("ParsePacket(%q) = %+v, %v; want %+v", tt.wire, got, err, tt.want)
			}
			if wire := tt.want.Append([]byte("before")); string(wire) != "before"+tt.wire {
				t.Errorf("Append(before) = %q, want before%s", wire, tt.wire)
			}
		})
	}
}

func TestParsePacketErrors(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(make([]byte, 3*500))
	for _, tt := range []struct {
		name string
		wire string
		want error
	}{
		{"empty", "", engineio.ErrPacketEmpty},
		{"type beyond the last", "7", engineio.ErrPacketType},
		{"type before the first", "/", engineio.ErrPacketType},
		{"a letter", "abc", engineio.ErrPacketType},
		{"base64 of the URL alphabet", "b_-8=", engineio.ErrPacketBase64},
		{"base64 without its padding", "bAQIDBA", engineio.ErrPacketBase64},
		{"base64 behind its padding", "bAQIDBA==AQID", engineio.ErrPacketBase64},
		{"bits behind the last octet", "bAQIDBB==", engineio.ErrPacketBase64},
		{"line feed", "bAQID\nAQID", engineio.ErrPacketBase64},
		{"carriage return", "bAQID\rAQID", engineio.ErrPacketBase64},
		{"padding at the end of a piece", "b" + long[:764] + "AA==" + long, engineio.ErrPacketBase64},
		{"bad octet late", "b" + long[:1500] + "????", engineio.ErrPacketBase64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := engineio.ParsePacket([]byte(tt.wire))
			if err != tt.want || !equal(got, engineio.Packet{}) {
				t.Errorf("ParsePacket(%q) = %+v, %v; want %v", tt.wire, got, err, tt.want)
			}
			pe, ok := errors.AsType[*engineio.PacketError](err)
			if !ok || !strings.HasSuffix(err.Error(), pe.Reason) {
				t.Errorf("error %v is no *PacketError", err)
			}
		})
	}
}

// Base64 is decoded by pieces: every length around their ends.
func TestParsePacketBinaryLengths(t *testing.T) {
	data := make([]byte, 3*192*2+4)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for n := range data {
		want := binary(string(data[:n]))
		got, err := engineio.ParsePacket(want.Append(nil))
		if err != nil || !equal(got, want) {
			t.Fatalf("binary of %d octets came back as %d octets, %v", n, len(got.Data), err)
		}
	}
}

func TestPacketTypeString(t *testing.T) {
	want := []string{"open", "close", "ping", "pong", "message", "upgrade", "noop", "unknown"}
	for i, name := range want {
		if got := engineio.PacketType(i).String(); got != name {
			t.Errorf("PacketType(%d) = %q, want %q", i, got, name)
		}
	}
}

func ExampleParsePacket() {
	p, err := engineio.ParsePacket([]byte("4hello"))
	fmt.Println(p.Type, string(p.Data), err)

	_, err = engineio.ParsePacket([]byte("abc"))
	fmt.Println(err)
	// Output:
	// message hello <nil>
	// engine.io: unknown packet type
}
