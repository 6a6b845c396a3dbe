package socketio

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

// A person's UnmarshalJSON tells the child who the parent is.
type person struct {
	Photo  []byte
	Parent *person `json:"-"`
	Child  *person
}

func (p *person) UnmarshalJSON(b []byte) error {
	type plain person
	if err := json.Unmarshal(b, (*plain)(p)); err != nil {
		return err
	}
	if p.Child != nil {
		p.Child.Parent = p
	}
	return nil
}

// A clan's UnmarshalJSON makes it a member of itself.
type clan map[string]any

func (c *clan) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, (*map[string]any)(c)); err != nil {
		return err
	}
	(*c)["self"] = *c
	return nil
}

// A chain's UnmarshalJSON makes it its own first element.
type chain []any

func (l *chain) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, (*[]any)(l)); err != nil {
		return err
	}
	(*l)[0] = *l
	return nil
}

// An UnmarshalJSON may link values so that they lead to themselves. Binary data gets to
// its places all the same.
func TestDecodeCycle(t *testing.T) {
	u := newUnit(t, `53-["e",{"Photo":`+hold(0)+`,"Child":{"Photo":`+hold(1)+`}},{"data":`+hold(2)+`},[0,`+hold(2)+`]]`,
		"zero", "one", "two")
	var p person
	if err := decode(u, 0, &p); err != nil {
		t.Fatal(err)
	}
	if c := p.Child; string(p.Photo) != "zero" || string(c.Photo) != "one" || c.Parent == nil || string(c.Parent.Photo) != "zero" {
		t.Errorf("pointers: %q, and %+v", p.Photo, c)
	}
	var c clan
	if err := decode(u, 1, &c); err != nil || !reflect.DeepEqual(c["data"], []byte("two")) {
		t.Errorf("a map: %v, %v", c["data"], err)
	}
	var l chain
	if err := decode(u, 2, &l); err != nil || !reflect.DeepEqual(l[1], []byte("two")) {
		t.Errorf("a slice: %v, %v", l[1], err)
	}
}

// An album's UnmarshalJSON keeps something that is not JSON's, and counts its calls.
type album struct {
	Photo []byte
	cache map[string][]byte
}

var albumCalls int

func (a *album) UnmarshalJSON(b []byte) error {
	type plain album
	a.cache = map[string][]byte{"raw": b[:1]}
	albumCalls++
	return json.Unmarshal(b, (*plain)(a))
}

// An UnmarshalJSON that takes binary data is called once, and what it keeps in fields that
// are not exported is its own.
func TestDecodeAlbum(t *testing.T) {
	u := newUnit(t, `51-["e",{"Photo":`+hold(0)+`}]`, "x")
	want := album{[]byte("x"), map[string][]byte{"raw": []byte("{")}}
	albumCalls = 0
	var got album
	if err := decode(u, 0, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if albumCalls != 1 {
		t.Errorf("%d calls", albumCalls)
	}
}

// A shelf's UnmarshalJSON makes the struct that it embeds, which encoding/json can't, and
// keeps things that are not JSON's in other fields that are not exported.
type shelf struct {
	*hidden
	index
	front *Inner // the first of Items
	Items []*Inner
}

type index map[string][]byte

func (s *shelf) UnmarshalJSON(b []byte) error {
	type plain shelf
	s.hidden, s.index, s.front = new(hidden), index{"raw": b[:1]}, new(Inner)
	s.Items = []*Inner{s.front}
	return json.Unmarshal(b, (*plain)(s))
}

// Binary data gets to all fields that encoding/json fills, also where a field that it does
// not know leads there too.
func TestDecodeShelf(t *testing.T) {
	u := newUnit(t, `52-["e",{"Inside":`+hold(0)+`,"Items":[{"data":`+hold(1)+`}]}]`, "zero", "one")
	item := &Inner{[]byte("one")}
	want := shelf{&hidden{Inside: []byte("zero")}, index{"raw": []byte("{")}, item, []*Inner{item}}
	var got shelf
	if err := decode(u, 0, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	} else if got.front != got.Items[0] {
		t.Error("the first item is another one")
	}
}

// A note is a text or an object.
type note struct {
	Text string
	Num  int
}

func (n *note) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &n.Text)
	}
	type plain note
	return json.Unmarshal(b, (*plain)(n))
}

// A sealed value reads and writes its own JSON.
type sealed struct{ Data []byte }

func (s sealed) MarshalJSON() ([]byte, error) { return json.Marshal(s.Data) }

func (s *sealed) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.Data) }

// Where binary data can't go there is an object, and nothing is left that stood for it
// meanwhile. It can't go into a type that writes its own JSON.
func TestDecodePlaceholder(t *testing.T) {
	u := newUnit(t, `52-["e",{"Note":{"_placeholder":true,"num":1},"Data":`+hold(0)+`},`+hold(0)+`]`, "zero", "one")
	type letter struct {
		Note note
		Data []byte
	}
	var got letter
	if err := decode(u, 0, &got); err != nil || !reflect.DeepEqual(got, letter{note{Num: 1}, []byte("zero")}) {
		t.Errorf("got %+v, %v", got, err)
	}
	var s sealed
	if err := decode(u, 1, &s); err == nil || s.Data != nil {
		t.Errorf("a type with its own JSON has got %q", s.Data)
	}
}

// A union's UnmarshalJSON reads a value of the type that the JSON names.
type union struct{ Value any }

type picture struct{ Data []byte }

type words string

func (u *union) UnmarshalJSON(b []byte) (err error) {
	var v struct {
		Type  string
		Value json.RawMessage
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v.Type {
	case "bytes":
		u.Value, err = read[[]byte](v.Value)
	case "picture":
		u.Value, err = read[picture](v.Value)
	case "pointer":
		u.Value, err = read[*picture](v.Value)
	case "pictures":
		u.Value, err = read[[1]picture](v.Value)
	case "words":
		u.Value, err = read[words](v.Value)
	}
	return err
}

func read[T any](b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}

// A speech's UnmarshalJSON reads words into an interface value of which a []byte is none.
type speech struct{ Words interface{ Count() int } }

func (w words) Count() int { return len(w) }

func (s *speech) UnmarshalJSON(b []byte) (err error) {
	s.Words, err = read[words](b)
	return err
}

// Binary data gets wherever an UnmarshalJSON has put bytes, also in interface values. Words
// of a type of the user's refuse it, as a string does.
func TestDecodeInterface(t *testing.T) {
	for _, tt := range []struct {
		name, json string
		target     any
		want       any // nil: it is refused
	}{
		{"bytes", `{"Type":"bytes","Value":` + hold(0) + `}`, new(union), &union{[]byte("x")}},
		{"a struct", `{"Type":"picture","Value":{"Data":` + hold(0) + `}}`, new(union), &union{picture{[]byte("x")}}},
		{"a pointer", `{"Type":"pointer","Value":{"Data":` + hold(0) + `}}`, new(union), &union{&picture{[]byte("x")}}},
		{"an array", `{"Type":"pictures","Value":[{"Data":` + hold(0) + `}]}`, new(union), &union{[1]picture{{[]byte("x")}}}},
		{"a struct, in a map", `{"k":{"Type":"picture","Value":{"Data":` + hold(0) + `}}}`, new(map[string]union),
			&map[string]union{"k": {picture{[]byte("x")}}}},
		{"words", `{"Type":"words","Value":` + hold(0) + `}`, new(union), nil},
		{"words with a method", hold(0), new(speech), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := decode(newUnit(t, `51-["e",`+tt.json+`]`, "x"), 0, tt.target)
			if tt.want == nil {
				if err == nil {
					t.Errorf("%+v has taken bytes", tt.target)
				}
			} else if err != nil || !reflect.DeepEqual(tt.target, tt.want) {
				t.Errorf("got %+v, %v, want %+v", tt.target, err, tt.want)
			}
		})
	}
}

// usual is what an order has unless its JSON says otherwise. All orders share it, and nobody
// may write to it. As NaN equals nothing, every write adds an entry.
var usual = map[float64]any{
	math.NaN(): "text", math.NaN(): words("text"), math.NaN(): nil, math.NaN(): []byte("bytes"),
	math.NaN(): []any{"text"}, math.NaN(): [1]any{"text"}, math.NaN(): hidden{[]byte("bytes"), "text"},
	math.NaN(): &picture{[]byte("bytes")}, math.NaN(): map[string]any{"a": "text"},
}

type order struct {
	Photo []byte
	Terms map[float64]any `json:"-"`
}

func (o *order) UnmarshalJSON(b []byte) error {
	type plain order
	o.Terms = usual
	return json.Unmarshal(b, (*plain)(o))
}

// Decoding writes only where binary data goes: an UnmarshalJSON may lead to a map that others
// read at the same time.
func TestDecodeShared(t *testing.T) {
	n := len(usual)
	var o order
	if err := decode(newUnit(t, `51-["e",{"Photo":`+hold(0)+`}]`, "x"), 0, &o); err != nil || string(o.Photo) != "x" {
		t.Errorf("got %q, %v", o.Photo, err)
	}
	if len(usual) != n {
		t.Errorf("a map of %d entries was written to %d times", n, len(usual)-n)
	}
}
