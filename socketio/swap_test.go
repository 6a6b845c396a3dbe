package socketio

import (
	"reflect"
	"strings"
	"testing"
)

// What looks like a token is none unless it is one.
func TestLookup(t *testing.T) {
	s := newSwapper()
	s.values = [][]byte{[]byte("zero")}
	if got, ok := s.lookup(s.token(0)); !ok || string(got) != "zero" {
		t.Errorf("token 0: %q, %t", got, ok)
	}
	if _, ok := s.lookup(s.token(1)); ok {
		t.Error("a number without a value")
	}
	if _, ok := s.lookup(newSwapper().token(0)); ok {
		t.Error("the token of another swapper")
	}
	for _, b := range [][]byte{s.token(0)[:tokenLen-1], append(s.token(0), 0)} {
		if _, ok := s.lookup(b); ok {
			t.Errorf("a token of %d bytes", len(b))
		}
	}
	if _, ok := s.lookupText(append(s.text[:], "????"...)); ok {
		t.Error("a prefix with what is not base64")
	}
	for _, text := range []string{
		string(s.text[:]),              // without a number
		string(s.text[:]) + "AAAAAAAA", // with a number of more digits
		"\n\n\n\n" + string(s.text[:]), // base64 skips line breaks
		strings.Repeat("text", 10),
	} {
		if data, ok := s.lookupText([]byte(text)); ok {
			t.Errorf("%q is the token of %q", text, data)
		}
	}
}

// A pointer to what leads to nothing binary is the same pointer.
func TestSwapUnchanged(t *testing.T) {
	v := &struct{ Any any }{"text"}
	got, s := swapBinary(v)
	if got != any(v) || s != nil {
		t.Errorf("%v, %v", got, s)
	}
}

// Nobody looks into a field that encoding/json leaves out: what is there may be in use elsewhere.
func TestSwapLeavesOut(t *testing.T) {
	v := &struct {
		Data    []byte
		Skipped any `json:"-"`
	}{Skipped: [][]byte{[]byte("x")}}
	got, s := swapBinary(v)
	if got != any(v) || s != nil {
		t.Errorf("%v, %v", got, s)
	}
}

// A lobby leads to others, and to nothing binary that JSON has.
type lobby struct {
	Name  string
	Next  *lobby
	cache []byte
}

// Nobody looks into what can't hold binary data, for the tokens in what holds it: an
// UnmarshalJSON may have put something there that others write to.
func TestRestoreLeavesOut(t *testing.T) {
	v := &struct {
		Data []byte
		In   *lobby
	}{In: &lobby{Next: &lobby{cache: []byte("x")}}}
	s := newSwapper()
	s.restore(reflect.ValueOf(v))
	if len(s.restored) != 1 {
		t.Errorf("restore has come to %v", s.restored)
	}
}
