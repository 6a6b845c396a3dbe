package socketio_test

import (
	"strings"
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

func TestEncodedRefused(t *testing.T) {
	one := [][]byte{{1}}
	for _, tt := range []struct {
		name string
		e    socketio.Encoded
	}{
		{"nothing", socketio.Encoded{}},
		{"two values", socketio.Encoded{Data: []byte(`1,2`)}},
		{"no JSON", socketio.Encoded{Data: []byte(`{]`)}},
		{"no UTF-8", socketio.Encoded{Data: []byte("\"\xff\"")}},
		{"too deep", socketio.Encoded{Data: []byte(strings.Repeat("[", socketio.MaxDepth+1) + strings.Repeat("]", socketio.MaxDepth+1))}},
		{"no such attachment", socketio.Encoded{Data: []byte(`{"_placeholder":true,"num":1}`), Attachments: one}},
	} {
		var v any
		if err := tt.e.Decode(&v); err == nil {
			t.Errorf("%s: decoded as %v", tt.name, v)
		} else if _, ok := err.(*parser.Error); !ok {
			t.Errorf("%s: %T", tt.name, err)
		}
	}
	if _, err := socketio.Encode(make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}
