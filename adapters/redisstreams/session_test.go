package redisstreams

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// written is what a server in Node has written.
const written = "hKNzaWS0TE9pazdYajY0QmJFdEVJdkFBQUOjcGlktGVIWHAxYzIwOHlQVHBVOFpBQUFEpXJvb21zlLRMT2lrN1hqNjRCYkV0RUl2QUFBQ6RibHVlpWdyZWVuqnZpYS1yZW1vdGWkZGF0YYKkbmFtZaFCoWLEAQE="

// A session as Node writes it can be read, and Node can read ours.
func TestSession(t *testing.T) {
	s, _, err := readSession([]byte(written))
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "LOik7Xj64BbEtEIvAAAC" || s.PID != "eHXp1c208yPTpU8ZAAAD" || strings.Join(s.Rooms, " ") != s.ID+" blue green via-remote" ||
		s.Data["name"] != "B" || !slices.Equal(s.Data["b"].([]byte), []byte{1}) || s.Connected+s.Sent+s.Lost != "" {
		t.Errorf("session %+v", s)
	}
	s.Data = map[string]any{"b": []byte{1}}
	s.Connected, s.Sent, s.Lost = "1-0", "2-0", "3-0"
	b, err := appendSession(nil, &s, "")
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := readSession(b)
	if err != nil || again.Connected != "1-0" || again.Sent != "2-0" || again.Lost != "3-0" || !slices.Equal(again.Data["b"].([]byte), []byte{1}) {
		t.Errorf("session %+v, %v", again, err)
	}
	s.Data = map[string]any{"deep": json.RawMessage(strings.Repeat("[", socketio.MaxDepth-1) + strings.Repeat("]", socketio.MaxDepth-1))}
	if b, err = appendSession(nil, &s, ""); err != nil {
		t.Fatalf("what a client may send is not kept: %v", err)
	}
	if again, _, err := readSession(b); err != nil || again.Data["deep"] == nil {
		t.Errorf("session %+v, %v", again, err)
	}
	for _, bad := range []string{"", "?", "gA==", "kA==", written[:40], "hKNzaWS0"} {
		if s, _, err := readSession([]byte(bad)); err == nil {
			t.Errorf("%q is %+v", bad, s)
		}
	}
}

// A session has its owner where scripts look for it, and whoever is not in Go need not care.
func TestOwner(t *testing.T) {
	for _, s := range []socketio.Session{
		{ID: "sid", PID: "pid"},
		{ID: "sid", PID: "pid", Rooms: []string{"sid", "room"}, Data: map[string]any{"b": []byte{1}}, Connected: "1-0", Sent: "2-0", Lost: "3-0+0123456789abcdef.1"},
	} {
		own := newOwn()
		b, err := appendSession(nil, &s, own)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b[stampFrom : stampTo+1]); got != stamp(own) || len(own) != ownSize {
			t.Errorf("%q where %q is looked for: %s", got, stamp(own), b)
		}
		again, whose, err := readSession(b)
		if err != nil || whose != own || again.Lost != s.Lost || again.ID != s.ID {
			t.Errorf("%+v of %q, %v", again, whose, err)
		}
		binary, _ := base64.StdEncoding.DecodeString(string(b))
		moved := msgpack.AppendValue(nil, []byte(`{"sid":"sid","pid":"pid","own":"`+own+`"}`), nil, nil)
		for _, bad := range [][]byte{moved, bytes.Replace(binary, []byte("own\xac"+own), []byte("own\xab"+own[:11]), 1)} {
			if s, own, err := readSession([]byte(base64.StdEncoding.EncodeToString(bad))); err == nil {
				t.Errorf("%q is %+v of %q", bad, s, own)
			}
		}
	}
	if a, b := newOwn(), newOwn(); a == b {
		t.Error("two owners of one name")
	}
}

// What is read can be written and read again, and is the same.
func FuzzSession(f *testing.F) {
	for _, s := range []socketio.Session{{ID: "sid", PID: "pid"}, {ID: "s", PID: "p", Rooms: []string{"a"}, Data: map[string]any{"b": []byte{1}, "c": []any{1.5, nil}}, Lost: "1-0"}} {
		for _, own := range []string{"", newOwn()} {
			b, err := appendSession(nil, &s, own)
			if err != nil {
				f.Fatal(err)
			}
			binary, _ := base64.StdEncoding.DecodeString(string(b))
			f.Add(binary)
		}
	}
	binary, _ := base64.StdEncoding.DecodeString(written)
	f.Add(binary)
	f.Fuzz(func(t *testing.T, binary []byte) {
		s, own, err := readSession([]byte(base64.StdEncoding.EncodeToString(binary)))
		if err != nil {
			return
		}
		b, err := appendSession(nil, &s, own)
		if err != nil {
			t.Fatalf("%+v can't be written: %v", s, err)
		}
		again, whose, err := readSession(b)
		if s.Data == nil {
			s.Data = map[string]any{}
		}
		if err != nil || whose != own || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v of %q came back as %+v of %q, %v", s, own, again, whose, err)
		}
	})
}

// An offset is read only as it is written.
func FuzzOffset(f *testing.F) {
	f.Add("1764300000000-0")
	f.Add("1764300000000-0+0123456789abcdef.42")
	f.Fuzz(func(t *testing.T, s string) {
		if o, ok := parseOffset(s); ok && o.String() != s {
			t.Fatalf("%q is %+v", s, o)
		}
	})
}
