package socketio

import (
	"encoding/json"
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
