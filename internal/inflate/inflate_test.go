package inflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// all inflates p as a message that follows window. The buffer has step bytes more
// than Room free in each call.
func all(d *Decoder, p, window []byte, step int) ([]byte, error) {
	d.Reset(p, window)
	var out []byte
	for {
		larger := make([]byte, len(out), len(out)+Room+step)
		copy(larger, out)
		var done bool
		var err error
		if out, done, err = d.Append(larger); done || err != nil {
			return out, err
		}
	}
}

// unhex reads bytes as the RFC prints them.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const hello = "f2 48 cd c9 c9 07 00"

// The samples of RFC 7692, section 7.2.3, and the other ways to end a message.
func TestSamples(t *testing.T) {
	fixed, a := "0"+num(1, 2), "10010001"
	tests := []struct{ name, window, payload, want string }{
		{"7.2.3.1 one fixed block", "", hello, "Hello"},
		{"7.2.3.2 sharing the window", "Hello", "f2 00 11 00 00", "Hello"},
		{"7.2.3.3 no compression", "", "00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello"},
		{"7.2.3.4 BFINAL set", "", "f3 48 cd c9 c9 07 00 00", "Hello"},
		{"7.2.3.5 two blocks", "", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello"},
		{"7.2.3.6 empty", "", "00", ""},
		{"BFINAL set, nothing after it", "", "f3 48 cd c9 c9 07 00", "Hello"},
		{"BFINAL set in the empty block", "", "01", ""},
		{"two streams, one window", "", "f3 48 cd c9 c9 07 00 03 13 00 00", "HelloHello"},
		{"a stored stream", "", "01 01 00 fe ff 48 00", "H"},
		{"a stored stream, nothing behind it", "", "01 01 00 fe ff 48", "H"},
		{"blocks that begin anywhere, behind a stored one", "", hex.EncodeToString(stream("000 00000", num(1, 16), num(0xFFFE, 16), num('H', 8),
			fixed, a, "0000000", fixed, a, "0000000 000")), "Haa"},
		{"out of the window into the message", "Hello", "02 13 00 00", "Hello"},
		{"the last byte of the window", "W", hex.EncodeToString(stream(fixed, strings.Repeat(a, 9), // 3 from 10 before
			"0000001 00110", num(1, 2), "0000000 000")), "aaaaaaaaaWaa"},
		{"zeros repeated", "", hex.EncodeToString(stream(dynamic(257, 1), zeros(138), repeat, zeros(115), one, one, "0 000")), ""},
	}
	var d Decoder
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := all(&d, unhex(t, tt.payload), []byte(tt.window), 0)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// someText returns n bytes with repetitions near and far, and with some values
// that are so rare that their code words are long.
func someText(r *rand.Rand, n int) []byte {
	words := strings.Fields("a frame of the message is masked by the client and never by the server RFC6455 7692")
	var b []byte
	for len(b) < n {
		switch r.IntN(20) {
		case 0:
			b = append(b, byte(r.Uint32()), byte(r.Uint32()))
		case 1:
			b = append(b, bytes.Repeat([]byte{'0' + byte(r.IntN(10))}, r.IntN(300))...)
		}
		b = append(b, words[r.IntN(len(words))]...)
		b = append(b, ' ')
	}
	return b[:n]
}

// deflated returns text as a message that may refer to window.
func deflated(t testing.TB, text, window []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(window)
	w.Flush()
	b.Reset()
	w.Write(text)
	w.Flush()
	return b.Bytes()[:b.Len()-4]
}

// A Decoder restores what compress/flate compressed at any level and after any
// window, whatever the room in each call.
func TestLevels(t *testing.T) {
	random := rand.New(rand.NewPCG(1951, 7692))
	var d Decoder
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		for n := 0; n < 200_000; n = 3*n/2 + 1 {
			window := someText(random, random.IntN(1<<15))
			want := someText(random, n)
			p := deflated(t, want, window, level)
			for _, step := range []int{0, 1, n + 1} {
				if n > 10_000 && step <= 1 {
					continue // the time grows with the square of n
				}
				got, err := all(&d, p, window, step)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("level %d, %d bytes, step %d: %d bytes, %v", level, n, step, len(got), err)
				}
			}
		}
	}
}

// Code words of all lengths: each byte value occurs twice as often as the one
// before it.
func TestLongWords(t *testing.T) {
	var want []byte
	for i := range 17 {
		want = append(want, bytes.Repeat([]byte{byte(i)}, 1<<i)...)
	}
	rand.New(rand.NewPCG(15, 9)).Shuffle(len(want), func(i, j int) { want[i], want[j] = want[j], want[i] })
	got, err := all(new(Decoder), deflated(t, want, nil, flate.HuffmanOnly), nil, len(want))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A message that was cut anywhere is refused, unless the rest is itself a whole
// message.
func TestCut(t *testing.T) {
	text := someText(rand.New(rand.NewPCG(5, 5)), 3000)
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed} {
		p := deflated(t, text, nil, level)
		for n := range p {
			if string(p[:n]) == "\x00" {
				continue
			}
			if got, err := all(new(Decoder), p[:n], nil, 10_000); err != ErrCorrupt {
				t.Errorf("level %d, %d of %d bytes: %d bytes, %v", level, n, len(p), len(got), err)
			}
		}
	}
}

// No message, not even a corrupt one, leaves anything that the next can see.
func TestReset(t *testing.T) {
	d := new(Decoder)
	secret := []byte("the password is correct horse battery staple")
	for _, p := range [][]byte{deflated(t, secret, nil, 9), deflated(t, secret, nil, 0)[:20]} {
		all(d, p, secret, 0)
		if got, err := all(d, unhex(t, "02 13 00 00"), nil, 0); err != ErrCorrupt {
			t.Errorf("got %q, %v", got, err)
		}
		if got, err := all(d, unhex(t, hello), nil, 0); err != nil || string(got) != "Hello" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestAllocatesNothing(t *testing.T) {
	text := someText(rand.New(rand.NewPCG(6, 6)), 50_000)
	p, out := deflated(t, text, nil, 6), make([]byte, 0, len(text)+Room)
	var d Decoder
	if n := testing.AllocsPerRun(10, func() {
		d.Reset(p, nil)
		d.Append(out)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{256, 1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := deflated(b, someText(rand.New(rand.NewPCG(1, 2)), size), nil, flate.BestSpeed)
			out := make([]byte, 0, size+Room)
			var d Decoder
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				d.Reset(p, nil)
				if _, done, _ := d.Append(out); !done {
					b.Fatal("not inflated")
				}
			}
		})
	}
}
