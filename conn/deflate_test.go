package conn

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unhex reads octets as the specifications print them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The samples of RFC 7692, section 7.2.3, as a receiver sees them.
func TestInflateSamples(t *testing.T) {
	tests := []struct {
		name     string
		messages []string // payloads, in order, on one connection
		want     string   // each of them
	}{
		{"7.2.3.1 one fixed block", []string{"f2 48 cd c9 c9 07 00"}, "Hello"},
		{"7.2.3.2 sharing the window", []string{"f2 48 cd c9 c9 07 00", "f2 00 11 00 00"}, "Hello"},
		{"7.2.3.3 no compression", []string{"00 05 00 fa ff 48 65 6c 6c 6f 00"}, "Hello"},
		{"7.2.3.4 BFINAL set", []string{"f3 48 cd c9 c9 07 00 00"}, "Hello"},
		{"7.2.3.5 two blocks", []string{"f2 48 05 00 00 00 ff ff ca c9 c9 07 00"}, "Hello"},
		{"7.2.3.6 empty", []string{"00"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newInflater(true, maxWindowBits)
			for n, p := range tt.messages {
				got, err := unpack(i, unhex(t, p), 5)
				if err != nil || string(got) != tt.want {
					t.Errorf("message %d: got %q, %v; want %q", n, got, err, tt.want)
				}
			}
		})
	}
}

// What we send: the octets of the samples, except that a codec is free to find
// a shorter way to say it again than zlib did.
func TestDeflateSamples(t *testing.T) {
	d := newDeflater(nil, true, maxWindowBits)
	for n, tt := range []struct{ name, in, want string }{
		{"7.2.3.1", "Hello", "f2 48 cd c9 c9 07 00"},
		{"7.2.3.2", "Hello", "02 13 00 00"}, // f2 00 11 00 00 in the RFC
		{"7.2.3.6", "", "00"},
		{"7.2.3.2", "Hello", "02 13 00 00"},
	} {
		got, err := d.compress([]byte("dst"), []byte(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]byte("dst"), unhex(t, tt.want)...), got); diff != "" {
			t.Errorf("message %d, %s (-want +got):\n%s", n, tt.name, diff)
		}
	}
	d.reset()
	got, err := d.compress(nil, []byte("Hello"))
	if want := unhex(t, "f2 48 cd c9 c9 07 00"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("behind a reset: got %x, %v; want %x", got, err, want)
	}
}

// someText returns n octets that compress well, with repetitions near and far.
func someText(r *rand.Rand, n int) []byte {
	words := strings.Fields("a frame of the message is masked by the client and never by the server RFC6455 7692")
	var b []byte
	for len(b) < n {
		if r.IntN(20) == 0 {
			b = append(b, byte(r.Uint32()), byte(r.Uint32()))
		}
		b = append(b, words[r.IntN(len(words))]...)
		b = append(b, ' ')
	}
	return b[:n]
}
