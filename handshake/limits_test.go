package handshake

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// filled returns a good request whose head has n bytes, with the given number of
// fields besides, none of them longer than 4 KiB.
func filled(n, fields int) string {
	var b strings.Builder
	left := n - len(sample(""))
	for i := range fields {
		k := min(4<<10, left-len("X: \r\n")*(fields-i)) - len("X: \r\n")
		if i == fields-1 {
			k = left - len("X: \r\n")
		}
		k = max(k, 0)
		b.WriteString("X: " + strings.Repeat("x", k) + "\r\n")
		left -= k + len("X: \r\n")
	}
	return sample(b.String())
}

func TestHeadLimits(t *testing.T) {
	line := func(n int) string { return sample("X: " + strings.Repeat("x", n-len("X: ")) + "\r\n") }
	target := func(n int) string {
		return strings.Replace(sample(""), "/chat?x=1", "/"+strings.Repeat("x", n-len("GET / HTTP/1.1")), 1)
	}
	fields := func(n int) string { return sample(strings.Repeat("X: y\r\n", n-5)) } // 5 in the sample
	off := &Options{Limits: Limits{HeadBytes: -1, LineBytes: -1, Fields: -1, Timeout: -1}}
	for _, tt := range []struct {
		name    string
		options *Options
		in      string
		status  int // 0: accepted
	}{
		{"head of 16 KiB", nil, filled(16<<10, 8), 0},
		{"head of 16 KiB and one", nil, filled(16<<10+1, 8), 431},
		{"head of 17 KiB", nil, filled(17<<10, 8), 431},
		{"line of 8 KiB", nil, line(8 << 10), 0},
		{"line of 8 KiB and one", nil, line(8<<10 + 1), 431},
		{"line without an end", nil, strings.TrimSuffix(sample("X: "+strings.Repeat("x", 9<<10)), "\r\n"), 431},
		{"request line of 8 KiB", nil, target(8 << 10), 0},
		{"request line of 8 KiB and one", nil, target(8<<10 + 1), 414},
		{"request line without an end", nil, strings.Repeat("x", 20<<10), 414},
		{"100 fields", nil, fields(100), 0},
		{"101 fields", nil, fields(101), 431},
		{"endless fields", nil, "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 1<<20), 431},
		{"own limit of the head", &Options{Limits: Limits{HeadBytes: 300}}, filled(300, 1), 0},
		{"own limit of the head and one", &Options{Limits: Limits{HeadBytes: 300}}, filled(301, 1), 431},
		{"own limit of the head, without an end", &Options{Limits: Limits{HeadBytes: 300}}, strings.TrimSuffix(filled(305, 1), "\r\n\r\n"), 431},
		{"own limit of lines", &Options{Limits: Limits{LineBytes: 50}}, line(50), 0},
		{"own limit of lines and one", &Options{Limits: Limits{LineBytes: 50}}, line(51), 431},
		{"own limit of fields", &Options{Limits: Limits{Fields: 5}}, fields(5), 0},
		{"own limit of fields and one", &Options{Limits: Limits{Fields: 5}}, fields(6), 431},
		{"no limits", off, filled(1<<20, 300), 0},
		{"no limits, long line", off, line(1 << 20), 0},
	} {
		for _, way := range []struct {
			name string
			wrap func(io.Reader) io.Reader
		}{
			{"at once", func(r io.Reader) io.Reader { return r }},
			{"one octet at a time", iotest.OneByteReader},
			{"halves", iotest.HalfReader},
			{"data with the error", iotest.DataErrReader},
		} {
			t.Run(tt.name+", "+way.name, func(t *testing.T) {
				c := newMemConn("")
				c.in = way.wrap(strings.NewReader(tt.in))
				_, err := AcceptConn(c, tt.options)
				if tt.status != 0 {
					wantRefusal(t, "raw", c, err, tt.status)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestHeadLinear: a head that comes one byte at a time costs each byte once.
func TestHeadLinear(t *testing.T) {
	o := &Options{Limits: Limits{HeadBytes: -1, LineBytes: -1, Fields: -1}}
	for _, tt := range []struct{ name, unit string }{
		{"one line", "x"},
		{"many lines", "x\r\nX: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const size = 16 << 10
			in := map[int]string{}
			for _, n := range []int{size, 2 * size} {
				in[n] = sample("X: " + strings.Repeat(tt.unit, n/len(tt.unit)) + "\r\n")
			}
			linear(t, size, func(n int) {
				c := newMemConn("")
				c.in = iotest.OneByteReader(strings.NewReader(in[n]))
				if _, err := AcceptConn(c, o); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestHeadScansOnce: what was searched for the end of a line is not looked at again
// until that end has come. Meanwhile it is overwritten by what would be an error.
func TestHeadScansOnce(t *testing.T) {
	head := sample("X: " + strings.Repeat("x", 3*readBytes) + "\r\n" + strings.Repeat("Y: y\r\n", 50))
	p := &parser{in: make([]byte, readBytes)}
	p.reset(&Options{Limits: Limits{HeadBytes: -1, LineBytes: -1, Fields: -1}})
	r := iotest.OneByteReader(strings.NewReader(head))
	searched := 0
	for done := false; !done; {
		n, err := r.Read(p.room())
		if err != nil {
			t.Fatal(err)
		}
		p.n += n
		searched += p.n - p.scanned
		seen := p.in[p.line:p.scanned]
		kept := string(seen)
		if p.in[p.n-1] != '\n' {
			clear(seen)
		}
		var e *Error
		if done, e = p.parse(); e != nil {
			t.Fatalf("octet %d: %v", p.n, e)
		}
		copy(seen, kept)
	}
	// CR is looked at again with the LF that must follow.
	if most := len(head) + strings.Count(head, "\r"); searched > most {
		t.Errorf("%d octets were searched, the head has %d", searched, len(head))
	}
}

// TestGluedFrames sends a request with frames after it, cut in two at every
// place, and one byte at a time.
func TestGluedFrames(t *testing.T) {
	const frames = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" + "\x89\x80\x00\x00\x00\x00"
	in := sample("") + frames
	for cut := range len(in) + 1 {
		c := newMemConn("")
		c.in = io.MultiReader(strings.NewReader(in[:cut]), strings.NewReader(in[cut:]))
		res, err := AcceptConn(c, nil)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		rest, _ := io.ReadAll(c)
		if got := string(res.Buffered) + string(rest); got != frames {
			t.Errorf("cut at %d: %q behind the request, want %q", cut, got, frames)
		}
	}
}

// TestGluedLimit: of what is after the request less than 4 KiB is taken.
func TestGluedLimit(t *testing.T) {
	for _, head := range []string{sample(""), filled(4<<10, 2), filled(4<<10+1, 2), filled(9000, 4), filled(16<<10, 8)} {
		behind := strings.Repeat("0123456789abcdef", 1<<10)
		c := newMemConn(head + behind)
		res, err := AcceptConn(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(res.Buffered); n >= 4<<10 {
			t.Errorf("head of %d octets: %d octets taken from behind", len(head), n)
		}
		rest, _ := io.ReadAll(c)
		if got := string(res.Buffered) + string(rest); got != behind {
			t.Errorf("head of %d octets: octets behind it were lost", len(head))
		}
	}
}
