package natsadapter

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/parleyws/parley/socketio"
)

func TestPlace(t *testing.T) {
	for _, tt := range []struct {
		place place
		want  string
	}{
		{place{}, ""},
		{place{sequence: 36}, "10"},
		{place{sequence: 1<<64 - 1}, "3w5e11264sgsf"},
		{place{sequence: 1, uid: someUID, number: 35}, "1." + someUID + ".z"},
		{place{1<<64 - 1, strings.Repeat("a", maxUID), 1<<64 - 1}, "3w5e11264sgsf." + strings.Repeat("a", maxUID) + ".3w5e11264sgsf"},
	} {
		if got := tt.place.String(); got != tt.want {
			t.Errorf("%+v is %q, want %q", tt.place, got, tt.want)
		}
		if got, ok := parsePlace(tt.want); ok != (tt.want != "") || got != tt.place {
			t.Errorf("%q is %+v, %t", tt.want, got, ok)
		}
	}
}

// What is taken for an offset is written as it was.
func FuzzPlace(f *testing.F) {
	for _, offset := range []string{"", "0", "10", "01", "Z", "+1", "1_0", "1.", "1." + someUID, "1." + someUID + ".1", "1." + someUID + ".0", "3w5e11264sgsg"} {
		f.Add(offset)
	}
	f.Fuzz(func(t *testing.T, offset string) {
		p, ok := parsePlace(offset)
		if ok && p.String() != offset {
			t.Errorf("%q is written as %q", offset, p)
		}
	})
}

func someSession() socketio.Session {
	return socketio.Session{
		ID: "sid", PID: "p-i_d", Rooms: []string{"sid", "room", ""}, Data: map[string]any{"b": []byte{0, 255}, "n": 1.5, "l": []any{"x", nil}},
		Connected: "1", Sent: "2", Lost: "3." + someUID + ".4",
	}
}

func TestSession(t *testing.T) {
	want := someSession()
	for _, ended := range []bool{false, true} {
		b, err := appendSession(nil, &want, ended)
		if err != nil {
			t.Fatal(err)
		}
		got, isEnded, err := readSession(b)
		if err != nil || isEnded != ended || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("read %+v, %t, %v", got, isEnded, err)
		}
		for i := range b {
			if _, _, err := readSession(b[:i]); err == nil {
				t.Errorf("%d of %d bytes are taken for a session", i, len(b))
			}
		}
		if _, _, err := readSession(append(b, 0)); err == nil {
			t.Error("one byte more is taken")
		}
	}
	if _, err := appendSession(nil, &socketio.Session{Data: map[string]any{"f": func() {}}}, false); err == nil {
		t.Error("a function was written")
	}
}

// What is accepted is written as it was, but for the data, whose JSON may have another form.
func FuzzSession(f *testing.F) {
	s := someSession()
	b, err := appendSession(nil, &s, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		s, ended, err := readSession(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the session was modified")
		}
		if err != nil {
			return
		}
		again, err := appendSession(nil, &s, ended)
		if err != nil {
			t.Fatal(err)
		}
		got, gotEnded, err := readSession(again)
		if err != nil || gotEnded != ended || fmt.Sprint(got) != fmt.Sprint(s) {
			t.Fatalf("read %+v, then %+v, %v", s, got, err)
		}
	})
}

func TestReadAnswer(t *testing.T) {
	for _, tt := range []struct {
		text           string
		sequence, last uint64
		unexpected     bool
	}{
		{`{"stream":"S","seq":5}`, 5, 0, false},
		{`{"stream":"S", "seq":1795862136366726}`, 1795862136366726, 0, false},
		{`{"stream":"S","seq":5 }`, 5, 0, false}, {`{"stream":"\"seq\":6","seq":5}`, 5, 0, false},
		{`{"stream":"S","domain":"d","seq":18446744073709551615,"duplicate":true}`, 1<<64 - 1, 0, false},
		{`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"},"stream":"S","seq":0}`, 0, 7, true},
		{`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 0"},"stream":"S","seq":9}`, 0, 0, true},
		{`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: x"}}`, 0, 0, false},
		{`{"error":{"code":503,"err_code":10074,"description":"wrong last sequence: 1"}}`, 0, 0, false},
		{"", 0, 0, false}, {"null", 0, 0, false}, {`{"seq":-1}`, 0, 0, false}, {`{"seq":"5"}`, 0, 0, false}, {"{", 0, 0, false},
	} {
		if sequence, last, unexpected := readAnswer([]byte(tt.text)); sequence != tt.sequence || last != tt.last || unexpected != tt.unexpected {
			t.Errorf("%s: %d, %d, %t", tt.text, sequence, last, unexpected)
		}
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`{"stream":"S","seq":5}`))
	f.Add([]byte(`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if sequence, last, unexpected := readAnswer(b); sequence > 0 && unexpected || last > 0 && !unexpected {
			t.Errorf("%d, %d, %t", sequence, last, unexpected)
		}
	})
}

// A told notes what has become of messages.
type told struct{ text *strings.Builder }

func (w told) stored(sequence uint64) { fmt.Fprintf(w.text, "stored %d;", sequence) }
func (w told) failed(last uint64, unexpected bool) {
	fmt.Fprintf(w.text, "failed %d %t;", last, unexpected)
}

// Answers in any order, doubled, missing, and to what nobody has asked.
func TestAnswers(t *testing.T) {
	const ok, wrong = `{"seq":7}`, `{"error":{"err_code":10071,"description":"wrong last sequence: 3"}}`
	type come struct {
		n    int
		text string
	}
	for _, tt := range []struct {
		name string
		sent int
		come []come
		want string
		left int
	}{
		{"in order", 2, []come{{0, ok}, {1, ok}}, "stored 7;stored 7;", 0},
		{"one is missing", 3, []come{{1, ok}}, "failed 0 false;stored 7;", 1},
		{"one is refused", 2, []come{{0, wrong}, {1, ok}}, "failed 3 true;stored 7;", 0},
		{"refused before another one is answered", 3, []come{{1, wrong}, {0, ok}, {2, ok}}, "failed 3 true;stored 7;stored 7;", 0},
		{"twice", 1, []come{{0, ok}, {0, ok}}, "stored 7;", 0},
		{"refused twice", 2, []come{{1, wrong}, {1, wrong}}, "failed 3 true;", 2},
		{"not asked for", 1, []come{{1, ok}, {99, ok}}, "", 1},
		{"nobody has taken it", 1, []come{{0, ""}}, "failed 0 false;", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := answers{prefix: "a."}
			to := told{new(strings.Builder)}
			var subjects []string
			for range tt.sent + 100 {
				subjects = append(subjects, "")
			}
			for i := range tt.sent {
				subjects[i] = a.add(to)
			}
			for _, c := range tt.come {
				if subjects[c.n] == "" {
					subjects[c.n] = "a.zz"
				}
				a.receive(&nats.Msg{Subject: subjects[c.n], Data: []byte(c.text)})
			}
			for _, subject := range []string{"a.", "", "a.-1", "a.x y"} {
				a.receive(&nats.Msg{Subject: subject, Data: []byte(ok)})
			}
			if to.text.String() != tt.want || len(a.waiting) != tt.left {
				t.Errorf("%s, %d left; want %s, %d", to.text, len(a.waiting), tt.want, tt.left)
			}
		})
	}
}

func TestSequenceOf(t *testing.T) {
	for text, want := range map[string]uint64{"1": 1, "1795862136366726": 1795862136366726, "": 0, "-1": 0, "1x": 0, "99999999999999999999": 0} {
		if got := sequenceOf(&nats.Msg{Header: nats.Header{"Nats-Sequence": {text}}}); got != want {
			t.Errorf("%q is %d", text, got)
		}
	}
	if got := sequenceOf(new(nats.Msg)); got != 0 {
		t.Errorf("no header is %d", got)
	}
}

// Names of streams are such as JetStream allows, and differ where prefixes do.
func TestStreamName(t *testing.T) {
	seen := make(map[string]string)
	for _, prefix := range []string{"parley", "a.b", "a_b", "A_B", "a/b", "ab1", "a:b"} {
		name := streamName(prefix, "events")
		if other, ok := seen[name]; ok || strings.ContainsAny(name, " .*>/\\:") {
			t.Errorf("%q and %q are %q", prefix, other, name)
		}
		seen[name] = prefix
	}
	if name := streamName("parley", "events"); name != "PARLEY_EVENTS" {
		t.Errorf("%q", name)
	}
}
