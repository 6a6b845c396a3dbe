package nodewire

import (
	"errors"
	"strings"
	"testing"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// What is no message is refused, and costs little.
func TestHostile(t *testing.T) {
	const head = `{"uid":"a","nsp":"/",`
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	for _, tt := range []struct{ name, text string }{
		{"nothing", ""},
		{"space", "  "},
		{"cut", head[:9]},
		{"array", "[]"},
		{"more", `{"uid":"a","nsp":"/","type":1}x`},
		{"no type", head + `"data":{}}`},
		{"type 0", head + `"type":0}`},
		{"type 14", head + `"type":14}`},
		{"type 3.5", head + `"type":3.5}`},
		{"type as text", head + `"type":"3"}`},
		{"no uid", `{"nsp":"/","type":1}`},
		{"no namespace", `{"uid":"a","type":1}`},
		{"uid is a number", `{"uid":1,"nsp":"/","type":1}`},
		{"no data", head + `"type":3}`},
		{"data is an array", head + `"type":3,"data":[]}`},
		{"data is null", head + `"type":4,"data":null}`},
		{"no opts", head + `"type":3,"data":{"packet":{"type":2,"data":["e"]}}}`},
		{"no packet", head + `"type":3,"data":{"opts":{}}}`},
		{"packet of another type", head + `"type":3,"data":{"packet":{"type":0,"data":["e"]},"opts":{}}}`},
		{"packet without data", head + `"type":3,"data":{"packet":{"type":2},"opts":{}}}`},
		{"packet is an array", head + `"type":3,"data":{"packet":["e"],"opts":{}}}`},
		{"too deep", head + `"type":9,"data":{"packet":` + deep + `}}`},
		{"rooms is an object", head + `"type":4,"data":{"opts":{"rooms":{}},"rooms":[]}}`},
		{"room is an object", head + `"type":4,"data":{"opts":{"rooms":[{}]},"rooms":[]}}`},
		{"room is true", head + `"type":4,"data":{"opts":{},"rooms":[true]}}`},
		{"room is no number", head + `"type":4,"data":{"opts":{},"rooms":[01]}}`},
		{"no rooms", head + `"type":4,"data":{"opts":{}}}`},
		{"volatile is a number", head + `"type":4,"data":{"opts":{"flags":{"volatile":1}},"rooms":[]}}`},
		{"close is text", head + `"type":6,"data":{"opts":{},"close":"true"}}`},
		{"fetch without request", head + `"type":7,"data":{"opts":{}}}`},
		{"request is a number", head + `"type":7,"data":{"opts":{},"requestId":7}}`},
		{"sockets is an object", head + `"type":8,"data":{"requestId":"r","sockets":{}}}`},
		{"socket is a number", head + `"type":8,"data":{"requestId":"r","sockets":[1]}}`},
		{"sockets are no JSON", head + `"type":8,"data":{"requestId":"r","sockets":[{]}]}}`},
		{"no clients", head + `"type":11,"data":{"requestId":"r"}}`},
		{"less than none", head + `"type":11,"data":{"requestId":"r","clientCount":-1}}`},
		{"half a client", head + `"type":11,"data":{"requestId":"r","clientCount":0.5}}`},
		{"too many clients", head + `"type":11,"data":{"requestId":"r","clientCount":1e10}}`},
		{"control character", head + `"type":7,"data":{"opts":{},"requestId":"` + "\n" + `"}}`},
		{"wrong escape", head + `"type":7,"data":{"opts":{},"requestId":"\x"}}`},
		{"string without end", head + `"type":7,"data":{"opts":{},"requestId":"\"}}`},
		{"MessagePack of a string", "\xa1a"},
		{"MessagePack cut", "\x82\xa4type"},
		{"MessagePack of great length", "\xdf\xff\xff\xff\xff"},
		{"array of great length", "\xdd\xff\xff\xff\xff"},
		{"bytes after MessagePack", string(pack(t, head+`"type":1}`)) + "\xc0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, form := range []string{tt.text, string(packIf(t, tt.text))} {
				var d Decoder
				namespace, m, err := d.Decode([]byte(form))
				if _, ok := errors.AsType[*parser.Error](err); !ok {
					t.Errorf("%q, %v: %v", namespace, m, err)
				}
			}
		})
	}
}

// packIf returns the MessagePack of what is legal JSON, and other text as it is.
func packIf(t testing.TB, text string) []byte {
	e := socketio.Encoded{Data: []byte(text)}
	var v any
	if e.Decode(&v) != nil {
		return []byte(text)
	}
	return pack(t, text)
}

func pack(_ testing.TB, text string) []byte { return msgpack.AppendValue(nil, []byte(text), nil, nil) }

func TestHostileData(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		t          cluster.Type
	}{
		{"no data", "", cluster.Broadcast},
		{"unknown type", "{}", 99},
		{"type 0", "{}", 0},
		{"no base64", "*", cluster.Broadcast},
		{"text after it", `{"opts":{},"rooms":[]}x`, cluster.Join},
		{"array", "[]", cluster.Join},
	} {
		var d Decoder
		if m, err := d.DecodeData(tt.t, "a", []byte(tt.text)); err == nil {
			t.Errorf("%s: %v", tt.name, m)
		} else if _, ok := errors.AsType[*parser.Error](err); !ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestUnknownTypeIsNotWritten(t *testing.T) {
	var e Encoder
	if _, err := e.Append(nil, "/", &cluster.Message{Type: 14}, false); err == nil {
		t.Error("written")
	}
	m := cluster.Message{Type: cluster.Fetched, Sockets: []socketio.RemoteSocket{{Data: map[string]any{"x": make(chan int)}}}}
	if _, err := e.Append(nil, "/", &m, false); err == nil {
		t.Error("a channel was written")
	}
}

// A message that was read is written so that it is read as the same.
func FuzzDecode(f *testing.F) {
	for _, tt := range node(f) {
		f.Add([]byte(tt.json))
		f.Add(pack(f, tt.json))
	}
	f.Add([]byte("\x84\xa4type\x03\xa4data\x82\xa6packet\x82\xa4type\x02\xa4data\x92\xa1e\xc4\x01\x01\xa4opts\x80\xa3uid\xa1a\xa3nsp\xa1/"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, second Decoder
		var e Encoder
		namespace, m, err := first.Decode(b)
		if err != nil {
			if _, ok := errors.AsType[*parser.Error](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		for _, part := range []*socketio.Encoded{&m.Event, &m.Answer} {
			if len(part.Data) == 0 || string(part.Data) == "null" {
				continue
			}
			var v any
			if part.Decode(&v) != nil { // Local refuses it
				return
			}
			again, err := socketio.Encode(v)
			if err != nil {
				t.Fatal(err)
			}
			*part = again
		}
		binary, err := e.Append(nil, namespace, m, true)
		if err != nil {
			t.Fatal(err)
		}
		name, got, err := second.Decode(binary)
		if err != nil {
			t.Fatalf("%q: %v", binary, err)
		}
		if name != namespace || got.Type != m.Type || got.UID != m.UID || got.Request != m.Request || got.Count != m.Count ||
			len(got.Sockets) != len(m.Sockets) || got.Target.Flags != m.Target.Flags || len(got.Target.Rooms) != len(m.Target.Rooms) {
			t.Errorf("%+v\n%+v", m, got)
		}
	})
}
