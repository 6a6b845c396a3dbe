package socketio

import "testing"

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
	if _, ok := s.lookupText(append(s.text[:], "????"...)); ok {
		t.Error("a prefix with what is not base64")
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
