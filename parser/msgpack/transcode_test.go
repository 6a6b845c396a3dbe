package msgpack_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/tinylib/msgp/msgp"
)

var wide = parser.Limits{Attachments: 100, Arguments: 100, Depth: 64}

// spaced is unhex of a text with spaces.
func spaced(t *testing.T, text string) []byte { return unhex(t, strings.ReplaceAll(text, " ", "")) }

// A message of an adapter is walked through to the values in it.
func TestReader(t *testing.T) {
	message := spaced(t, "95 a3 756964 82 a4 74797065 02 a1 64 93 a1 65 c4 02 01ff d7 00 0000000000000000 c3 93 cb 3ff8000000000000 f9 cd 0100 c0")
	r := msgpack.NewReader(message)
	if n, ok := r.Array(); n != 5 || !ok {
		t.Fatalf("array of %d, %t", n, ok)
	}
	if s, ok := r.String(); string(s) != "uid" || !ok {
		t.Errorf("string %q, %t", s, ok)
	}
	before := r
	if err := r.Skip(); err != nil {
		t.Fatal(err)
	}
	if v, ok := r.Bool(); !v || !ok {
		t.Errorf("bool %t, %t", v, ok)
	}
	if n, ok := r.Array(); n != 3 || !ok {
		t.Errorf("array of %d, %t", n, ok)
	}
	for _, want := range []float64{1.5, -7, 256} {
		if f, ok := r.Number(); f != want || !ok {
			t.Errorf("number %g, %t; want %g", f, ok, want)
		}
	}
	if !r.Nil() || r.Len() != 0 {
		t.Error("no nil at the end")
	}

	if n, ok := before.Map(); n != 2 || !ok {
		t.Errorf("map of %d, %t", n, ok)
	}
	p := parser.Packet{Data: []byte("x")}
	for range 3 {
		before.Skip()
	}
	if err := before.Value(&p, wide); err != nil {
		t.Fatal(err)
	}
	if got, want := string(p.Data), `x["e",{"_placeholder":true,"num":0},"1970-01-01T00:00:00.000Z"]`; got != want {
		t.Errorf("value %s, want %s", got, want)
	}
	if span := p.Placeholders[0].Span; string(p.Data[span.Start:span.End]) != `{"_placeholder":true,"num":0}` {
		t.Errorf("placeholder at %v", span)
	}
	if got := p.Binary[0]; string(got) != "\x01\xff" || &got[0] != &message[19] {
		t.Errorf("binary data %x is no view", got)
	}
}

// A method leaves a value that is not of its kind, or is cut off.
func TestReaderRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "never used": "c1", "string without its end": "a3 61", "long string": "db ffffffff 61",
		"array without its elements": "93 01 02", "long array": "dd ffffffff 01", "long map": "df ffffffff 0101",
		"integer without its end": "cf 01", "signed without its end": "d3 01", "float without its end": "cb 01", "length without its end": "dc 01",
		"ext without its end": "c7 05 01", "bin without its end": "c6 00000005 01",
	} {
		r := msgpack.NewReader(spaced(t, text))
		_, b := r.Bool()
		_, s := r.String()
		_, n := r.Number()
		_, a := r.Array()
		_, m := r.Map()
		if b || s || n || a || m || r.Nil() || r.Skip() == nil || r.Value(new(parser.Packet), wide) == nil {
			t.Errorf("%s: was read", name)
		}
	}
	r := msgpack.NewReader(spaced(t, "91 91 01"))
	if err := r.Value(new(parser.Packet), parser.Limits{Depth: 1}); err != parser.ErrDepth {
		t.Errorf("depth: %v", err)
	}
	r = msgpack.NewReader(spaced(t, "92 c400 c400"))
	if err := r.Value(new(parser.Packet), parser.Limits{Depth: 1, Attachments: 1}); err != parser.ErrAttachments {
		t.Errorf("attachments: %v", err)
	}
}

func TestAppendNumber(t *testing.T) {
	for f, want := range map[float64]string{
		123: "123", -0.5: "-0.5", 1e21: "1e+21", math.Inf(1): "null", 1 << 53: "9007199254740992",
	} {
		if got := string(msgpack.AppendNumber([]byte("x"), f)); got != "x"+want {
			t.Errorf("%g: %s", f, got)
		}
	}
}

// Values are written as Encode writes the data of packets, after what is there.
func TestAppendValue(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	for _, tt := range []struct{ name, data, back string }{
		{"escapes", `["a\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00"]`, ""},
		{"half a pair", `["\ud800","\ud800\ud800","\ud800x","\udc00\ud83d\ude00"]`, ""},
		{"long strings with escapes", `["\n` + long[:30] + `","\n` + long[:31] + `","\n` + long[:254] + `","\n` + long[:255] + `","\n` + long[:65534] + `","\n` + long + `"]`, ""},
		{"many elements", "[[" + strings.Repeat("1,", 14) + "1],[" + strings.Repeat("1,", 15) + "1],[" + strings.Repeat("1,", 65535) + "1]]", ""},
		{"a map", `{"a":{"b":[]},"c":{}}`, ""},
		{"a string", `"a"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := msgpack.AppendValue([]byte("x"), []byte(tt.data), nil, nil)
			if out[0] != 'x' {
				t.Fatal("what was there is gone")
			}
			r := msgpack.NewReader(out[1:])
			var p parser.Packet
			if err := r.Value(&p, wide); err != nil || r.Len() > 0 {
				t.Fatalf("%v, %d bytes left", err, r.Len())
			}
			if !sameJSON(p.Data, []byte(tt.data)) {
				t.Errorf("%.300s became %.300s", tt.data, p.Data)
			}
		})
	}
}

func TestTranscodeAllocs(t *testing.T) {
	data := []byte(`["event",{"_placeholder":true,"num":0},"a\nb",[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,-17,1.5]]`)
	attachments := [][]byte{[]byte("xyz")}
	placeholders := []parser.Placeholder{{Span: parser.Span{Start: 9, End: 38}}}
	out := msgpack.AppendValue(nil, data, attachments, placeholders)
	if got := testing.AllocsPerRun(100, func() { out = msgpack.AppendValue(out[:0], data, attachments, placeholders) }); got > 0 {
		t.Errorf("AppendValue allocates %g times", got)
	}
	var p parser.Packet
	if got := testing.AllocsPerRun(100, func() {
		p.Reset()
		r := msgpack.NewReader(out)
		if err := r.Value(&p, wide); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("Value allocates %g times", got)
	}
}

// Skip reads exactly what Value reads, and a value that was read is JSON that
// AppendValue writes.
func FuzzReader(f *testing.F) {
	for _, s := range captured {
		f.Add(unhex(f, s.octets))
	}
	f.Add([]byte{0xdd, 0, 0, 0, 1, 0xdf, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, message []byte) {
		whole, skipped := msgpack.NewReader(message), msgpack.NewReader(message)
		var p parser.Packet
		err := whole.Value(&p, wide)
		errSkip := skipped.Skip()
		if err != nil {
			return
		}
		if errSkip != nil || whole.Len() != skipped.Len() {
			t.Fatalf("Value leaves %d bytes, Skip %d, %v", whole.Len(), skipped.Len(), errSkip)
		}
		if !json.Valid(p.Data) {
			t.Fatalf("not JSON: %q", p.Data)
		}
		again := msgpack.NewReader(msgpack.AppendValue(nil, p.Data, p.Binary, p.Placeholders))
		var q parser.Packet
		if err := again.Value(&q, wide); err != nil || string(q.Data) != string(p.Data) {
			t.Fatalf("%q became %q, %v", p.Data, q.Data, err)
		}
	})
}

func BenchmarkSkip(b *testing.B) {
	message := msgp.AppendArrayHeader(nil, 1000)
	for range 1000 {
		message = msgp.AppendString(message, "a string")
	}
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		r := msgpack.NewReader(message)
		r.Skip()
	}
}
