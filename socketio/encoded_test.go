package socketio_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// What Encode writes Decode reads, binary data at any depth.
func TestEncodedRoundTrip(t *testing.T) {
	v := map[string]any{"name": "ü<&", "b": []byte{1, 0xff}, "deep": []any{map[string]any{"c": []byte{}}, nil, true, 1.5}}
	e, err := socketio.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Attachments) != 2 || len(e.Placeholders) != 2 {
		t.Errorf("%d attachments, %d placeholders", len(e.Attachments), len(e.Placeholders))
	}
	var got map[string]any
	if err := e.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v, got); diff != "" {
		t.Error(diff)
	}
}

// What Decode would take for binary data, and is none, is not encoded: beside such data.
func TestEncodeMisleading(t *testing.T) {
	object := map[string]any{"_placeholder": true, "num": 0}
	if e, err := socketio.Encode([]any{[]byte("x"), object}); err == nil {
		t.Errorf("Encode: %s", e.Data)
	}
	var got []any
	if e, err := socketio.Encode([]any{object}); err != nil || e.Decode(&got) != nil || got[0].(map[string]any)["num"] != 0. {
		t.Errorf("%v, %v", got, err)
	}
}

// EncodeEvent refuses what nodes would refuse, and what Emit does.
func TestEncodeEvent(t *testing.T) {
	data := []byte("x")
	e, err := socketio.EncodeEvent("e", 1, map[string]any{"b": data}, nested(socketio.MaxDepth-1))
	want := `["e",1,{"b":{"_placeholder":true,"num":0}},` + string(nested(socketio.MaxDepth-1)) + `]`
	if err != nil || string(e.Data) != want || len(e.Attachments) != 1 || &e.Attachments[0][0] != &data[0] || len(e.Placeholders) != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	_, l := aLocal(t, socketio.Options{})
	if err := l.Broadcast(socketio.Target{}, e); err != nil {
		t.Error(err)
	}
	if _, err := socketio.EncodeEvent("e", make([]any, socketio.MaxArguments)...); err != nil {
		t.Error(err)
	}
	for name, args := range map[string][]any{
		"disconnect": nil, "function": {t.Error}, "panic": {explosive{}}, "arguments": make([]any, socketio.MaxArguments+1),
		"deep": {nested(socketio.MaxDepth)}, "misleading": {data, map[string]any{"_placeholder": true, "num": 0}},
	} {
		if e, err := socketio.EncodeEvent(name, args...); err == nil {
			t.Errorf("%s: %s", name, e.Data)
		}
	}
}

// A reading node gives what it is asked to broadcast to a function.
type reading struct {
	*node
	read func(socketio.Encoded)
}

func (r *reading) Broadcast(_ socketio.Target, e socketio.Encoded) error {
	r.read(e)
	return nil
}

// An adapter finds the placeholders of an event where Placeholders says.
func TestEncodedPlaceholders(t *testing.T) {
	var got []string
	read := func(e socketio.Encoded) {
		for _, p := range e.Placeholders {
			got = append(got, string(e.Data[p.Start:p.End]))
		}
	}
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		return &reading{a.(*node), read}, err
	}}
	inBubble(t, o, func(s *site) {
		want := []string{`{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`}
		for _, name := range []string{"/", "/chat"} {
			got = nil
			err := s.io.Of(name).Emit("e", "text", []byte("x"), map[string]any{"b": []byte("y")})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v; want %q", name, got, err, want)
			}
		}
	})
}

func TestEncodedRefused(t *testing.T) {
	one := [][]byte{{1}}
	var v any
	if err := (socketio.Encoded{Data: nested(socketio.MaxDepth + 2)}).Decode(&v); err != nil {
		t.Errorf("as deep as may be: %v", err)
	}
	for _, tt := range []struct {
		name string
		e    socketio.Encoded
		want error // nil: any *parser.Error
	}{
		{"nothing", socketio.Encoded{}, nil},
		{"two values", socketio.Encoded{Data: []byte(`1,2`)}, parser.ErrArguments},
		{"no JSON", socketio.Encoded{Data: []byte(`{]`)}, nil},
		{"no UTF-8", socketio.Encoded{Data: []byte("\"\xff\"")}, nil},
		{"too deep", socketio.Encoded{Data: nested(socketio.MaxDepth + 3)}, nil},
		{"no such attachment", socketio.Encoded{Data: []byte(`{"_placeholder":true,"num":1}`), Attachments: one}, nil},
	} {
		if err := tt.e.Decode(&v); err == nil {
			t.Errorf("%s: decoded as %v", tt.name, v)
		} else if _, ok := err.(*parser.Error); !ok {
			t.Errorf("%s: %T", tt.name, err)
		} else if tt.want != nil && err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := socketio.Encode(make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}
