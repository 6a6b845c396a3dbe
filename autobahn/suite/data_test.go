package suite

import (
	"bytes"
	"compress/flate"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/parleyws/parley/frame"
)

// The generated files must test a peer as the files of the suite do.
func TestFiles(t *testing.T) {
	for _, tt := range []struct {
		source       source
		size, units  int
		compressed   float64 // size after compression at level 9, in percent
		bom, asciiIs bool
	}{
		{source: jsonText, size: 194056, units: 194056, compressed: 4.4, asciiIs: true},
		{source: bitmap, size: 263222, units: 263222, compressed: 85},
		{source: prose, size: 222218, units: 222218, compressed: 39, bom: true},
		{source: htmlText, size: 263647, units: 263620, compressed: 5.5},
		{source: pdf, size: 1042328, units: 1042328, compressed: 76},
	} {
		t.Run(tt.source.name, func(t *testing.T) {
			f := tt.source.file()
			if len(f.data) != tt.size || f.units() != tt.units {
				t.Errorf("%d bytes, %d units, want %d and %d", len(f.data), f.units(), tt.size, tt.units)
			}
			var out bytes.Buffer
			w, err := flate.NewWriter(&out, flate.BestCompression)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(f.data)
			w.Close()
			got := 100 * float64(out.Len()) / float64(len(f.data))
			if math.Abs(got-tt.compressed) > tt.compressed/20+0.3 {
				t.Errorf("compresses to %.1f %%, want about %.1f", got, tt.compressed)
			}
			if tt.source.op == frame.Text && !utf8.Valid(f.data) {
				t.Error("no UTF-8")
			}
			if ascii := bytes.IndexFunc(f.data, func(r rune) bool { return r > 127 }) < 0; ascii != tt.asciiIs && tt.source.op == frame.Text {
				t.Errorf("ASCII is %v", ascii)
			}
			if tt.bom && !bytes.HasPrefix(f.data, []byte("\xEF\xBB\xBF")) {
				t.Error("no byte order mark")
			}
		})
	}
}

func TestFileSlice(t *testing.T) {
	f := &file{data: []byte("aä€z"), starts: []int{0, 1, 3, 6, 7}}
	for _, tt := range []struct {
		from, n int
		want    string
	}{{0, 4, "aä€z"}, {1, 2, "ä€"}, {3, 3, "zaä"}, {6, 1, "€"}, {2, 9, "€zaä€zaä€"}} {
		if got := string(f.slice(nil, tt.from, tt.n)); got != tt.want {
			t.Errorf("slice(%d, %d) = %q, want %q", tt.from, tt.n, got, tt.want)
		}
	}
	plain := &file{data: []byte("abc")}
	if got := string(plain.slice([]byte("x"), 2, 3)); got != "xcab" {
		t.Errorf("got %q", got)
	}
}
