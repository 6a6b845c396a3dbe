package suite

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"testing"
)

var greatest = direction{bits: 15}

// The samples of RFC 7692, section 7.2.3.
func TestInflateSamples(t *testing.T) {
	for _, tt := range []struct {
		section  string
		messages []string
	}{
		{"7.2.3.1", []string{"\xf2\x48\xcd\xc9\xc9\x07\x00"}},
		{"7.2.3.2", []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"}},
		{"7.2.3.3", []string{"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"}},
		{"7.2.3.4", []string{"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\xf2\x48\xcd\xc9\xc9\x07\x00"}},
		{"7.2.3.5", []string{"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"}},
	} {
		z := newInflater(greatest)
		for i, p := range tt.messages {
			got, err := z.message([]byte(p), maxMessage)
			if err != nil || string(got) != "Hello" {
				t.Errorf("%s, message %d: got %q, %v", tt.section, i+1, got, err)
			}
		}
	}
	if got, err := newInflater(greatest).message([]byte{0}, 0); err != nil || len(got) != 0 {
		t.Errorf("empty message: got %q, %v", got, err)
	}
}

func TestInflateFails(t *testing.T) {
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	again := "\xf2\x00\x11\x00\x00" // refers to the earlier message
	for _, tt := range []struct {
		name     string
		d        direction
		messages []string
		limit    int
		want     error
	}{
		{"no takeover", direction{bits: 15, noTakeover: true}, []string{hello, again}, 5, errTooFar},
		{"first message", greatest, []string{again}, 5, errTooFar},
		{"limit", greatest, []string{hello}, 4, errLimit},
		{"stored, limit", greatest, []string{"\x00\x05\x00\xfa\xffHello\x00"}, 4, errLimit},
		{"inside a block", greatest, []string{hello[:4]}, 5, errTruncated},
		{"inside a stored block", greatest, []string{"\x00\x50\x00\xaf\xff"}, 99, errTruncated},
		{"stored, check", greatest, []string{"\x00\x05\x00\xfa\xfeHello\x00"}, 5, errCorrupt},
		{"block type 3", greatest, []string{"\x06"}, 5, errCorrupt},
		{"286 in the fixed code", greatest, []string{"\x1b\x03\x00"}, 5, errCorrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := newInflater(tt.d)
			var err error
			for _, p := range tt.messages {
				_, err = z.message([]byte(p), tt.limit)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// The output of the deflater must be readable with exactly the agreed window.
// If that is not the greatest, the output must need all of it.
func TestDeflater(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		for _, noTakeover := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bits, no takeover %v", bits, noTakeover), func(t *testing.T) {
				d := direction{bits: bits, noTakeover: noTakeover}
				half := d
				half.bits--
				z, full, less := newDeflater(d), newInflater(d), newInflater(half)
				var lessErr error
				for i := range 12 {
					message := prose.file().slice(nil, i*20000, 20000)
					p := bytes.Clone(z.message(message))
					got, err := full.message(p, maxMessage)
					if err != nil || !bytes.Equal(got, message) {
						t.Fatalf("message %d: %d bytes, %v", i+1, len(got), err)
					}
					if lessErr == nil {
						_, lessErr = less.message(p, maxMessage)
					}
				}
				if !errors.Is(lessErr, errWindow) {
					t.Errorf("half the window: got %v, want %v", lessErr, errWindow)
				}
			})
		}
	}
}

// Without takeover each message is compressed alone. With takeover the second
// is shorter.
func TestDeflaterTakeover(t *testing.T) {
	message := []byte("not once in this sentence is there a word that comes again")
	for _, bits := range []int{9, 15} {
		alone := newDeflater(direction{bits: bits, noTakeover: true})
		first := bytes.Clone(alone.message(message))
		if second := alone.message(message); !bytes.Equal(second, first) {
			t.Errorf("%d bits: the same message differs without takeover", bits)
		}
		kept := newDeflater(direction{bits: bits})
		kept.message(message)
		if second := kept.message(message); len(second) > len(first)/2 {
			t.Errorf("%d bits: %d bytes with takeover, %d without", bits, len(second), len(first))
		}
	}
}

// The inflater reads the output of compress/flate, in any number of messages.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("aaaaaaaaaaaaaaaabcabcabc"), 6, 5)
	f.Add(pdf.file().slice(nil, 0, 3000), 9, 700)
	f.Add(jsonText.file().slice(nil, 0, 3000), 1, 3000)
	f.Add(htmlText.file().slice(nil, 0, 3000), -2, 1)
	f.Fuzz(func(t *testing.T, data []byte, level, size int) {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, level)
		if err != nil || size <= 0 || len(data)/size > 1000 {
			return
		}
		z := newInflater(greatest)
		for len(data) > 0 {
			message := data[:min(size, len(data))]
			data = data[len(message):]
			out.Reset()
			w.Write(message)
			w.Flush()
			got, err := z.message(out.Bytes()[:out.Len()-4], len(message))
			if err != nil || !bytes.Equal(got, message) {
				t.Fatalf("got %q, %v, want %q", got, err, message)
			}
		}
	})
}

// A stream is refused exactly if a distance in it reaches beyond the window or
// the data. Every three bytes of the input are a literal or a match.
func FuzzInflateWindow(f *testing.F) {
	f.Add([]byte("abcdefgh\xff\x00\x03"), uint8(8))
	f.Add(bytes.Repeat([]byte("x\xff\x01\x00y\xfe\x00\xff"), 40), uint8(8))
	f.Fuzz(func(t *testing.T, program []byte, bits uint8) {
		window := 1 << (8 + bits%8)
		var b bitWriter
		var want []byte
		var wantErr error
		b.put(0b010, 3)
		for len(program) >= 3 && wantErr == nil {
			op, value := program[0], int(program[1])<<8|int(program[2])
			program = program[3:]
			if op < 128 {
				b.literal(int(op) * 2)
				want = append(want, op*2)
				continue
			}
			length, distance := 3+int(op)*2-256, 1+value%(32<<10)
			b.match(length, distance)
			switch {
			case distance > window:
				wantErr = errWindow
			case distance > len(want):
				wantErr = errTooFar
			default:
				for range length {
					want = append(want, want[len(want)-distance])
				}
			}
		}
		b.literal(endOfBlock)
		b.put(0, 3)
		z := newInflater(direction{bits: 8 + int(bits%8)})
		got, err := z.message(b.octets(), maxMessage)
		if !errors.Is(err, wantErr) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("window %d: got %d bytes, %v, want %d, %v", window, len(got), err, len(want), wantErr)
		}
	})
}

// For any bytes the inflater gives the same result as compress/flate, or both fail.
// compress/flate stops after a final block, where a message goes on.
func FuzzInflateAny(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"))
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 9)
	w.Write(jsonText.file().data[:2000])
	w.Flush()
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, p []byte) {
		const limit = 1 << 20
		got, err := newInflater(greatest).message(p, limit)
		rest := bytes.NewReader(append(p[:len(p):len(p)], "\x00\x00\xFF\xFF\x01\x00\x00\xFF\xFF"...))
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(rest), limit+1))
		switch {
		case err == nil && (wantErr != nil || !bytes.HasPrefix(got, want)):
			t.Fatalf("got %q, want %q, %v", got, want, wantErr)
		case err != nil && wantErr == nil && rest.Len() == 0 && len(want) <= limit:
			t.Fatalf("got %v, want %q", err, want)
		}
	})
}
