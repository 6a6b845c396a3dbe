package frame_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parleyws/parley/frame"
)

// onTheWire lists the codes that a Close frame may carry (RFC 6455, section 7.4,
// and the IANA registry), one range at a time.
var onTheWire = []struct{ first, last int }{
	{1000, 1003}, // RFC 6455, section 7.4.1
	{1007, 1011}, // the same
	{1012, 1014}, // registered later
	{3000, 3999}, // for libraries and frameworks
	{4000, 4999}, // for applications
}

func TestStatusCodeValid(t *testing.T) {
	for code := range 1 << 16 {
		want := false
		for _, r := range onTheWire {
			want = want || code >= r.first && code <= r.last
		}
		if got := frame.StatusCode(code).Valid(); got != want {
			t.Errorf("StatusCode(%d).Valid() = %t, want %t", code, got, want)
		}
	}
}

func TestParseCloseEveryCode(t *testing.T) {
	for code := range 1 << 16 {
		c := frame.StatusCode(code)
		payload := []byte{byte(code >> 8), byte(code), 'b', 'y', 'e'}
		got, reason, err := frame.ParseClose(payload)
		if c.Valid() {
			if got != c || reason != "bye" || err != nil {
				t.Errorf("ParseClose with code %d = %v, %q, %v", code, got, reason, err)
			}
			continue
		}
		broken, ok := errors.AsType[*frame.Error](err)
		if got != 0 || reason != "" || !ok || broken.Code != frame.StatusProtocolError {
			t.Errorf("ParseClose with code %d = %v, %q, %v, want an error with 1002", code, got, reason, err)
		}
	}
}

func TestParseClose(t *testing.T) {
	tests := []struct {
		name    string
		payload string
		code    frame.StatusCode
		reason  string
		fail    frame.StatusCode // of the error; 0 for none
	}{
		{"empty", "", frame.StatusNoStatus, "", 0},
		{"one byte", "\x03", 0, "", frame.StatusProtocolError},
		{"code alone", "\x03\xE8", frame.StatusNormalClosure, "", 0},
		{"code and reason", "\x03\xE9going", frame.StatusGoingAway, "going", 0},
		{"reason outside ASCII", "\x0F\xA0Grüße, 世界", 4000, "Grüße, 世界", 0},
		{"longest", "\x03\xE8" + strings.Repeat("x", frame.MaxReason), 1000, strings.Repeat("x", frame.MaxReason), 0},
		{"no status on the wire", "\x03\xED", 0, "", frame.StatusProtocolError},
		{"reason not UTF-8", "\x03\xE8\xFF", 0, "", frame.StatusInvalidPayload},
		{"reason cut in a character", "\x03\xE8\xE4\xB8", 0, "", frame.StatusInvalidPayload},
		{"reason with a surrogate", "\x03\xE8\xED\xA0\x80", 0, "", frame.StatusInvalidPayload},
		{"bad code before bad reason", "\x00\x00\xFF", 0, "", frame.StatusProtocolError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, reason, err := frame.ParseClose([]byte(tt.payload))
			if code != tt.code || reason != tt.reason {
				t.Errorf("ParseClose = %v, %q, want %v, %q", code, reason, tt.code, tt.reason)
			}
			var fail frame.StatusCode
			if broken, ok := errors.AsType[*frame.Error](err); ok {
				fail = broken.Code
			}
			if fail != tt.fail || (err != nil) != (tt.fail != 0) {
				t.Errorf("ParseClose failed with %v, want code %d", err, tt.fail)
			}
		})
	}
}

// The reason is a copy, because the payload's buffer is used again.
func TestParseCloseCopies(t *testing.T) {
	payload := []byte("\x03\xE8bye")
	_, reason, _ := frame.ParseClose(payload)
	clear(payload)
	if reason != "bye" {
		t.Errorf("reason = %q after its payload was overwritten, want %q", reason, "bye")
	}
}

func TestAppendClose(t *testing.T) {
	tests := []struct {
		name   string
		code   frame.StatusCode
		reason string
		want   string
	}{
		{"no status", frame.StatusNoStatus, "dropped", ""},
		{"code alone", frame.StatusNormalClosure, "", "\x03\xE8"},
		{"code and reason", frame.StatusGoingAway, "bye", "\x03\xE9bye"},
		{"longest", 1000, strings.Repeat("x", 123), "\x03\xE8" + strings.Repeat("x", 123)},
		{"one too long", 1000, strings.Repeat("x", 124), "\x03\xE8" + strings.Repeat("x", 123)},
		{"character that ends at the edge", 1000, strings.Repeat("x", 121) + "ü", "\x03\xE8" + strings.Repeat("x", 121) + "ü"},
		{"character across the edge", 1000, strings.Repeat("x", 122) + "üx", "\x03\xE8" + strings.Repeat("x", 122)},
		{"four bytes across the edge", 1000, strings.Repeat("x", 120) + "😀", "\x03\xE8" + strings.Repeat("x", 120)},
		{"not UTF-8", 1000, "a\xFFb", "\x03\xE8a\uFFFDb"},
		{"not UTF-8, grows across the edge", 1000, strings.Repeat("x", 121) + "\xFF", "\x03\xE8" + strings.Repeat("x", 121)},
		{"code that is not judged", 0, "", "\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(frame.AppendClose(nil, tt.code, tt.reason)); got != tt.want {
				t.Errorf("AppendClose = %q, want %q", got, tt.want)
			}
			if got := string(frame.AppendClose([]byte("front"), tt.code, tt.reason)); got != "front"+tt.want {
				t.Errorf("AppendClose to %q = %q, want %q", "front", got, "front"+tt.want)
			}
		})
	}
}

func TestStatusCodeString(t *testing.T) {
	named := map[frame.StatusCode]string{
		1000: "1000 normal closure",
		1001: "1001 going away",
		1002: "1002 protocol error",
		1003: "1003 unsupported data",
		1005: "1005 no status",
		1006: "1006 abnormal closure",
		1007: "1007 invalid payload",
		1008: "1008 policy violation",
		1009: "1009 message too big",
		1010: "1010 mandatory extension",
		1011: "1011 internal error",
		1012: "1012 service restart",
		1013: "1013 try again later",
		1014: "1014 bad gateway",
		1015: "1015 TLS handshake",
		0:    "0", 999: "999", 1004: "1004", 1016: "1016", 4999: "4999", 65535: "65535",
	}
	for code, want := range named {
		if got := code.String(); got != want {
			t.Errorf("StatusCode(%d).String() = %q, want %q", uint16(code), got, want)
		}
	}
}

// checkClosePayload checks the promises of AppendClose: the payload has at most
// 125 bytes, and its reason is UTF-8.
func checkClosePayload(t *testing.T, payload []byte) {
	t.Helper()
	if len(payload) > frame.MaxControlPayload {
		t.Errorf("a payload of %d bytes", len(payload))
	}
	if len(payload) > 2 && !utf8.Valid(payload[2:]) {
		t.Errorf("reason %q is not UTF-8", payload[2:])
	}
}
