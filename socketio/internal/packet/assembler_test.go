package packet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

func hold(n int) string { return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, n) }

func parsed(t *testing.T, wire string) *packet.Unit {
	t.Helper()
	u := new(packet.Unit)
	if err := parse(u, []byte(wire)); err != nil {
		t.Fatalf("%s: %v", wire, err)
	}
	return u
}

func TestAssembler(t *testing.T) {
	type step struct {
		text, binary string
		done         bool
		err          error
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"no attachment", []step{{text: `2["a"]`, done: true}, {text: `2["b"]`, done: true}}},
		{"one", []step{{text: `51-["a",` + hold(0) + `]`}, {binary: "x", done: true}, {text: `2["b"]`, done: true}}},
		{"two", []step{{text: `52-["a"]`}, {binary: "x"}, {binary: "y", done: true}, {binary: "z", err: packet.ErrBinary}}},
		{"text while awaited", []step{{text: `52-["a"]`}, {binary: "x"}, {text: `2["b"]`, err: packet.ErrTextAwaited}}},
		{"binary without a packet", []step{{binary: "x", err: packet.ErrBinary}}},
		{"binary after an event", []step{{text: `2["a"]`, done: true}, {binary: "x", err: packet.ErrBinary}}},
		{"as much as may be", []step{{text: `52-["a"]`}, {binary: "1234567"}, {binary: "8", done: true}, {text: `51-["b"]`}, {binary: "12345678", done: true}}},
		{"more in one", []step{{text: `51-["a"]`}, {binary: "123456789", err: packet.ErrLarge}}},
		{"more in all", []step{{text: `53-["a"]`}, {binary: "1234567"}, {binary: ""}, {binary: "89", err: packet.ErrLarge}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a packet.Assembler
			for i, s := range tt.steps {
				var u *packet.Unit
				attachment, err := a.Judge(s.text == "", false)
				switch {
				case attachment:
					u, err = a.Attachment([]byte(s.binary), 8)
				case err == nil:
					u = a.First(parsed(t, s.text))
				}
				if err != s.err || (u != nil) != s.done {
					t.Fatalf("step %d: %v, %v", i, u, err)
				}
				if s.err == nil && a.Awaiting() == s.done {
					t.Fatalf("step %d: awaiting %t", i, a.Awaiting())
				}
				if u != nil && len(u.Binary) != u.Attachments {
					t.Fatalf("step %d: complete with %d attachments", i, len(u.Binary))
				}
			}
		})
	}
}

// A parser whose first messages are binary takes no text, and may have attachments too.
func TestAssemblerBinary(t *testing.T) {
	var a packet.Assembler
	if _, err := a.Judge(false, true); err != packet.ErrText {
		t.Errorf("text: %v", err)
	}
	if attachment, err := a.Judge(true, true); attachment || err != nil {
		t.Errorf("the first message: %t, %v", attachment, err)
	}
	a.First(parsed(t, `51-["a"]`))
	if attachment, err := a.Judge(true, true); !attachment || err != nil {
		t.Errorf("the second message: %t, %v", attachment, err)
	}
}

// A stream of messages, each text after a 't' and each binary after a 'b', gives
// units that give the same stream when they are written again.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte(`t2["a"]` + "\x1e" + `t52-["a",` + hold(1) + `]` + "\x1ebx\x1eby"))
	f.Add([]byte(`t61-3[{"a":` + hold(0) + `}]` + "\x1eb"))
	f.Add([]byte("bx"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var a packet.Assembler
		var again [][]byte
		var whole int // messages that complete units were made of
		messages := bytes.Split(stream, []byte{0x1e})
		for _, m := range messages {
			if len(m) == 0 {
				return
			}
			var u *packet.Unit
			attachment, err := a.Judge(m[0] == 'b', false)
			if err != nil {
				break
			}
			if attachment {
				u, _ = a.Attachment(m[1:], math.MaxInt64)
			} else {
				in := new(packet.Unit)
				if parse(in, m[1:]) != nil {
					return
				}
				u = a.First(in)
			}
			if u == nil {
				continue
			}
			whole += 1 + len(u.Binary)
			again = append(again, append([]byte{'t'}, encoded(&u.Packet)...))
			for _, data := range u.Binary {
				again = append(again, append([]byte{'b'}, data...))
			}
			for i := range u.Len() {
				for _, p := range u.Within(u.Span(i)) {
					if p.Num >= len(u.Binary) || !json.Valid(u.Data[p.Start:p.End]) {
						t.Fatalf("%q holds the placeholder %+v", u.Arg(i), p)
					}
				}
			}
		}
		if len(again) != whole {
			t.Fatalf("%d messages came back of %d", len(again), whole)
		}
		for i := range again {
			var p, q packet.Unit
			if again[i][0] == 'b' {
				if !bytes.Equal(again[i], messages[i]) {
					t.Fatalf("message %d is %q, was %q", i, again[i], messages[i])
				}
			} else if parse(&p, again[i][1:]) != nil || parse(&q, messages[i][1:]) != nil || !bytes.Equal(encoded(&p.Packet), encoded(&q.Packet)) {
				t.Fatalf("message %d is %q, was %q", i, again[i], messages[i])
			}
		}
	})
}

// What a Unit held is gone when it is parsed into again, and its memory is used
// again.
func TestUnitAgain(t *testing.T) {
	u := parsed(t, `52-["a",`+hold(0)+`,`+hold(1)+`]`)
	u.Binary = append(u.Binary, []byte("xyz"))
	u.Scratch = make([]byte, 5)
	// The Unit, its namespace and data, an attachment, two arguments, and two placeholders.
	if got, want := u.Size(), 320+len("/")+len(`["a",`+hold(0)+`,`+hold(1)+`]`)+(40+3)+2*16+2*24; got != want {
		t.Errorf("size %d, want %d", got, want)
	}
	if got, want := u.Held(), cap(u.Namespace)+cap(u.Data)+cap(u.Scratch); got != want {
		t.Errorf("%d bytes are held, want %d", got, want)
	}
	data := u.Data
	u.Poison()
	if data[0] != '!' {
		t.Errorf("the data of a poisoned unit is %q", data)
	}
	u.Drop()
	if len(u.Binary) != 0 || u.Binary[:1][0] != nil {
		t.Errorf("dropped attachments are still held: %q", u.Binary[:1])
	}
	u.Scratch = nil
	if err := parse(u, []byte("1")); err != nil || u.Name() != nil {
		t.Errorf("the name of no event is %q, %v", u.Name(), err)
	}
	if err := errors.Join(parse(u, []byte(`2["b"]`)), u.Read(parser.Ack, []byte("[]"), nil, limits)); err != nil || u.Name() != nil {
		t.Errorf("the name of an acknowledgement is %q, %v", u.Name(), err)
	}
	held := u.Held()
	if err := parse(u, []byte(`2["b"]`)); err != nil || string(u.Name()) != "b" || u.Len() != 0 || u.Held() != held {
		t.Errorf("parsed again: %v, %q, %d arguments, %d bytes held after %d", err, u.Name(), u.Len(), u.Held(), held)
	}
}

// The placeholders inside each argument are found, those of others are not.
func TestWithin(t *testing.T) {
	u := parsed(t, `53-["a",`+hold(2)+`,"plain",{"b":[`+hold(0)+`,1,`+hold(1)+`]},[]]`)
	for i, want := range [][]int{{2}, nil, {0, 1}, nil} {
		var got []int
		for _, p := range u.Within(u.Span(i)) {
			if text := string(u.Data[p.Start:p.End]); text != hold(p.Num) {
				t.Errorf("argument %d: placeholder %d is %s", i, p.Num, text)
			}
			got = append(got, p.Num)
		}
		if !slices.Equal(got, want) {
			t.Errorf("argument %d holds the attachments %v, want %v", i, got, want)
		}
	}
}
