package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// text is the wire of a server with default options.
var text = wire{parser: packet.Text{}, limits: parser.Limits{Attachments: 10, Arguments: MaxArguments, Depth: MaxDepth}}

// textEncoder returns an encoder that leaves no room before the JSON.
func textEncoder() *encoder { return &encoder{limit: text.limits.Attachments} }

type named []byte

type Inner struct {
	Data []byte `json:"data"`
}

type hidden struct {
	Inside []byte
	Text   string
}

type file struct {
	hidden
	*Inner
	Name    string
	Parts   [][]byte
	Pair    [2]named
	ByName  map[string]Inner
	Any     any
	When    time.Time
	Empty   []byte `json:",omitempty"`
	Kept    []byte `json:"kept"`
	Skipped []byte `json:"-"`
	//lint:ignore SA5008 encoding/json names this field "-"
	Dash    []byte `json:"-,"`
	Next    *file  `json:",omitempty"`
	private []byte
	owner   *file
}

// stubborn writes its own JSON, so nobody looks for binary data in it.
type stubborn []byte

func (s stubborn) MarshalJSON() ([]byte, error) { return json.Marshal(string(s)) }

// A maybe has binary data or none.
type maybe struct {
	Data []byte `json:"data,omitempty"`
	More []byte `json:",omitempty"`
}

// spelled writes its own text.
type spelled []byte

func (s spelled) MarshalText() ([]byte, error) { return s, nil }

// A blob and a Folder say themselves when they are zero.
type blob []byte

func (b blob) IsZero() bool { return len(b) == 0 }

type Folder struct{ Data []byte }

func (f *Folder) IsZero() bool { return len(f.Data) == 0 }

// A drawer has fields that may be left out.
type drawer struct {
	Blob   blob    `json:",omitzero"`
	Folder Folder  `json:",omitzero"`
	To     *Folder `json:",omitzero"`
	Is     zeroer  `json:",omitzero"`
	Any    any     `json:",omitzero"`
	Kept   []byte  `json:",omitzero"`
	Plain  blob    `json:"plain"`
}

// loop leads to itself, with room for binary data.
type loop struct {
	Self *loop
	Data []byte
}

func encodeArgs(t *testing.T, args ...any) (string, [][]byte) {
	t.Helper()
	e := textEncoder()
	if err := e.array(args); err != nil {
		t.Fatal(err)
	}
	return string(e.buf), e.packet.Binary
}

func hold(n int) string { return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, n) }

func TestEncode(t *testing.T) {
	var nilBytes []byte
	shared := &Inner{[]byte("x")}
	bin := func(s ...string) (b [][]byte) {
		for _, s := range s {
			b = append(b, []byte(s))
		}
		return b
	}
	for _, tt := range []struct {
		name        string
		args        []any
		want        string
		attachments [][]byte
	}{
		{"nothing", nil, `[]`, nil},
		{"plain", []any{nil, "a", true, -1, 2.5, []int{1}, map[string]int{"b": 1}}, `[null,"a",true,-1,2.5,[1],{"b":1}]`, nil},
		{"no HTML escapes", []any{"<&>", []string{"<&>"}}, `["<&>",["<&>"]]`, nil},
		{"raw JSON", []any{json.RawMessage(`{"a": 1}`)}, `[{"a":1}]`, nil},
		{"raw JSON that is not UTF-8", []any{"a", json.RawMessage("\"ü\xff\xfe\""), []any{json.RawMessage("\"\xff\""), []byte("x")}},
			"[\"a\",\"ü\ufffd\ufffd\",[\"\ufffd\"," + hold(0) + "]]", bin("x")},
		{"binary", []any{[]byte("x"), []byte{}}, `[` + hold(0) + `,` + hold(1) + `]`, bin("x", "")},
		{"nil is null", []any{nilBytes, named(nil), Inner{}}, `[null,null,{"data":null}]`, nil},
		{"of another name", []any{named("x")}, `[` + hold(0) + `]`, bin("x")},
		{"its own JSON", []any{stubborn("x"), []any{stubborn("y")}}, `["x",["y"]]`, nil},
		{"may be omitted", []any{maybe{}, maybe{[]byte("x"), nil}, maybe{nil, []byte{}}}, `[{},{"data":` + hold(0) + `},{}]`, bin("x")},
		{"may be omitted, but never empty", []any{struct {
			In any `json:",omitempty"`
		}{Inner{[]byte("x")}}}, `[{"In":{"data":` + hold(0) + `}}]`, bin("x")},
		{"zero by its own word", []any{drawer{Blob: blob{}, Folder: Folder{[]byte{}}, To: &Folder{[]byte{}}, Is: blob{}}}, `[{"plain":null}]`, nil},
		{"zero without a word of its own", []any{drawer{Any: blob{}, Kept: []byte{}, Plain: blob{}}},
			`[{"Any":` + hold(0) + `,"Kept":` + hold(1) + `,"plain":` + hold(2) + `}]`, bin("", "", "")},
		{"not zero by its own word", []any{drawer{Blob: blob("a"), Folder: Folder{[]byte("b")}, To: &Folder{[]byte("c")}, Is: blob("d")}},
			`[{"Blob":` + hold(0) + `,"Folder":{"Data":` + hold(1) + `},"To":{"Data":` + hold(2) + `},"Is":` + hold(3) + `,"plain":null}]`, bin("a", "b", "c", "d")},
		{"zero, but embedded", []any{struct {
			Folder `json:",omitzero"`
		}{Folder{[]byte{}}}}, `[{"Data":` + hold(0) + `}]`, bin("")},
		{"zero, and embedded with a name", []any{struct {
			Folder `json:"f,omitzero"`
		}{Folder{[]byte{}}}}, `[{}]`, nil},
		{"its own text", []any{spelled("x"), []any{spelled("y")}}, `["x",["y"]]`, nil},
		{"array of bytes", []any{[2]byte{1, 2}}, `[[1,2]]`, nil},
		{"in a slice", []any{[]any{1, []byte("x"), "b", []byte("y")}}, `[[1,` + hold(0) + `,"b",` + hold(1) + `]]`, bin("x", "y")},
		{"in a map, by its sorted names", []any{map[string]any{"b": []byte("y"), "a": []byte("x"), "c": 1}}, `[{"a":` + hold(0) + `,"b":` + hold(1) + `,"c":1}]`, bin("x", "y")},
		{"where a pointer leads", []any{&Inner{[]byte("x")}, (*Inner)(nil)}, `[{"data":` + hold(0) + `},null]`, bin("x")},
		{"in an array", []any{[2]any{[]byte("x"), 1}}, `[[` + hold(0) + `,1]]`, bin("x")},
		{"in an embedded struct", []any{struct{ hidden }{hidden{[]byte("x"), "t"}}}, `[{"Inside":` + hold(0) + `,"Text":"t"}]`, bin("x")},
		{"by an embedded pointer to an unexported type", []any{struct{ *hidden }{&hidden{[]byte("x"), "t"}}}, `[{"Inside":"eA==","Text":"t"}]`, nil},
		{"in embedded bytes that JSON leaves out", []any{struct {
			named
			Text string
		}{named("x"), "t"}}, `[{"Text":"t"}]`, nil},
		{"in a struct that JSON leaves out", []any{struct {
			Data   []byte
			inside hidden
		}{[]byte("x"), hidden{[]byte("y"), "t"}}}, `[{"Data":` + hold(0) + `}]`, bin("x")},
		{"by a pointer twice", []any{[]*Inner{shared, shared}}, `[[{"data":` + hold(0) + `},{"data":` + hold(1) + `}]]`, bin("x", "x")},
		{"twice", []any{[]byte("x"), []any{[]byte("x")}}, `[` + hold(0) + `,[` + hold(1) + `]]`, bin("x", "x")},
		{"an empty any", []any{[]any{nil}}, `[[null]]`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := fmt.Sprintf("%#v", tt.args)
			got, attachments := encodeArgs(t, tt.args...)
			if got != tt.want || !reflect.DeepEqual(attachments, tt.attachments) {
				t.Errorf("%s with %q, want %s with %q", got, attachments, tt.want, tt.attachments)
			}
			if after := fmt.Sprintf("%#v", tt.args); after != before && !strings.Contains(before, "0x") {
				t.Errorf("arguments were modified: %s, then %s", before, after)
			}
		})
	}
}

func TestEncodeEvent(t *testing.T) {
	e := textEncoder()
	if err := e.event(`a"b`, []any{1, []byte("x")}); err != nil || string(e.buf) != `["a\"b",1,`+hold(0)+`]` {
		t.Errorf("event: %s, %v", e.buf, err)
	}
	if err := textEncoder().event("disconnect", nil); !errors.Is(err, errReservedName) {
		t.Errorf("reserved name: %v", err)
	}
	if err := textEncoder().event("a", []any{make(chan int)}); err == nil {
		t.Error("a channel was encoded")
	}
	if err := textEncoder().array([]any{make(chan int)}); err == nil {
		t.Error("a channel was encoded")
	}
}

// A struct of every kind goes there and back.
func TestStructRoundTrip(t *testing.T) {
	want := file{
		hidden: hidden{[]byte("i"), "t"}, Inner: &Inner{[]byte("d")}, Name: "n",
		Parts: [][]byte{[]byte("p0"), []byte("p1")}, Pair: [2]named{named("q0"), named("q1")},
		ByName: map[string]Inner{"k": {[]byte("m")}}, Any: map[string]any{"x": []any{"s", []byte("y")}},
		When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Kept: []byte{}, Dash: []byte("-"), Next: nil,
	}
	sent := want
	sent.Empty, sent.Skipped, sent.private = []byte{}, []byte("never"), []byte("never")
	sent.owner = &file{Kept: []byte("never")}
	e := textEncoder()
	if err := e.event("f", []any{sent}); err != nil {
		t.Fatal(err)
	}
	if len(e.packet.Binary) != 10 {
		t.Fatalf("%d attachments in %s", len(e.packet.Binary), e.buf)
	}
	u := received(t, e)
	var got file
	if err := decode(u, 0, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// received parses what e has written and gives it e's attachments.
func received(t *testing.T, e *encoder) *packet.Unit {
	t.Helper()
	e.packet.Type, e.packet.Namespace = parser.Event, []byte("/")
	e.packet.SetData(e.buf, 0)
	message, attachments := text.parser.Encode(&e.packet)
	var u packet.Unit
	if err := u.Parse(text.parser, message, text.limits); err != nil {
		t.Fatalf("%s: %v", e.buf, err)
	}
	if !slices.Equal(u.Placeholders, e.packet.Placeholders) {
		t.Errorf("%s: placeholders at %v, the encoder says %v", e.buf, u.Placeholders, e.packet.Placeholders)
	}
	u.Binary = append(u.Binary, attachments...)
	return &u
}

// What a client has written must not be able to lead those to whom it is passed on, beside binary
// data, to binary data of its choice, or to none: that would end their connections.
func TestEncodeMisleading(t *testing.T) {
	data := []byte("x")
	object := func(key string, value, num any) map[string]any { return map[string]any{key: value, "num": num} }
	for _, tt := range []struct {
		args []any
		want error
	}{
		{[]any{data, object("_placeholder", true, 0)}, errMisleading},
		{[]any{data, object("_placeholder", true, 1)}, errMisleading},
		{[]any{data, object("_placeholder", true, "0")}, errMisleading},
		{[]any{object("_placeholder", true, 0), data}, errMisleading},
		{[]any{[]any{map[string]any{"_placeholder": true, "num": 0, "data": data}}}, errMisleading},
		{[]any{data, json.RawMessage(`{"_\u0070laceholder":true,"num":0}`)}, errMisleading},
		{[]any{data, json.RawMessage(`{"_placeholder":false,"_placeholder":true,"num":0}`)}, errMisleading},
		{[]any{data, json.RawMessage(`{"_placeholder":true,"_placeholder":false,"num":0}`)}, nil},
		{[]any{data, object("_placeholder", false, 0), data}, nil},
		{[]any{data, object("placeholder", true, 0)}, nil},
		{[]any{data, "_placeholder", `{"_placeholder":true,"num":0}`}, nil},
		{[]any{data, map[string]any{"_placeholder": data, "\u2028": 0}}, nil},
		{[]any{object("_placeholder", true, 0)}, nil}, // data, as nothing is binary
	} {
		e, err := text.newEncoder("/", func(e *encoder) error { return e.array(tt.args) })
		if !errors.Is(err, tt.want) || err != nil && tt.want == nil {
			t.Errorf("%v: %v, want %v", tt.args, err, tt.want)
		}
		if err == nil {
			e.release()
		}
		if _, err := text.answer(tt.args); !errors.Is(err, tt.want) || err != nil && tt.want == nil {
			t.Errorf("answer of %v: %v, want %v", tt.args, err, tt.want)
		}
	}
}

// A parser that puts binary data into its own message needs no placeholders there, and so nothing
// is misleading.
func TestEncodeNotMisleading(t *testing.T) {
	w := text
	w.parser = binaryParser{}
	e, err := w.newEncoder("/", func(e *encoder) error {
		return e.array([]any{[]byte("x"), map[string]any{"_placeholder": true, "num": 1}})
	})
	if err != nil {
		t.Fatal(err)
	}
	e.release()
}

// A binaryParser makes binary messages.
type binaryParser struct{ parser.Parser }

func (binaryParser) Binary() bool { return true }

func TestEncodeLimit(t *testing.T) {
	many := make([][]byte, text.limits.Attachments+1)
	for i := range many {
		many[i] = []byte("x")
	}
	e := textEncoder()
	if err := e.array([]any{many[:len(many)-1]}); err != nil {
		t.Errorf("10 attachments: %v", err)
	}
	if err := e.array([]any{[]byte("y")}); !errors.Is(err, errManyAttachments) {
		t.Errorf("the eleventh: %v", err)
	}
	if err := textEncoder().array([]any{many}); !errors.Is(err, errManyAttachments) {
		t.Errorf("11 in one argument: %v", err)
	}
}

// What leads to itself is refused, not followed for ever.
func TestEncodeCycle(t *testing.T) {
	l := &loop{Data: []byte("x")}
	l.Self = l
	pair := &loop{Self: &loop{}, Data: []byte("x")}
	pair.Self.Self = pair
	m := map[string]any{"d": []byte("x")}
	m["m"] = m
	s := []any{[]byte("x"), nil}
	s[1] = s
	for _, v := range []any{l, pair, m, s} {
		if err := textEncoder().array([]any{v}); err == nil {
			t.Errorf("%T that holds itself was encoded", v)
		}
	}
}

func newUnit(t *testing.T, wire string, attachments ...string) *packet.Unit {
	t.Helper()
	var u packet.Unit
	if err := u.Parse(text.parser, []byte(wire), text.limits); err != nil {
		t.Fatalf("%s: %v", wire, err)
	}
	for _, a := range attachments {
		u.Binary = append(u.Binary, []byte(a))
	}
	return &u
}

func TestDecode(t *testing.T) {
	u := newUnit(t, `52-["e","plain","\u00e9",7,null,`+hold(1)+`,{"data":`+hold(0)+`},["s",`+hold(1)+`,`+hold(1)+`],{"data":`+hold(0)+`,"raw":`+hold(1)+`,"text":"aGVsbG8="},{"k":[`+hold(0)+`,null]},{"k":{"data":`+hold(0)+`,"text":null}}]`, "zero", "one")
	check := func(i int, target, want any) {
		t.Helper()
		if err := decode(u, i, target); err != nil {
			t.Errorf("argument %d into %T: %v", i, target, err)
		} else if got := reflect.ValueOf(target).Elem().Interface(); !reflect.DeepEqual(got, want) {
			t.Errorf("argument %d is %#v, want %#v", i, got, want)
		}
	}
	check(0, new(string), "plain")
	check(0, new(any), "plain")
	check(1, new(string), "é")
	check(2, new(int), 7)
	check(3, new(string), "")
	check(3, new([]byte), []byte(nil))
	check(4, new([]byte), []byte("one"))
	check(4, new(any), []byte("one"))
	check(4, new(named), named("one"))
	check(5, new(Inner), Inner{[]byte("zero")})
	check(5, new(*Inner), &Inner{[]byte("zero")})
	check(5, new(any), map[string]any{"data": []byte("zero")})
	check(5, new(map[string][]byte), map[string][]byte{"data": []byte("zero")})
	check(5, new(struct{ Other int }), struct{ Other int }{})
	check(5, new(json.RawMessage), json.RawMessage(`{"data":`+hold(0)+`}`))
	check(6, new([]any), []any{"s", []byte("one"), []byte("one")})
	check(6, new([3]any), [3]any{"s", []byte("one"), []byte("one")})
	type mixed struct {
		Data, Text []byte
		Raw        json.RawMessage
	}
	check(7, new(mixed), mixed{[]byte("zero"), []byte("hello"), json.RawMessage(hold(1))})
	check(8, new(map[string][2]any), map[string][2]any{"k": {[]byte("zero"), nil}})
	check(8, new(map[string][2][]byte), map[string][2][]byte{"k": {[]byte("zero"), nil}})
	check(9, new(map[string]mixed), map[string]mixed{"k": {Data: []byte("zero")}})
	check(10, new(string), "") // did not come
	check(99, new(any), nil)
}

// A parser may have placeholders of its own, of any length.
func TestDecodeShortPlaceholder(t *testing.T) {
	u := newUnit(t, `2["e",[null,1]]`, "x")
	u.Placeholders = []parser.Placeholder{{Span: parser.Span{Start: 6, End: 10}}}
	var got any
	if err := decode(u, 0, &got); err != nil || !reflect.DeepEqual(got, []any{[]byte("x"), 1.0}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDecodeWrongType(t *testing.T) {
	u := newUnit(t, `51-["e","text",`+hold(0)+`,[`+hold(0)+`,1],7]`, "zero")
	for _, tt := range []struct {
		i      int
		target any
	}{
		{0, new(int)}, {0, new([]byte)}, {0, new([]any)},
		{1, new(string)}, {1, new(int)}, {1, new([]int)},
		{2, new([]string)}, {2, new([][]byte)}, {2, new(Inner)},
		{3, new(string)}, {3, new([]byte)},
	} {
		if err := decode(u, tt.i, tt.target); err == nil {
			t.Errorf("argument %d was decoded into %T", tt.i, tt.target)
		}
		if got := reflect.ValueOf(tt.target).Elem(); tt.i == 2 && !got.IsZero() {
			t.Errorf("a refused argument left %v", got)
		}
	}
	if err := decode(u, 0, new([]byte)); !errors.Is(err, errNotBinary) {
		t.Errorf("text as binary: %v", err)
	}
}

// Binary data is handed over, not copied.
func TestDecodeShares(t *testing.T) {
	u := newUnit(t, `51-["e",`+hold(0)+`,{"data":`+hold(0)+`}]`, "zero")
	var top []byte
	var nested Inner
	if err := errors.Join(decode(u, 0, &top), decode(u, 1, &nested)); err != nil {
		t.Fatal(err)
	}
	if &top[0] != &u.Binary[0][0] || &nested.Data[0] != &u.Binary[0][0] {
		t.Error("an attachment was copied")
	}
}

// What any JSON decodes to, with binary in it, encodes to what decodes to the
// same; and without binary it is what encoding/json says.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`52-["a",`+hold(0)+`,{"b":[1,`+hold(1)+`,"c"],"<":null}]`), []byte("x"))
	f.Add([]byte(`2["a",{"b":[1,"c\u2028"]}]`), []byte{})
	f.Fuzz(func(t *testing.T, wire, data []byte) {
		var u packet.Unit
		if u.Parse(text.parser, wire, text.limits) != nil || u.Type != parser.Event {
			return
		}
		for range u.Attachments {
			u.Binary = append(u.Binary, append([]byte{}, data...))
		}
		args := make([]any, u.Len())
		for i := range args {
			if err := decode(&u, i, &args[i]); err != nil {
				return // a number out of range
			}
			if u.Attachments == 0 {
				var want any
				if json.Unmarshal(u.Arg(i), &want) != nil || !reflect.DeepEqual(args[i], want) {
					t.Fatalf("%q: %#v, encoding/json says %#v", u.Arg(i), args[i], want)
				}
			}
		}
		e := textEncoder()
		if err := e.event("name", args); err != nil {
			if !errors.Is(err, errManyAttachments) {
				t.Fatal(err)
			}
			return
		}
		again := received(t, e)
		for i := range args {
			var got any
			if err := decode(again, i, &got); err != nil || !reflect.DeepEqual(got, args[i]) {
				t.Fatalf("%s: argument %d is %#v, %v; was %#v", e.buf, i, got, err, args[i])
			}
		}
	})
}

// Strings are written as encoding/json writes them.
func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\x80 and \xbf go on with no character")
	f.Add("\"\\\b\f\n\r\t\x00\x1f\x7f<&>é\u2028\u2029\xff😀\ufffd")
	f.Fuzz(func(t *testing.T, s string) {
		e := textEncoder()
		if err := e.json(s); err != nil {
			t.Fatal(err)
		}
		if got := appendString(nil, s); !bytes.Equal(got, e.buf) {
			t.Fatalf("%q: %s, want %s", s, got, e.buf)
		}
	})
}

func TestEncodeAllocs(t *testing.T) {
	e := textEncoder()
	args := []any{"text", 17, true, nil}
	if got := testing.AllocsPerRun(100, func() {
		e.buf = e.buf[:0]
		if err := e.event("message", args); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("an event of plain values costs %v allocations, want 0", got)
	}
}

func TestDecodeAllocs(t *testing.T) {
	u := newUnit(t, `51-["e","a text of some length",`+hold(0)+`,17]`, "zero")
	var s string
	var b []byte
	if got := testing.AllocsPerRun(100, func() { _ = decode(u, 0, &s) }); got > 1 {
		t.Errorf("a string costs %v allocations, want its own", got)
	}
	if got := testing.AllocsPerRun(100, func() { _ = decode(u, 1, &b) }); got > 0 {
		t.Errorf("binary data costs %v allocations, want 0", got)
	}
}

func BenchmarkEncode(b *testing.B) {
	type message struct{ Room, Text string }
	for _, bb := range []struct {
		name string
		arg  any
	}{
		{"string", strings.Repeat("x", 64)},
		{"struct", message{"general", "hello"}},
		{"binary", make([]byte, 64)},
		{"map", map[string]any{"room": "general", "text": "hello"}},
		{"nested binary", map[string]any{"data": make([]byte, 64)}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			e := textEncoder()
			args := []any{bb.arg}
			b.ReportAllocs()
			for b.Loop() {
				e.buf, e.packet.Binary, e.packet.Placeholders = e.buf[:0], e.packet.Binary[:0], e.packet.Placeholders[:0]
				if err := e.event("message", args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewEvent(b *testing.B) {
	for _, bb := range []struct {
		name string
		arg  any
	}{
		{"string", strings.Repeat("x", 64)},
		{"binary", make([]byte, 64)},
		{"200 kB", strings.Repeat("x", 200_000)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			args := []any{bb.arg}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := text.newEvent("/chat", "message", args, nil, Flags{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
