package msgpack_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/parser/msgpack"
)

var limits = parser.Limits{Attachments: 10, Arguments: 128, Depth: 64}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What follows the arguments in an event of the JavaScript client: its options, and
// an id that is undefined.
const tail = "a76f7074696f6e7381a8636f6d7072657373c3a26964d40000a36e7370a12f"

// What socket.io-msgpack-parser 3.0.2 (notepack.io 2.2.0) makes of packets of
// socket.io-client 4.8. Placeholders are written as @0, @1.
var captured = []struct {
	name, octets string
	want         parser.Packet
	data         string
	binary       []string
}{
	{"connect", "83a47479706500a464617461d40000a36e7370a12f", parser.Packet{Type: parser.Connect}, "", nil},
	{"connect with auth", "83a47479706500a46461746181a5746f6b656ea3616263a36e7370a62f61646d696e",
		parser.Packet{Type: parser.Connect, Namespace: []byte("/admin")}, `{"token":"abc"}`, nil},
	{"connect with binary auth", "83a47479706500a46461746181a36b6579c403010203a36e7370a12f",
		parser.Packet{Type: parser.Connect}, `{"key":"AQID"}`, nil},
	{"connect again", "83a47479706500a46461746182a3706964a170a66f6666736574a16fa36e7370a12f",
		parser.Packet{Type: parser.Connect}, `{"pid":"p","offset":"o"}`, nil},
	{"disconnect", "82a47479706501a36e7370a62f61646d696e",
		parser.Packet{Type: parser.Disconnect, Namespace: []byte("/admin")}, "", nil},
	{"event", "84a47479706502a46461746192a568656c6c6f01a76f7074696f6e7381a8636f6d7072657373c3a36e7370a12f",
		parser.Packet{Type: parser.Event}, `["hello",1]`, nil},
	{"event with an undefined id", "85a47479706502a46461746191a568656c6c6f" + tail,
		parser.Packet{Type: parser.Event}, `["hello"]`, nil},
	{"event with an id", "85a47479706502a46461746191a568656c6c6fa76f7074696f6e7381a8636f6d7072657373c3a2696407a36e7370a12f",
		parser.Packet{Type: parser.Event, HasID: true, ID: 7}, `["hello"]`, nil},
	{"ack", "84a47479706503a26964cd012ca46461746192a26f6bc0a36e7370a12f",
		parser.Packet{Type: parser.Ack, HasID: true, ID: 300}, `["ok",null]`, nil},
	{"integers", "85a47479706502a464617461dc0015a16e007fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000cf001fffffffffffffffe0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffffd3ffe0000000000001" + tail,
		parser.Packet{Type: parser.Event}, `["n",0,127,128,255,256,65535,65536,4294967295,4294967296,9007199254740991,-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,-9007199254740991]`, nil},
	{"floats", "85a47479706502a46461746199a166cb3fe0000000000000cbbff4000000000000cb3e7ad7f29abcaf48cb0000000000000001cb7ff8000000000000cb7ff0000000000000cbfff000000000000000" + tail,
		parser.Packet{Type: parser.Event}, `["f",0.5,-1.25,1e-07,5e-324,null,null,null,0]`, nil},
	{"strings", "85a47479706502a46461746195a173a0acc3a9e280a83c263e225c0a00d9207878787878787878787878787878787878787878787878787878787878787878a4f09f9880" + tail,
		parser.Packet{Type: parser.Event}, `["s","","é <&>\"\\\n\u0000","` + strings.Repeat("x", 32) + `","😀"]`, nil},
	{"half a surrogate pair", "85a47479706502a46461746192a173a4f0908080" + tail,
		parser.Packet{Type: parser.Event}, `["s","` + "\U00010000" + `"]`, nil},
	{"Buffer", "85a47479706502a46461746193a162c40378797a81a46465657091c400" + tail,
		parser.Packet{Type: parser.Event}, `["b",@0,{"deep":[@1]}]`, []string{"xyz", ""}},
	{"Uint8Array", "85a47479706502a46461746192a162c70300010203" + tail,
		parser.Packet{Type: parser.Event}, `["b",@0]`, []string{"\x01\x02\x03"}},
	{"Uint8Array in a browser", "85a47479706502a46461746192a16283a13001a13102a13203" + tail,
		parser.Packet{Type: parser.Event}, `["b",{"0":1,"1":2,"2":3}]`, nil},
	{"ArrayBuffer in a browser", "85a47479706502a46461746192a162c403010203" + tail,
		parser.Packet{Type: parser.Event}, `["b",@0]`, []string{"\x01\x02\x03"}},
	{"Date", "85a47479706502a46461746195a164d700000001a21f5829a2d700ffffffffffffffffd700001eb208c2dc0000d700ffe14df73d240000" + tail,
		parser.Packet{Type: parser.Event}, `["d","2026-11-27T23:30:01.250Z","1969-12-31T23:59:59.999Z","+275760-09-13T00:00:00.000Z","-271821-04-20T00:00:00.000Z"]`, nil},
	{"undefined", "85a47479706502a46461746194a175d4000091d4000083a161d40000a16201a163d40000" + tail,
		parser.Packet{Type: parser.Event}, `["u",null,[null],{"b":1}]`, nil},
	{"nested", "85a47479706502a46461746193a16f82a161920182a162c0a16392c3c2a080dc0011000102030405060708090a0b0c0d0e0f10" + tail,
		parser.Packet{Type: parser.Event}, `["o",{"a":[1,{"b":null,"c":[true,false]}],"":{}},[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]]`, nil},
	{"an object like a placeholder", "85a47479706502a46461746193a17082ac5f706c616365686f6c646572c3a36e756d00c40171" + tail,
		parser.Packet{Type: parser.Event}, `["p",{"_placeholder":true,"num":0},@0]`, []string{"q"}},
	{"event named by a number", "85a47479706502a464617461920fa178" + tail,
		parser.Packet{Type: parser.Event}, `[15,"x"]`, nil},
}

// written returns the data of p with @0, @1 for its placeholders.
func written(p *parser.Packet) string {
	var b []byte
	at := 0
	for _, h := range p.Placeholders {
		b = append(append(b, p.Data[at:h.Start]...), '@', '0'+byte(h.Num))
		at = h.End
	}
	return string(append(b, p.Data[at:]...))
}

func TestParseCaptured(t *testing.T) {
	for _, tt := range captured {
		t.Run(tt.name, func(t *testing.T) {
			var p parser.Packet
			if err := (msgpack.Parser{}).Parse(&p, unhex(t, tt.octets), limits); err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want.Namespace == nil {
				want.Namespace = []byte("/")
			}
			if p.Type != want.Type || !bytes.Equal(p.Namespace, want.Namespace) || p.HasID != want.HasID || p.ID != want.ID || p.Attachments != 0 {
				t.Errorf("got %+v", p)
			}
			if got := written(&p); got != tt.data {
				t.Errorf("data\n%s, want\n%s", got, tt.data)
			}
			var pieces []string
			for _, b := range p.Binary {
				pieces = append(pieces, string(b))
			}
			if !slices.Equal(pieces, tt.binary) {
				t.Errorf("binary data %q, want %q", pieces, tt.binary)
			}
			checkArgs(t, &p)
		})
	}
}

// checkArgs compares the arguments with what encoding/json finds.
func checkArgs(t *testing.T, p *parser.Packet) {
	t.Helper()
	var list []json.RawMessage
	if len(p.Data) > 0 && p.Data[0] == '[' {
		if err := json.Unmarshal(p.Data, &list); err != nil {
			t.Fatalf("%s: %v", p.Data, err)
		}
	}
	if len(list) != len(p.Args) {
		t.Fatalf("%d arguments in %s", len(p.Args), p.Data)
	}
	for i, span := range p.Args {
		if got := p.Data[span.Start:span.End]; !bytes.Equal(got, list[i]) {
			t.Errorf("argument %d is %s, want %s", i, got, list[i])
		}
	}
}

// Extensions and lengths that the encoder of the npm package does not write, but
// that MessagePack has. Those of a Date are in notepack.io from version 3 on.
func TestParseValues(t *testing.T) {
	for _, tt := range []struct{ name, octets, want string }{
		{"timestamp 32", "d6ff6928e089", `"2025-11-27T23:36:41.000Z"`},
		{"timestamp 64", "d7ff" + "3b9ac9006928e089", `"2025-11-27T23:36:41.249Z"`},
		{"timestamp 96", "c70cff" + "3b9aca00" + "ffffffffffffffff", `"1970-01-01T00:00:00.000Z"`},
		{"timestamp beyond a Date", "c70cff" + "00000000" + "7fffffffffffffff", `null`},
		{"own date beyond a Date", "d7007fffffffffffffff", `null`},
		{"year 0", "c70cff00000000fffffff1868b8400", `"0000-01-01T00:00:00.000Z"`},
		{"year -1", "c70cff00000000fffffff1868b83ff", `"-000001-12-31T23:59:59.000Z"`},
		{"unknown extension", "d50501ff", `[5,@0]`},
		{"extension of 4", "d605" + "01020304", `[5,@0]`},
		{"extension of 16", "d8fe" + strings.Repeat("00", 16), `[-2,@0]`},
		{"extension of the sizes of numbers in Go", "d70301020304" + "05060708", `[3,@0]`},
		{"own extension 16", "c8000200" + "0102", `@0`},
		{"own extension 32", "c90000000200" + "0102", `@0`},
		{"own extension of 2", "d5000102", `[0,@0]`},
		{"bin 16", "c500020102", `@0`},
		{"bin 32", "c6000000020102", `@0`},
		{"string 8", "d90161", `"a"`},
		{"string 16", "da000161", `"a"`},
		{"string 32", "db0000000161", `"a"`},
		{"string that is not UTF-8", "a2ff61", `"�a"`},
		{"array 32", "dd0000000101", `[1]`},
		{"map 16", "de0001a16101", `{"a":1}`},
		{"map 32", "df00000001a16101", `{"a":1}`},
		{"map with integers as keys", "8201a161ff02", `{"1":"a","-1":2}`},
		{"empty map after undefined", "81a161d40000", `{}`},
		{"float 32", "ca3fc00000", `1.5`},
		{"large float", "cb444b1ae4d6e2ef50", `1e+21`},
		{"float without a fraction", "cb4008000000000000", `3`},
		{"positive int 64", "d30000000000000001", `1`},
		{"greatest uint 64", "cfffffffffffffffff", `18446744073709551615`},
		{"least int 64", "d38000000000000000", `-9223372036854775808`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p parser.Packet
			message := unhex(t, "83a47479706502a36e7370a12fa46461746192a165"+tt.octets)
			if err := (msgpack.Parser{}).Parse(&p, message, limits); err != nil {
				t.Fatal(err)
			}
			if got, want := written(&p), `["e",`+tt.want+`]`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			checkArgs(t, &p)
		})
	}
}

func TestParseErrors(t *testing.T) {
	const (
		broken    = "packet is not MessagePack"
		notMap    = "packet is not a map"
		twice     = "field of a packet is there twice"
		missing   = "packet without type or namespace"
		namespace = "namespace is not a string with a slash"
		key       = "key of a map is not a string or an integer"
		trailing  = "bytes after the packet"
		kind      = "unknown packet type"
		id        = "acknowledgement id out of range"
		many      = "more attachments than Limits.Attachments"
		arguments = "too many arguments"
		depth     = "payload is nested too deep"
		data      = "data of a packet is not an array, a map or a string"
	)
	event := func(octets string) string { return "83a47479706502a36e7370a12fa464617461" + octets }
	for octets, want := range map[string]string{
		"": notMap, "90": notMap, "c0": notMap, "c1": notMap, "a3616263": notMap,
		"80": missing, "81a47479706500": missing, "81a36e7370a12f": missing,
		"82a47479706500a47479706500": twice, "82a36e7370a12fa36e7370a12f": twice, event("c0") + "a464617461c0": trailing,
		"84a47479706502a36e7370a12fa464617461c0a464617461c0": twice,
		"82a47479706505a36e7370a12f":                         kind, "82a474797065a132a36e7370a12f": kind, "82a474797065ffa36e7370a12f": kind,
		"82a474797065cb0000000000000000a36e7370a12f": kind, "82a474797065c0a36e7370a12f": kind, "81a474797065": kind,
		"82a47479706500a36e7370a0": namespace, "82a47479706500a36e7370a161": namespace, "82a47479706500a36e737001": namespace,
		"82a47479706500a36e7370c0": namespace, "82a47479706500a36e7370a22fff": namespace, "82a47479706500a36e7370": namespace,
		"83a47479706503a36e7370a12fa26964ff": id, "83a47479706503a36e7370a12fa26964a131": id,
		"83a47479706503a36e7370a12fa26964cf0020000000000000": id, "83a47479706503a36e7370a12fa26964": id,
		"8101c0": key, "81c0c0": key, "81": key, "de": broken, "df0000": broken,
		event("91c1"): broken, event("92a165"): broken, event("a2"): broken, event("d9"): broken, event("d905616263"): broken,
		event("dbffffffff"): broken, event("91c6ffffffff"): broken, event("db7fffffff61"): broken, event("91c405"): broken, event("91c4"): broken, event("c400"): data,
		event("91db"): broken, event("91c9"): broken, event("91c9ffffffff00"): broken, event("91c7"): broken, event("91c705"): broken,
		event("91d4"): broken, event("91d400"): broken, event("91d6ff00"): broken, event("91d7ff00"): broken, event("91cd00"): broken,
		event("91cb00"): broken, event("91d0"): broken, event("91cc"): broken, event("91ddffffffff"): broken, event("ddffffffff00"): broken, event("dc00"): broken,
		event("92a165dc"): broken, event("91dfffffffffa161"): broken, event("91de"): broken, event("9181c0c0"): key, event("9181"): key, event("9181d905"): broken,
		event("9181cd00"): broken, event("dc"): broken, event("d50501ff"): data, event("d7007fffffffffffffff"): data, event("00"): data, event("c1"): data,
		"83a47479706500a36e7370a12fa46461746191c400":                    "auth is an array",
		event("9ca165" + strings.Repeat("c400", 11)):                    many,
		event("9ca165" + strings.Repeat("d50500ff", 11)):                many,
		event("dc0083a165" + strings.Repeat("00", 130)):                 arguments,
		event("92a165" + strings.Repeat("91", 64) + "00"):               depth,
		event("92a165" + strings.Repeat("81a161", 64) + "00"):           depth,
		event("92a165" + strings.Repeat("91", 1_000_000)):               depth,
		event("dfffffffff" + strings.Repeat("a16100", 10)):              key,
		"84a47479706502a36e7370a12fa178" + strings.Repeat("91", 65):     depth,
		"84a47479706502a36e7370a12fa1789b" + strings.Repeat("c400", 11): many,
	} {
		var p parser.Packet
		err := msgpack.Parser{}.Parse(&p, unhex(t, octets), limits)
		if pe, ok := errors.AsType[*parser.Error](err); !ok || pe.Reason != want {
			t.Errorf("Parse(%.80s): %v, want %s", octets, err, want)
		}
	}
}

// Of a field that means nothing here, nothing is kept.
func TestParseSkips(t *testing.T) {
	var p parser.Packet
	message := unhex(t, "84a17892a178c40161a47479706502a36e7370a12fa46461746192a165c40162")
	if err := (msgpack.Parser{}).Parse(&p, message, limits); err != nil {
		t.Fatal(err)
	}
	if got := written(&p); got != `["e",@0]` || len(p.Binary) != 1 || string(p.Binary[0]) != "b" {
		t.Errorf("%s with %q", got, p.Binary)
	}
	if &p.Binary[0][0] == &message[len(message)-1] {
		t.Error("binary data is a view of the message")
	}
}

func TestParseAtTheLimits(t *testing.T) {
	for _, octets := range []string{
		"92a165" + strings.Repeat("91", 63) + "00",
		"92a165" + strings.Repeat("81a161", 63) + "00",
		"9ba165" + strings.Repeat("c400", 10),
		"dc0081a165" + strings.Repeat("00", 128),
	} {
		var p parser.Packet
		if err := (msgpack.Parser{}).Parse(&p, unhex(t, "83a47479706502a36e7370a12fa464617461"+octets), limits); err != nil {
			t.Errorf("%.40s: %v", octets, err)
		}
	}
}

// packet makes a packet as package socketio does: @0 in data stands for the
// placeholder of a piece of binary data.
func packet(p parser.Packet, data string, pieces ...string) *parser.Packet {
	for i := 0; i < len(data); i++ {
		if data[i] != '@' {
			p.Data = append(p.Data, data[i])
			continue
		}
		i++
		start := len(p.Data)
		p.Data = parser.AppendPlaceholder(p.Data, int(data[i]-'0'))
		p.Placeholders = append(p.Placeholders, parser.Placeholder{Span: parser.Span{Start: start, End: len(p.Data)}, Num: int(data[i] - '0')})
	}
	for _, piece := range pieces {
		p.Binary = append(p.Binary, []byte(piece))
	}
	if p.Namespace == nil {
		p.Namespace = []byte("/")
	}
	return &p
}

func TestEncode(t *testing.T) {
	head := func(fields, typ string) string { return fields + "a474797065" + typ + "a36e7370a12f" }
	event := func(octets string) string { return head("83", "02") + "a464617461" + octets }
	of := parser.Packet{Type: parser.Event}
	for _, tt := range []struct {
		name string
		p    *parser.Packet
		want string
	}{
		{"connect", packet(parser.Packet{}, `{"sid":"x"}`), head("83", "00") + "a46461746181a3736964a178"},
		{"disconnect", packet(parser.Packet{Type: parser.Disconnect}, ""), head("82", "01")},
		{"namespace", packet(parser.Packet{Type: parser.Disconnect, Namespace: []byte("/admin")}, ""), "82a47479706501a36e7370a62f61646d696e"},
		{"ack", packet(parser.Packet{Type: parser.Ack, HasID: true, ID: 300}, `[]`), head("84", "03") + "a26964cd012ca46461746190"},
		{"event with id 0", packet(parser.Packet{Type: parser.Event, HasID: true}, `["e"]`), head("84", "02") + "a2696400a46461746191a165"},
		{"connect error", packet(parser.Packet{Type: parser.ConnectError}, `{"message":"no"}`), head("83", "04") + "a46461746181a76d657373616765a26e6f"},
		{"literals", packet(of, `["e",null,true,false]`), event("94a165c0c3c2")},
		{"integers", packet(of, `[0,127,128,255,256,65536,4294967296,18446744073709551615]`), event("98007fcc80ccffcd0100ce00010000cf0000000100000000cfffffffffffffffff")},
		{"negative integers", packet(of, `[-1,-32,-33,-128,-129,-32769,-2147483649,-9223372036854775808]`), event("98ffe0d0dfd080d1ff7fd2ffff7fffd3ffffffff7fffffffd38000000000000000")},
		{"other numbers", packet(of, `[0.5,-0,1e3,18446744073709551616,1e999]`), event("95cb3fe0000000000000cb8000000000000000cb408f400000000000cb43f0000000000000cb7ff0000000000000")},
		{"strings", packet(of, `["","é\u2028<&>\"\\\n\u0000\ud83d\ude00","😀\\"]`), event("93a0b0c3a9e280a83c263e225c0a00f09f9880a5f09f98805c")},
		{"containers", packet(of, `[[],{},{"a":[1,{"b":null}]}]`), event("93908081a161920181a162c0")},
		{"16 elements", packet(of, `[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,"x"]`), event("dc0010000102030405060708090a0b0c0d0ea178")},
		{"16 members", packet(of, `[{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"k":0,"l":0,"m":0,"n":0,"o":0,"p":0}]`),
			event("91de0010a16100a16200a16300a16400a16500a16600a16700a16800a16900a16a00a16b00a16c00a16d00a16e00a16f00a17000")},
		{"spaces", packet(of, "[ 1 ,\t{ \"a\" : [ ] }\r\n]"), event("920181a16190")},
		{"binary data", packet(of, `["e",@0,{"a":[@1]}]`, "xyz", ""), event("93a165c40378797a81a16191c400")},
		{"an object like a placeholder", packet(of, `[{"_placeholder":true,"num":0},@0]`, "q"), event("9282ac5f706c616365686f6c646572c3a36e756d00c40171")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			message, attachments := msgpack.Parser{}.Encode(tt.p)
			if got := hex.EncodeToString(message); got != tt.want || attachments != nil {
				t.Errorf("got\n%s, want\n%s; %d attachments", got, tt.want, len(attachments))
			}
		})
	}
	if !(msgpack.Parser{}).Binary() {
		t.Error("the messages are text")
	}
}

// A packet of 70,000 elements has a long header, whatever it is in.
func TestEncodeLong(t *testing.T) {
	const n = 70_000
	p := packet(parser.Packet{Type: parser.Event}, `["e",[0`+strings.Repeat(",0", n-1)+`]]`)
	message, _ := msgpack.Parser{}.Encode(p)
	i := bytes.IndexByte(message, 0xdd)
	if i < 0 || binary.BigEndian.Uint32(message[i+1:]) != n || len(message) != i+5+n {
		t.Errorf("header at %d of %d bytes", i, len(message))
	}
}

// Encoding into the same Packet costs nothing once its memory is there, and parsing
// costs the copies of binary data.
func TestAllocs(t *testing.T) {
	p := packet(parser.Packet{Type: parser.Event}, `["message",{"room":"a","n":[1,-2.5,"é"]},@0]`, "xyz")
	if got := testing.AllocsPerRun(100, func() { msgpack.Parser{}.Encode(p) }); got > 0 {
		t.Errorf("encoding costs %v allocations, want 0", got)
	}
	message, _ := msgpack.Parser{}.Encode(p)
	message = bytes.Clone(message)
	var again parser.Packet
	if got := testing.AllocsPerRun(100, func() { _ = msgpack.Parser{}.Parse(&again, message, limits) }); got > 1 {
		t.Errorf("parsing costs %v allocations, want that of the binary data", got)
	}
}

// Whatever is taken is legal and within the limits, and comes back the same when it
// is sent.
func FuzzParse(f *testing.F) {
	for _, tt := range captured {
		f.Add(unhex(f, tt.octets))
	}
	f.Add(unhex(f, "84a17892a178c40161a47479706502a36e7370a12fa46461746194a165c40162d50501ffcb3fe0000000000000"))
	f.Fuzz(func(t *testing.T, message []byte) {
		var p, again parser.Packet
		few := parser.Limits{Attachments: 3, Arguments: 5, Depth: 6}
		if err := (msgpack.Parser{}).Parse(&p, message, few); err != nil {
			if _, ok := errors.AsType[*parser.Error](err); !ok {
				t.Fatalf("error %T: %v", err, err)
			}
			return
		}
		if len(p.Data) > 0 && !json.Valid(p.Data) {
			t.Fatalf("%q is no JSON", p.Data)
		}
		if most := 6*len(message) + 64*len(p.Binary); len(p.Data) > most && p.Type != parser.Connect {
			t.Fatalf("%d bytes of JSON, %d of MessagePack", len(p.Data), len(message))
		}
		if len(p.Binary) > 3 || len(p.Placeholders) != len(p.Binary) || len(p.Args) > 6 || nesting(p.Data) > 6 {
			t.Fatalf("over the limits: %+v", p)
		}
		for i, h := range p.Placeholders {
			if h.Num != i || !bytes.Equal(p.Data[h.Start:h.End], parser.AppendPlaceholder(nil, i)) {
				t.Fatalf("%q holds the placeholder %+v", p.Data, h)
			}
		}
		checkArgs(t, &p)
		wire, _ := msgpack.Parser{}.Encode(&p)
		if err := (msgpack.Parser{}).Parse(&again, wire, few); err != nil {
			t.Fatalf("%q, sent as %x: %v", p.Data, wire, err)
		}
		if p.Type != again.Type || !bytes.Equal(p.Namespace, again.Namespace) || p.HasID != again.HasID || p.ID != again.ID ||
			!sameJSON(p.Data, again.Data) || !slices.EqualFunc(p.Binary, again.Binary, bytes.Equal) {
			t.Fatalf("%+v came back as %+v", p, again)
		}
	})
}

// nesting returns how deep arrays and objects are nested in JSON.
func nesting(data []byte) (most int) {
	depth, inside := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '[' || c == '{':
			depth++
			most = max(most, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return most
}

// sameJSON compares values, whatever the text of their numbers.
func sameJSON(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// JSON that is sent comes back as the same values.
func FuzzEncode(f *testing.F) {
	f.Add([]byte(`["a",[1,-2.5e3,{"b":[true,false,null]}],"\u00e9\\"]`))
	f.Add([]byte(` [ -0 , 1E400 ] `))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) || nesting(data) > 64 || !strings.ContainsRune(`[{"n`, rune(bytes.TrimSpace(data)[0])) {
			return // a packet has no other data, or null for none
		}
		p := parser.Packet{Type: parser.Event, Namespace: []byte("/"), Data: data}
		message, _ := msgpack.Parser{}.Encode(&p)
		var again parser.Packet
		wide := parser.Limits{Attachments: 0, Arguments: len(data), Depth: 64}
		if err := (msgpack.Parser{}).Parse(&again, message, wide); err != nil {
			t.Fatalf("%s, sent as %x: %v", data, message, err)
		}
		var want any
		if json.Unmarshal(data, &want) != nil {
			return // a number out of range
		}
		if want != nil && !sameJSON(data, again.Data) {
			t.Fatalf("%s came back as %s", data, again.Data)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p := packet(parser.Packet{Type: parser.Event}, `["message",{"room":"general","message":"hello, how are you"}]`)
	message, _ := msgpack.Parser{}.Encode(p)
	message = bytes.Clone(message)
	var again parser.Packet
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		if err := (msgpack.Parser{}).Parse(&again, message, limits); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	p := packet(parser.Packet{Type: parser.Event}, `["message",{"room":"general","message":"hello, how are you"}]`)
	b.SetBytes(int64(len(p.Data)))
	b.ReportAllocs()
	for b.Loop() {
		msgpack.Parser{}.Encode(p)
	}
}
