package suite

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/parleyws/parley/frame"
)

// The data files of sections 12 and 13 replace those of the suite. They have the same
// size and nature, and are about as compressible. They are the same in every run.
var (
	jsonText = source{"JSON", frame.Text, sync.OnceValue(makeJSON)}
	bitmap   = source{"bitmap", frame.Binary, sync.OnceValue(makeBitmap)}
	prose    = source{"prose", frame.Binary, sync.OnceValue(makeProse)}
	htmlText = source{"HTML", frame.Text, sync.OnceValue(makeHTML)}
	pdf      = source{"PDF", frame.Binary, sync.OnceValue(makePDF)}
)

// The sizes of the files, in bytes.
const (
	jsonSize   = 194056
	bitmapSize = 263222
	proseSize  = 222218
	htmlSize   = 263647
	pdfSize    = 1042328
)

// A file is a data file. Its units are code points if starts holds their offsets and
// the length of the file, and bytes otherwise.
type file struct {
	data   []byte
	starts []int
}

func (f *file) units() int {
	if f.starts == nil {
		return len(f.data)
	}
	return len(f.starts) - 1
}

// slice appends n units to dst, beginning with unit from, as if the file were repeated
// without end.
func (f *file) slice(dst []byte, from, n int) []byte {
	for n > 0 {
		from %= f.units()
		to := min(from+n, f.units())
		if f.starts == nil {
			dst = append(dst, f.data[from:to]...)
		} else {
			dst = append(dst, f.data[f.starts[from]:f.starts[to]]...)
		}
		n -= to - from
		from = to
	}
	return dst
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 517)) }

// makeJSON makes rows that differ in a few numbers.
func makeJSON() *file {
	r := seeded(1)
	var b strings.Builder
	b.WriteString("[\n")
	for b.Len() < jsonSize {
		fmt.Fprintf(&b, `  {"id": %d, "type": "measurement", "station": {"name": "north pier", "country": "NO", "active": true, "height": null},`+
			` "values": {"temperature": %.2f, "humidity": 0.%03d, "pressure": %d, "wind": {"speed": %d, "direction": "south-west"}},`+
			` "tags": ["daily", "automatic", "checked"], "source": "station log, copied by hand"},`+"\n",
			1000+b.Len()/100, 30*r.Float64(), r.IntN(1000), 990+r.IntN(40), r.IntN(20))
	}
	return &file{data: []byte(b.String()[:jsonSize-2] + "\n]")}
}

// makeBitmap makes a header and grey pixels with much noise.
func makeBitmap() *file {
	const width, header = 512, 1078
	r := seeded(2)
	data := make([]byte, 0, bitmapSize)
	data = append(data, "BM"...)
	for len(data) < header {
		grey := byte(len(data) / 4)
		data = append(data, grey, grey, grey, 0)
	}
	data = data[:header]
	for i := range bitmapSize - header {
		x, y := i%width, i/width
		light := (x*x/900 + y*y/1100 + 20*(x/64%2)) % 72
		data = append(data, byte(light+r.IntN(48)+r.IntN(16)))
	}
	return &file{data: data}
}

// makeProse makes a byte order mark, and sentences that look German.
func makeProse() *file {
	r := seeded(3)
	vocabulary := words(r, 5200)
	var b strings.Builder
	b.WriteString("\uFEFF")
	for b.Len() < proseSize {
		for i := range 4 + r.IntN(9) {
			if i > 0 {
				b.WriteByte(' ')
			}
			// A few words are frequent, and many are rare.
			share := r.Float64()
			b.WriteString(vocabulary[int(share*share*float64(len(vocabulary)))])
		}
		b.WriteString([]string{".\r\n", ",\r\n", "!\r\n", ";\r\n", "\r\n"}[r.IntN(5)])
	}
	return &file{data: []byte(b.String()[:proseSize])}
}

func words(r *rand.Rand, n int) []string {
	starts := []string{"b", "d", "f", "g", "h", "k", "l", "m", "n", "r", "s", "sch", "st", "t", "v", "w", "z", "tr", "G", "H", "W", ""}
	middles := []string{"a", "e", "i", "o", "u", "ei", "ie", "au", "\u00E4", "\u00F6", "\u00FC", "eu", "e", "e"}
	ends := []string{"n", "r", "t", "s", "ch", "ng", "l", "lt", "nd", "st", "\u00DF", ""}
	list := make([]string, n)
	for i := range list {
		for range 1 + r.IntN(3) {
			list[i] += starts[r.IntN(len(starts))] + middles[r.IntN(len(middles))] + ends[r.IntN(len(ends))]
		}
	}
	return list
}

// makeHTML makes a long table in which a few characters have two or three bytes. It has
// 27 more bytes than characters.
func makeHTML() *file {
	const wide = 13 // characters of three bytes, and one of two
	r := seeded(4)
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>caf\u00E9</title></head><body><table>\n")
	for row := 0; b.Len() < htmlSize-1024; row++ {
		mark := "-"
		if row%40 == 20 && row/40 < wide {
			mark = "\u20AC"
		}
		fmt.Fprintf(&b, `<tr class="row"><td class="number">%d</td><td class="name"><a href="/articles/%d.html" title="read on">the article of the day</a></td>`+
			`<td class="price">%d %s</td><td class="note"><span class="small">in stock, sent within %d days</span></td></tr>`+"\n",
			row, r.IntN(1_000_000), r.IntN(10000), mark, 2+r.IntN(40))
	}
	b.WriteString(strings.Repeat(" ", htmlSize-b.Len()-len("</table></body></html>\n")) + "</table></body></html>\n")
	f := &file{data: []byte(b.String())}
	for i := 0; i < len(f.data); {
		f.starts = append(f.starts, i)
		_, n := utf8.DecodeRune(f.data[i:])
		i += n
	}
	f.starts = append(f.starts, len(f.data))
	return f
}

// makePDF makes compressed streams between plain objects.
func makePDF() *file {
	r := seeded(5)
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	for object := 1; b.Len() < pdfSize; object++ {
		fmt.Fprintf(&b, "%d 0 obj\n<< /Type /Page /Parent 3 0 R /Resources << /Font << /F1 9 0 R >> >> /MediaBox [0 0 595 842] /Contents %d 0 R >>\nendobj\n", object, object+1)
		if object%4 > 0 {
			continue
		}
		size := 500 + r.IntN(2600)
		fmt.Fprintf(&b, "%d 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n", object, size)
		for range size {
			b.WriteByte(byte(r.Uint32()))
		}
		b.WriteString("\nendstream\nendobj\n")
	}
	return &file{data: []byte(b.String()[:pdfSize])}
}
