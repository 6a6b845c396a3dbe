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
