package packet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

var limits = parser.Limits{Attachments: 10, Arguments: 128, Depth: 64}

// parse reads the first message of a packet into u.
func parse(u *packet.Unit, wire []byte) error { return u.Parse(packet.Text{}, wire, limits) }

// encoded returns the first message of p, once its attachments have come.
func encoded(p *parser.Packet) []byte {
	for len(p.Binary) < p.Attachments {
		p.Binary = append(p.Binary, []byte("x"))
	}
	message, _ := packet.Text{}.Encode(p)
	return message
}

// The samples of the specification, "Packet encoding" and "Sample session",
// and what is legal besides. An empty again means that Encode
// gives wire itself.
var legalPackets = []struct {
	name, wire, again string
	want              parser.Packet
	event             string
	args              []string
}{
	{"connect", "0", "", parser.Packet{Type: parser.Connect}, "", nil},
	{"connect with auth", `0{"token":"123"}`, "", parser.Packet{Type: parser.Connect, Data: []byte(`{"token":"123"}`)}, "", nil},
	{"connect to a namespace", "0/admin,", "", parser.Packet{Type: parser.Connect, Namespace: []byte("/admin")}, "", nil},
	{"connect without the comma", "0/admin", "0/admin,", parser.Packet{Type: parser.Connect, Namespace: []byte("/admin")}, "", nil},
	{"connect to a namespace with auth", `0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}`, "", parser.Packet{Type: parser.Connect, Namespace: []byte("/admin"), Data: []byte(`{"sid":"oSO0OpakMV_3jnilAAAA"}`)}, "", nil},
	{"connect to a namespace of one letter", "0/a,", "", parser.Packet{Type: parser.Connect, Namespace: []byte("/a")}, "", nil},
	{"connect to the root by name alone", "0/", "0", parser.Packet{Type: parser.Connect}, "", nil},
	{"connect and a space", "0 ", "0", parser.Packet{Type: parser.Connect}, "", nil},
	{"root by name", `2/,["a"]`, `2["a"]`, parser.Packet{Type: parser.Event, Data: []byte(`["a"]`)}, "a", nil},
	{"disconnect", "1", "", parser.Packet{Type: parser.Disconnect}, "", nil},
	{"disconnect from a namespace", "1/admin,", "", parser.Packet{Type: parser.Disconnect, Namespace: []byte("/admin")}, "", nil},
	{"event", `2["hello",1]`, "", parser.Packet{Type: parser.Event, Data: []byte(`["hello",1]`)}, "hello", []string{"1"}},
	{"event in a namespace with id", `2/admin,456["project:delete",123]`, "", parser.Packet{Type: parser.Event, Namespace: []byte("/admin"), HasID: true, ID: 456, Data: []byte(`["project:delete",123]`)}, "project:delete", []string{"123"}},
	{"event with a space", "2[ \"a\" ,\t{ } ]\n", "", parser.Packet{Type: parser.Event, Data: []byte("[ \"a\" ,\t{ } ]\n")}, "a", []string{"{ }"}},
	{"event named error", `2["error","x"]`, "", parser.Packet{Type: parser.Event, Data: []byte(`["error","x"]`)}, "error", []string{`"x"`}},
	{"event named __proto__", `2["__proto__"]`, "", parser.Packet{Type: parser.Event, Data: []byte(`["__proto__"]`)}, "__proto__", nil},
	{"event named by a number", `2[-1.50e1]`, "", parser.Packet{Type: parser.Event, Data: []byte(`[-1.50e1]`)}, "-15", nil},
	{"event named by a fraction", `2[1.5]`, "", parser.Packet{Type: parser.Event, Data: []byte(`[1.5]`)}, "1.5", nil},
	{"event named by zero", `2[-0,1]`, "", parser.Packet{Type: parser.Event, Data: []byte(`[-0,1]`)}, "0", []string{"1"}},
	{"event named beyond all numbers", `2[1e999]`, "", parser.Packet{Type: parser.Event, Data: []byte(`[1e999]`)}, "1e999", nil},
	{"event with an escaped name", `2["\u0061\n"]`, "", parser.Packet{Type: parser.Event, Data: []byte(`["\u0061\n"]`)}, "a\n", nil},
	{"event without a name's text", `2[""]`, "", parser.Packet{Type: parser.Event, Data: []byte(`[""]`)}, "", nil},
	{"a placeholder that is data", `2["a",{"_placeholder":true,"num":0}]`, "", parser.Packet{Type: parser.Event, Data: []byte(`["a",{"_placeholder":true,"num":0}]`)}, "a", []string{`{"_placeholder":true,"num":0}`}},
	{"ack", `3/admin,456[]`, "", parser.Packet{Type: parser.Ack, Namespace: []byte("/admin"), HasID: true, ID: 456, Data: []byte(`[]`)}, "", nil},
	{"ack without an id", `3["a"]`, "", parser.Packet{Type: parser.Ack, Data: []byte(`["a"]`)}, "", []string{`"a"`}},
	{"ack with the greatest id", `39007199254740991[]`, "", parser.Packet{Type: parser.Ack, HasID: true, ID: 1<<53 - 1, Data: []byte(`[]`)}, "", nil},
	{"connect error", `4/admin,{"message":"Not authorized"}`, "", parser.Packet{Type: parser.ConnectError, Namespace: []byte("/admin"), Data: []byte(`{"message":"Not authorized"}`)}, "", nil},
	{"connect error as text", `4"Not authorized"`, "", parser.Packet{Type: parser.ConnectError, Data: []byte(`"Not authorized"`)}, "", nil},
	{"binary event", `51-["baz",{"_placeholder":true,"num":0}]`, "", parser.Packet{Type: parser.Event, Attachments: 1, Data: []byte(`["baz",{"_placeholder":true,"num":0}]`)}, "baz", []string{`{"_placeholder":true,"num":0}`}},
	{"binary event with ten", `510-["a"]`, "", parser.Packet{Type: parser.Event, Attachments: 10, Data: []byte(`["a"]`)}, "a", nil},
	{"binary ack", `61-/admin,456[{"_placeholder":true,"num":0}]`, "", parser.Packet{Type: parser.Ack, Attachments: 1, Namespace: []byte("/admin"), HasID: true, ID: 456, Data: []byte(`[{"_placeholder":true,"num":0}]`)}, "", []string{`{"_placeholder":true,"num":0}`}},
	{"a placeholder that is unmade", `51-["a",{"_placeholder":true,"num":9,"_placeholder":false}]`, "", parser.Packet{Type: parser.Event, Attachments: 1, Data: []byte(`["a",{"_placeholder":true,"num":9,"_placeholder":false}]`)}, "a", []string{`{"_placeholder":true,"num":9,"_placeholder":false}`}},
	{"a placeholder of another kind", `51-["a",{"_placeholder":"true","num":"0"}]`, "", parser.Packet{Type: parser.Event, Attachments: 1, Data: []byte(`["a",{"_placeholder":"true","num":"0"}]`)}, "a", []string{`{"_placeholder":"true","num":"0"}`}},
}

func TestParse(t *testing.T) {
	for _, tt := range legalPackets {
		t.Run(tt.name, func(t *testing.T) {
			var u packet.Unit
			if err := parse(&u, []byte(tt.wire)); err != nil {
				t.Fatalf("Parse(%q): %v", tt.wire, err)
			}
			want := tt.want
			if want.Namespace == nil {
				want.Namespace = []byte("/")
			}
			if !same(&u.Packet, &want) || string(u.Name()) != tt.event || !slices.Equal(arguments(&u), tt.args) {
				t.Errorf("Parse(%q) = %+v, name %q, arguments %q", tt.wire, u, u.Name(), arguments(&u))
			}
			again := tt.again
			if again == "" {
				again = tt.wire
			}
			if got := encoded(&u.Packet); string(got) != again {
				t.Errorf("Encode gives %q, want %q", got, again)
			}
		})
	}
}

// same compares what Encode writes.
func same(a, b *parser.Packet) bool {
	return a.Type == b.Type && bytes.Equal(a.Namespace, b.Namespace) && a.HasID == b.HasID &&
		a.ID == b.ID && a.Attachments == b.Attachments && bytes.Equal(a.Data, b.Data)
}

func arguments(p *packet.Unit) (args []string) {
	for i := range p.Len() {
		args = append(args, string(p.Arg(i)))
	}
	return args
}

func TestParseErrors(t *testing.T) {
	const (
		count       = "count of attachments is not a number from 1 on"
		many        = "more attachments than Limits.Attachments"
		id          = "acknowledgement id out of range"
		payload     = "payload does not fit the packet type"
		name        = "event name is not a string or number"
		reserved    = "event name is reserved"
		placeholder = "placeholder without an attachment"
		notJSON     = "payload is not JSON"
		depth       = "payload is nested too deep"
		arguments   = "too many arguments"
	)
	for wire, want := range map[string]string{
		"":         "packet without a type",
		"7":        "unknown packet type",
		"/":        "unknown packet type",
		"abc":      "unknown packet type",
		"\x1e":     "unknown packet type",
		`5["a"]`:   count,
		`50-["a"]`: count, `50-["a",{"_placeholder":true,"num":0}]`: count, `60-[]`: count,
		`511-["a"]`: many, `5999999999999999999999-["a"]`: count, `5-["a"]`: count, `5-1-["a"]`: count,
		`5+1-["a"]`: count, `51.0-["a"]`: count, `51e0-["a"]`: count, `5 1-["a"]`: count, `50x1-["a"]`: count,
		`51["a"]`: count, `51`: count, `5`: count, `51,["a"]`: count,
		`29007199254740992["a"]`: id, `2` + strings.Repeat("9", 400) + `["a"]`: id,
		"2": payload, `2/a`: payload, `2/a["b"]`: payload, `2{}`: payload, `2"a"`: payload, `2null`: payload,
		`2[]`: payload, `2[ ]`: payload, "3": payload, "3{}": payload, `31`: payload,
		"1[]": payload, `1{}`: payload, `1/a,x`: notJSON,
		`0[]`: payload, `0null`: payload, `0"a"`: payload, `0true`: payload, "4": payload, "4[]": payload, "4null": payload,
		`2[null]`: name, `2[true]`: name, `2[{}]`: name, `2[["a"]]`: name, `2[{"toString":1}]`: name,
		`51-[{"_placeholder":true,"num":0}]`: name,
		`2["connect"]`:                       reserved, `2["connect_error"]`: reserved, `2["disconnect"]`: reserved,
		`2["disconnecting"]`: reserved, `2["newListener"]`: reserved, `2["removeListener",1]`: reserved,
		`2["\u0063onnect"]`: reserved, `51-["disconnect"]`: reserved,
		`51-["a",{"_placeholder":true,"num":1}]`: placeholder, `51-["a",{"_placeholder":true,"num":-1}]`: placeholder,
		`51-["a",{"_placeholder":true,"num":"0"}]`: placeholder, `51-["a",{"_placeholder":true,"num":0.5}]`: placeholder,
		`51-["a",{"_placeholder":true,"num":10}]`: placeholder, `51-["a",{"_placeholder":true,"num":null}]`: placeholder,
		`51-["a",{"_placeholder":true}]`: placeholder, `51-["a",{"num":1,"_placeholder":true}]`: placeholder,
		`51-["a",{"_place\u0068older":true,"num":1}]`: placeholder, `61-[[{"b":{"_placeholder":true,"num":2}}]]`: placeholder,
		`2["a"`: notJSON, `2["a",]`: notJSON, `2["a"]]`: notJSON, `2["a"]x`: notJSON, `2[`: notJSON, `2["a" "b"]`: notJSON,
		`2["a",01]`: notJSON, `2["a",1.]`: notJSON, `2["a",.5]`: notJSON, `2["a",-]`: notJSON, `2["a",1e]`: notJSON,
		`2["a",1e+]`: notJSON, `2["a",+1]`: notJSON, `2["a",NaN]`: notJSON, `2["a",tru]`: notJSON, `2["a",nul`: notJSON,
		"2[\"a\nb\"]": notJSON, `2["\x41"]`: notJSON, `2["\u12G4"]`: notJSON, `2["\u123`: notJSON, `2["a\`: notJSON, `2["a`: notJSON,
		`2["a",{]`: notJSON, `2["a",{"b"}]`: notJSON, `2["a",{"b":}]`: notJSON, `2["a",{"b":1,}]`: notJSON,
		`2["a",{b:1}]`: notJSON, `2["a",{"b":1]`: notJSON, `2["a",{"b`: notJSON, `2["a",{"b" 1}]`: notJSON, `2["a",[1}]`: notJSON,
		`0{"a":1`: notJSON, `0{}x`: notJSON, "2[\"a\"\x00]": notJSON, `4"a`: notJSON,
		`2["a",` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `]`:           depth,
		`2["a",` + strings.Repeat(`{"b":`, 64) + "1" + strings.Repeat("}", 64) + `]`: depth,
		`0` + strings.Repeat(`{"b":`, 65) + "1" + strings.Repeat("}", 65):            depth,
		`2["a"` + strings.Repeat(",0", 129) + `]`:                                    arguments, `31[0` + strings.Repeat(",0", 128) + `]`: arguments,
		`2["a",` + strings.Repeat("[", 1_000_000): depth,
	} {
		var p packet.Unit
		err := parse(&p, []byte(wire))
		if pe, ok := errors.AsType[*parser.Error](err); !ok || pe.Reason != want {
			t.Errorf("Parse(%.60q): %v, want %s", wire, err, want)
		}
	}
}

func TestParseAtTheLimits(t *testing.T) {
	for _, wire := range []string{
		`2["a",` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `]`,
		`2["a",` + strings.Repeat(`{"b":`, 63) + "1" + strings.Repeat("}", 63) + `]`,
		`0` + strings.Repeat(`{"b":`, 64) + "1" + strings.Repeat("}", 64),
		`2["a"` + strings.Repeat(",0", 128) + `]`,
		`31[0` + strings.Repeat(",0", 127) + `]`,
	} {
		var p packet.Unit
		if err := parse(&p, []byte(wire)); err != nil {
			t.Errorf("Parse(%.60q): %v", wire, err)
		}
	}
}

func TestError(t *testing.T) {
	var p packet.Unit
	if err := parse(&p, nil); err.Error() != "socket.io: packet without a type" {
		t.Errorf("error of no bytes: %v", err)
	}
}

// A careless parser finds what it is told to.
type careless struct{ found parser.Packet }

func (careless) Binary() bool                             { return true }
func (careless) Encode(*parser.Packet) ([]byte, [][]byte) { return nil, nil }
func (c careless) Parse(p *parser.Packet, _ []byte, _ parser.Limits) error {
	*p = c.found
	return nil
}

// What does not depend on the form of packets is judged whatever the parser.
func TestParseAnyForm(t *testing.T) {
	if (packet.Text{}).Binary() {
		t.Error("text is binary")
	}
	array := []byte(`["connect",1]`)
	name, both := parser.Span{Start: 1, End: 10}, []parser.Span{{Start: 1, End: 10}, {Start: 11, End: 12}}
	for _, tt := range []struct {
		found parser.Packet
		want  string
	}{
		{parser.Packet{Type: parser.ConnectError + 1}, "socket.io: payload does not fit the packet type"},
		{parser.Packet{Type: parser.Event, Data: array}, "socket.io: payload does not fit the packet type"},
		{parser.Packet{Type: parser.Event, Data: array, Args: []parser.Span{name}}, "socket.io: event name is reserved"},
		{parser.Packet{Type: parser.Ack, Data: array, Args: slices.Repeat(both, 65)}, "socket.io: too many arguments"},
		{parser.Packet{Type: parser.Event, Data: []byte(`["e",1]`), Args: append([]parser.Span{{Start: 1, End: 4}}, slices.Repeat(both, 65)...)}, "socket.io: too many arguments"},
		{parser.Packet{Type: parser.Ack, Data: array, Args: both}, ""},
	} {
		var u packet.Unit
		got := ""
		if err := u.Parse(careless{tt.found}, nil, limits); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%v %s with %d arguments: %q, want %q", tt.found.Type, tt.found.Data, len(tt.found.Args), got, tt.want)
		}
	}
}

// With another limit there may be more attachments, whose numbers have more digits.
func TestManyAttachments(t *testing.T) {
	more := parser.Limits{Attachments: 1 << 16, Arguments: 128, Depth: 64}
	for _, n := range []int{1, 9, 10, 11, 100, 1 << 16} {
		wire := fmt.Appendf(nil, `5%d-["a",{"_placeholder":true,"num":%d}]`, n, n-1)
		var u packet.Unit
		if err := u.Parse(packet.Text{}, wire, more); err != nil {
			t.Errorf("%s: %v", wire, err)
			continue
		}
		if u.Attachments != n || len(u.Placeholders) != 1 || u.Placeholders[0].Num != n-1 {
			t.Errorf("%s: %d attachments, placeholders %v", wire, u.Attachments, u.Placeholders)
		}
		if got := encoded(&u.Packet); !bytes.Equal(got, wire) {
			t.Errorf("%s came back as %s", wire, got)
		}
		less := parser.Limits{Attachments: n - 1, Arguments: 128, Depth: 64}
		if err := u.Parse(packet.Text{}, wire, less); err != parser.ErrAttachments {
			t.Errorf("%s with a limit of %d: %v", wire, n-1, err)
		}
		beyond := fmt.Appendf(nil, `5%d-["a",{"_placeholder":true,"num":%d}]`, n, n)
		if err := u.Parse(packet.Text{}, beyond, more); err == nil {
			t.Errorf("%s was taken", beyond)
		}
	}
}

// Parsing into the same Packet costs nothing, whatever came before.
func TestParseAllocs(t *testing.T) {
	var p packet.Unit
	many := `2["a"` + strings.Repeat(",0", 128) + `]`
	if err := parse(&p, []byte(many)); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a long name ", 20)
	for _, wire := range []string{
		`2["message",{"room":"a","message":"hello"}]`,
		`2/admin,17["` + long + `",[1,2.5e3,"\u00e9"],null]`,
		`52-["a",{"b":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]`,
		`3/admin,17["a"]`, `0/admin,{"token":"x"}`, many, `2[` + strings.Repeat("[", 100), `2["connect"]`,
	} {
		b := []byte(wire)
		_ = parse(&p, b)
		if got := testing.AllocsPerRun(100, func() { _ = parse(&p, b) }); got > 0 {
			t.Errorf("Parse(%.40q) allocates %v times, want 0", wire, got)
		}
	}
}

// Misleads tells of objects that a reader takes for placeholders though they are none, or takes
// for others, and of nothing else.
func TestMisleads(t *testing.T) {
	for _, tt := range []struct {
		data string // of two attachments; _0 and _1 stand for placeholders
		want bool
	}{
		{`["e",_0,_1]`, false},
		{`["e",_1,{"a":[_0]}]`, false},
		{`["e",_0,_1,"_placeholder"]`, false},
		{`["e",_0,_1,"\u005f"]`, false},
		{`["e",_0,_1,{"_placeholder":false,"num":0}]`, false},
		{`["e",_0,_1,{"_placeholder":true,"num":0}]`, true},
		{`["e",_0,_1,{"_placeholder":true,"num":2}]`, true},
		{`["e",_0,_1,{"_placeholder":true}]`, true},
		{`["e",_0,_1,{"\u005fplaceholder":true,"num":1}]`, true},
		{`["e",_0,_1,{"\u005fplaceholder":true,"num":2}]`, true},
		{`["e",{"_placeholder":true,"num":0,"a":_0},_1]`, true},
		{`["e",{"\u005fplaceholder":true,"num":1,"a":_0},_1]`, true},
	} {
		var data []byte
		var list []parser.Placeholder
		for rest := tt.data; rest != ""; {
			before, after, found := strings.Cut(rest, "_")
			data = append(data, before...)
			rest = after
			switch {
			case !found:
			case after[0] == '0' || after[0] == '1':
				start, num := len(data), int(after[0]-'0')
				data = parser.AppendPlaceholder(data, num)
				list = append(list, parser.Placeholder{Span: parser.Span{Start: start, End: len(data)}, Num: num})
				rest = after[1:]
			default:
				data = append(data, '_')
			}
		}
		if got := packet.Misleads(data, 2, list); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.data, got, tt.want)
		}
	}
}

// DeeperThan counts what is nested, and neither what is beside it nor what is in strings.
func TestDeeperThan(t *testing.T) {
	for _, tt := range []struct {
		data  string
		depth int
	}{
		{`"[[[["`, 0},
		{`["[{"]`, 1},
		{`["\"[[","\\"]`, 1},
		{`[[],[],{},{}]`, 2},
		{`{"a":{"[":["\"]},"b":{}}`, 3},
		{`[{"a":[{"a":1}]}]`, 4},
	} {
		for most := range 6 {
			if got, want := packet.DeeperThan([]byte(tt.data), most), tt.depth > most; got != want {
				t.Errorf("%s: deeper than %d: %t, want %t", tt.data, most, got, want)
			}
		}
	}
}

func FuzzPacket(f *testing.F) {
	for _, tt := range legalPackets {
		f.Add([]byte(tt.wire))
	}
	f.Add([]byte(`2["a",[1,-2.5e3,{"b":[true,false,null]}],"\u00e9\\"]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again packet.Unit
		if parse(&p, b) != nil {
			return
		}
		if len(p.Data) > 0 && !json.Valid(p.Data) {
			t.Fatalf("%q: encoding/json refuses %q", b, p.Data)
		}
		wire := encoded(&p.Packet)
		if err := parse(&again, wire); err != nil || !same(&p.Packet, &again.Packet) || !slices.Equal(arguments(&p), arguments(&again)) {
			t.Fatalf("%q came back from %q as %+v, %v", b, wire, again, err)
		}
		if third := encoded(&again.Packet); !bytes.Equal(third, wire) {
			t.Fatalf("%q, then %q", wire, third)
		}
	})
}

// The arguments are those that encoding/json finds, and what it takes is taken.
func FuzzArguments(f *testing.F) {
	f.Add([]byte(`[1,-2.5e3,{"b":[true,false,null]},"\u00e9\\"]`))
	f.Add([]byte(` [ ] `))
	f.Add([]byte(`[0,]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p packet.Unit
		err := parse(&p, append([]byte("3"), data...))
		var want []json.RawMessage
		isArray := json.Unmarshal(data, &want) == nil && want != nil
		digits := len(data) > 0 && ('0' <= data[0] && data[0] <= '9' || data[0] == '/')
		if digits {
			return // an id or namespace
		}
		if pe, ok := errors.AsType[*parser.Error](err); ok {
			deep := strings.HasSuffix(pe.Reason, "deep") || strings.HasSuffix(pe.Reason, "arguments")
			if isArray && !deep {
				t.Fatalf("%q is refused: %v", data, err)
			}
			return
		}
		if !isArray || len(want) != p.Len() {
			t.Fatalf("%q: %d arguments, encoding/json finds %q", data, p.Len(), want)
		}
		for i := range want {
			if !bytes.Equal(p.Arg(i), want[i]) {
				t.Fatalf("argument %d of %q is %q, want %q", i, data, p.Arg(i), want[i])
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, bb := range []struct{ name, wire string }{
		{"event64", `2["message",{"room":"general","message":"hello, how are you"}]`},
		{"ack", `3/admin,17["ok"]`},
		{"text1k", `2["message","` + strings.Repeat("x", 1000) + `"]`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var p packet.Unit
			wire := []byte(bb.wire)
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				if err := parse(&p, wire); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleUnit_Parse() {
	var p packet.Unit
	if err := parse(&p, []byte(`2/admin,456["project:delete",123]`)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v in %s, id %d: %s\n", p.Type, p.Namespace, p.ID, p.Name())
	for i := range p.Len() {
		fmt.Printf("argument %d: %s\n", i, p.Arg(i))
	}

	fmt.Println(parse(&p, []byte(`2["disconnect"]`)))
	// Output:
	// EVENT in /admin, id 456: project:delete
	// argument 0: 123
	// socket.io: event name is reserved
}

func ExampleText_Encode() {
	p := parser.Packet{Type: parser.Event, Namespace: []byte("/"), Data: []byte(`["hello",1]`)}
	message, _ := packet.Text{}.Encode(&p)
	fmt.Printf("%s\n", message)
	// Output: 2["hello",1]
}

func manyPlaceholders(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = hold(i)
	}
	return strings.Join(all, ",")
}

// What is JSON for encoding/json is JSON here, and nothing else is: each change of one byte of
// texts that have everything.
func TestJSON(t *testing.T) {
	const more = "\"\\/bfnrtu0159aAfFgG@`{}[]:,.+-eE \t\r\n\x01"
	try := func(text string) {
		if !strings.HasPrefix(text, "[") {
			return // an id or a namespace, perhaps
		}
		err := packet.Text{}.Parse(new(parser.Packet), []byte("3"+text), limits)
		if valid := json.Valid([]byte(text)); valid != (err == nil) {
			t.Errorf("%q: %v, want valid %v", text, err, valid)
		}
	}
	for _, text := range []string{
		`["\"\\\/\b\f\n\r\t\u00e9\uABCD\ufFaf",""]`, `["\u00e9"]`, "[ \t\r\n1 , -0.5e+10,3E-2,120e5 ]", "[true,false,null,{},[ ]]",
		"[{ \"a\" : [ 1 ] , \"b\" : \"c\" } , [ [] , {} ]]",
		`[[1,2],{"a":1,"b":2}]`, `["abcdefghi\u0041"]`, // the first 16 bytes of which take all of their memory
	} {
		try(text)
		for i := range text {
			try(text[:i])
			try(text[:i] + text[i+1:])
			for _, c := range []byte(more) {
				try(text[:i] + string(c) + text[i+1:])
				try(text[:i] + string(c) + text[i:])
			}
		}
	}
}

// The parser itself refuses more arguments than may be, and reads an id that nothing follows.
func TestText(t *testing.T) {
	var p parser.Packet
	if err := (packet.Text{}).Parse(&p, []byte(`3[1,2,3,4]`), parser.Limits{Arguments: 2, Depth: 2}); err != parser.ErrArguments {
		t.Errorf("four arguments: %v", err)
	}
	if err := (packet.Text{}).Parse(&p, []byte("37"), limits); err != nil || !p.HasID || p.ID != 7 {
		t.Errorf("an id alone: %+v, %v", p, err)
	}
	p = parser.Packet{Type: parser.Event, Namespace: []byte("/n"), HasID: true, ID: 1<<64 - 1, Data: []byte("[]"), Binary: make([][]byte, 1<<16)}
	message, _ := packet.Text{}.Encode(&p)
	if n := len(message) - len("/n[]"); n != packet.Headroom {
		t.Errorf("%d bytes before the longest packet's data, want %d", n, packet.Headroom)
	}
}

// Read judges data that no message has brought as Parse does, and copies it.
func TestRead(t *testing.T) {
	one := [][]byte{[]byte("x")}
	for _, tt := range []struct {
		name, data  string
		typ         parser.Type
		attachments [][]byte
		err         string
	}{
		{"event", `["e",1]`, parser.Event, nil, ""},
		{"binary event", `["e",{"_placeholder":true,"num":0}]`, parser.Event, one, ""},
		{"an object like a placeholder", `["e",{"_placeholder":true,"num":7}]`, parser.Event, nil, ""},
		{"acknowledgement", `[{"num":0,"_placeholder":true}]`, parser.Ack, one, ""},
		{"no UTF-8", "[\"\xff\"]", parser.Event, nil, "payload is not UTF-8"},
		{"no JSON", `["e",]`, parser.Event, nil, "payload is not JSON"},
		{"nothing", ``, parser.Event, nil, "payload is not JSON"},
		{"no event", `{}`, parser.Event, nil, "payload does not fit the packet type"},
		{"reserved", `["connect"]`, parser.Event, nil, "event name is reserved"},
		{"no name", `[null]`, parser.Event, nil, "event name is not a string or number"},
		{"attachment missing", `["e",{"_placeholder":true,"num":1}]`, parser.Event, one, "placeholder without an attachment"},
		{"as many attachments as may be", `[` + manyPlaceholders(10) + `]`, parser.Ack, make([][]byte, 10), ""},
		{"no object", `1`, parser.Connect, nil, "payload does not fit the packet type"},
		{"too many attachments", `["e"]`, parser.Event, make([][]byte, 11), "more attachments than Limits.Attachments"},
		{"too deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), parser.Ack, nil, "payload is nested too deep"},
		{"too many arguments", `["e"` + strings.Repeat(",0", 129) + "]", parser.Event, nil, "too many arguments"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var u packet.Unit
			data := []byte(tt.data)
			err := u.Read(tt.typ, data, tt.attachments, limits)
			if tt.err != "" {
				if pe, ok := errors.AsType[*parser.Error](err); !ok || pe.Reason != tt.err {
					t.Errorf("%v, want %s", err, tt.err)
				}
				return
			}
			err = errors.Join(err, u.Read(tt.typ, data, tt.attachments, limits)) // nothing is left of the first time
			clear(data)
			if err != nil || u.Type != tt.typ || string(u.Data) != tt.data || len(u.Binary) != len(tt.attachments) || len(u.Placeholders) != len(u.Binary) {
				t.Errorf("%v; %+v", err, u.Packet)
			}
		})
	}
}
