package handshake

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestTables holds the tables of bytes against what their RFCs list.
func TestTables(t *testing.T) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	const token = letters + "0123456789!#$%&'*+-.^_`|~" // RFC 9110, section 5.6.2
	const host = letters + "0123456789-._~"             // RFC 3986, section 2.3
	const hex = "0123456789ABCDEFabcdef"                // RFC 3986, section 2.1
	for i := range 256 {
		c := byte(i)
		if got, want := isTokenChar(c), strings.IndexByte(token, c) >= 0; got != want {
			t.Errorf("isTokenChar(%#02x) = %v", c, got)
		}
		if got, want := hostChars[c], strings.IndexByte(host, c) >= 0; got != want {
			t.Errorf("hostChars[%#02x] = %v", c, got)
		}
		if got, want := isHex(c), strings.IndexByte(hex, c) >= 0; got != want {
			t.Errorf("isHex(%#02x) = %v", c, got)
		}
		want := c
		if 'A' <= c && c <= 'Z' {
			want = bytes.ToLower([]byte{c})[0]
		}
		if got := lower(c); got != want {
			t.Errorf("lower(%#02x) = %#02x", c, got)
		}
	}
}

// TestFieldValues puts every byte at every place of values of many lengths,
// beside every kind of neighbour.
func TestFieldValues(t *testing.T) {
	for n := range 20 {
		for _, neighbour := range []byte{' ', '\t', 'x', 0x7E, 0x80, 0xFF} {
			for at := range n {
				v := bytes.Repeat([]byte{neighbour}, n)
				for i := range 256 {
					v[at] = byte(i)
					want := i >= ' ' && i != 0x7F || i == '\t'
					if got := isFieldValue(v); got != want {
						t.Fatalf("isFieldValue(%q) = %v", v, got)
					}
					if got := indexControl(v); !want && neighbour != 0x7F && got != at {
						t.Fatalf("indexControl(%q) = %d, want %d", v, got, at)
					}
				}
			}
		}
	}
}

// TestEqualFold puts every byte at every place of all that is looked for.
func TestEqualFold(t *testing.T) {
	all := []string{"ws", "wss", "http", "https", "websocket"}
	for _, known := range slices.Concat(names[:]...) {
		all = append(all, known.text)
	}
	for _, want := range all {
		for _, as := range []string{want, strings.ToUpper(want)} {
			v := []byte(as)
			for at, c := range []byte(as) {
				for i := range 256 {
					v[at] = byte(i)
					same := strings.EqualFold(string(v), want) && i < 0x80
					if got := equalFold(v, want); got != same {
						t.Fatalf("equalFold(%q, %q) = %v", v, want, got)
					}
				}
				v[at] = c
			}
			if equalFold(v[1:], want) || equalFold(append(v, 'x'), want) {
				t.Errorf("equalFold of another length than %q is true", want)
			}
		}
	}
}

// TestKnownNames: a name is known in letters of any case, before a colon.
func TestKnownNames(t *testing.T) {
	seen := 0
	for _, known := range slices.Concat(names[:]...) {
		seen |= 1 << known.name
		s := known.text
		for _, as := range []string{s, strings.ToUpper(s), strings.ToUpper(s[:1]) + s[1:]} {
			for line, want := range map[string]name{
				as + ":": known.name, as + ": x": known.name,
				as: otherName, as + " : x": otherName, as + "x: x": otherName, as[1:] + ": x": otherName,
				as[:len(as)-1] + ": x": otherName, " " + as + ": x": otherName,
			} {
				got, length := knownName([]byte(line))
				if got != want || got != otherName && length != len(s) {
					t.Errorf("knownName(%q) = %d, %d, want %d", line, got, length, want)
				}
			}
		}
	}
	if want := 1<<(transferEncodingName+1) - 1<<hostName; seen != want {
		t.Errorf("names %b have a text, want %b", seen, want)
	}
}

func TestLists(t *testing.T) {
	for _, tt := range []struct {
		list string
		want bool
	}{
		{"upgrade", true}, {"Upgrade", true}, {"UPGRADE", true}, {" upgrade\t", true},
		{"a,upgrade", true}, {"upgrade,a", true}, {"a , \tupgrade , b", true}, {",,upgrade", true}, {"upgrade,,", true},
		{"", false}, {",", false}, {"upgrades", false}, {"an upgrade", false}, {"upgrade x", false}, {"\"upgrade\"", false},
		{"upgrade;q=1", false}, {"up,grade", false}, {"upgrad", false},
	} {
		if got := hasToken([]byte(tt.list), "upgrade"); got != tt.want {
			t.Errorf("upgrade in %q: %v, want %v", tt.list, got, tt.want)
		}
	}
}
