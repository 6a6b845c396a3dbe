package handshake

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestAcceptGolden is the sample of RFC 6455, section 1.3.
func TestAcceptGolden(t *testing.T) {
	var in acceptInput
	in.set([]byte("dGhlIHNhbXBsZSBub25jZQ=="))
	if got, want := string(in.append(nil)), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("accept of the sample key = %q, want %q", got, want)
	}
}

// TestKeyLengths tries the base64 form of every length from 0 to 64 bytes.
func TestKeyLengths(t *testing.T) {
	for n := range 65 {
		raw := []byte(strings.Repeat("\xA5", n))
		for name, enc := range map[string]*base64.Encoding{
			"padded":   base64.StdEncoding,
			"unpadded": base64.RawStdEncoding,
		} {
			key := enc.EncodeToString(raw)
			want := n == 16 && name == "padded"
			if got := validKey([]byte(key)); got != want {
				t.Errorf("%d octets, %s: validKey(%q) = %v, want %v", n, name, key, got, want)
			}
		}
	}
}

// TestKeyAlphabet puts every byte at the places where a key differs in kind.
func TestKeyAlphabet(t *testing.T) {
	const good = "dGhlIHNhbXBsZSBub25jZQ=="
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range good {
		for c := range 256 {
			key := []byte(good)
			key[i] = byte(c)
			want := strings.IndexByte(alphabet, byte(c)) >= 0
			if i >= 22 {
				want = c == '='
			}
			if got := validKey(key); got != want {
				t.Errorf("octet %#02x at %d: validKey = %v, want %v", c, i, got, want)
			}
		}
	}
}

func TestNewKey(t *testing.T) {
	a, b := newKey(), newKey()
	if !validKey([]byte(a)) || !validKey([]byte(b)) || a == b {
		t.Errorf("newKey gave %q and %q", a, b)
	}
}
