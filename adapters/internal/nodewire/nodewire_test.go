package nodewire

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

// events returns an Encoded as socketio makes it.
func encoded(t testing.TB, v any) socketio.Encoded {
	t.Helper()
	e, err := socketio.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const uid = "1eaa5cfe22e359f4"

func to(rooms ...string) socketio.Target { return socketio.Target{Rooms: rooms} }

// node are messages as Node writes them on a sharded channel, where they are JSON, and
// what they are here.
func node(t testing.TB) []struct {
	name, json string
	m          cluster.Message
} {
	blue := socketio.Target{Rooms: []string{"blue"}, Except: []string{"rl7qzxkrbFNMCdjZAAAA"}}
	flags := socketio.Target{Rooms: []string{"blue", "red"}, Except: []string{"green"}, Flags: socketio.Flags{Volatile: true, Uncompress: true}}
	handshake := socketio.Handshake{
		Header:  http.Header{"Connection": {"Upgrade"}, "Host": {"127.0.0.1:34323"}},
		Address: "::ffff:127.0.0.1", Issued: 1795576095960, Time: time.UnixMilli(1795576095960).UTC(),
		URL: "/socket.io/?EIO=4&transport=websocket", Query: url.Values{"EIO": {"4"}, "transport": {"websocket"}}, Auth: json.RawMessage("{}"),
	}
	return []struct {
		name, json string
		m          cluster.Message
	}{
		{"hello", `{"type":1,"uid":"1eaa5cfe22e359f4","nsp":"/"}`, cluster.Message{Type: cluster.Hello}},
		{"alive", `{"type":2,"uid":"1eaa5cfe22e359f4","nsp":"/"}`, cluster.Message{Type: cluster.Alive}},
		{"gone", `{"type":13,"uid":"1eaa5cfe22e359f4","nsp":"/"}`, cluster.Message{Type: cluster.Gone}},
		{"broadcast",
			`{"type":3,"data":{"packet":{"type":2,"data":["receive-message","hi ü€😀"]},"opts":{"rooms":["blue"],"except":["rl7qzxkrbFNMCdjZAAAA"],"flags":{}}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Broadcast, Target: blue, Event: encoded(t, []any{"receive-message", "hi ü€😀"})}},
		{"flags",
			`{"type":3,"data":{"packet":{"type":2,"data":["flags"]},"opts":{"rooms":["blue","red"],"except":["green"],"flags":{"volatile":true,"compress":false}}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Broadcast, Target: flags, Event: encoded(t, []any{"flags"})}},
		{"broadcast with acknowledgements",
			`{"type":3,"data":{"packet":{"type":2,"data":["q",1]},"requestId":"3785ae7442a7ad2e","opts":{"rooms":["blue"],"except":[],"flags":{"timeout":3000}}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Broadcast, Request: "3785ae7442a7ad2e", Target: to("blue"), Timeout: 3 * time.Second, Event: encoded(t, []any{"q", 1})}},
		{"clients",
			`{"type":11,"data":{"requestId":"3785ae7442a7ad2e","clientCount":1},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Clients, Request: "3785ae7442a7ad2e", Count: 1}},
		{"acknowledgement",
			`{"type":12,"data":{"requestId":"3785ae7442a7ad2e","packet":{"answer":"B"}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Ack, Request: "3785ae7442a7ad2e", Answer: encoded(t, map[string]any{"answer": "B"})}},
		{"fetch",
			`{"type":7,"data":{"opts":{"rooms":["blue"],"except":["red"],"flags":{}},"requestId":"9dfb797808c26539"},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Fetch, Request: "9dfb797808c26539", Target: socketio.Target{Rooms: []string{"blue"}, Except: []string{"red"}}}},
		{"fetched",
			`{"type":8,"data":{"requestId":"a0405bdb490338a6","sockets":[{"id":"0ZtGiJgR05vpP-LVAAAB","handshake":{"headers":{"connection":"Upgrade","host":"127.0.0.1:34323"},"time":"Wed Nov 25 2026 03:08:15 GMT+0000 (Coordinated Universal Time)","address":"::ffff:127.0.0.1","xdomain":false,"secure":false,"issued":1795576095960,"url":"/socket.io/?EIO=4\u0026transport=websocket","query":{"EIO":"4","transport":"websocket"},"auth":{}},"rooms":["0ZtGiJgR05vpP-LVAAAB","blue"],"data":{"name":"B"}}]},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Fetched, Request: "a0405bdb490338a6", Sockets: []socketio.RemoteSocket{{
				ID: "0ZtGiJgR05vpP-LVAAAB", Rooms: []string{"0ZtGiJgR05vpP-LVAAAB", "blue"}, Data: map[string]any{"name": "B"}, Handshake: handshake,
			}}}},
		{"join",
			`{"type":4,"data":{"opts":{"rooms":["blue"],"except":[],"flags":{}},"rooms":["green","yellow"]},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Join, Target: to("blue"), Rooms: []string{"green", "yellow"}}},
		{"leave",
			`{"type":5,"data":{"opts":{"rooms":["blue"],"except":["none"],"flags":{}},"rooms":["yellow"]},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Leave, Target: socketio.Target{Rooms: []string{"blue"}, Except: []string{"none"}}, Rooms: []string{"yellow"}}},
		{"disconnect",
			`{"type":6,"data":{"opts":{"rooms":["green"],"except":[],"flags":{}},"close":true},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.Disconnect, Target: to("green"), Connection: true}},
		{"server event",
			`{"type":9,"data":{"packet":["hello",{"x":1},"y"]},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.ServerEvent, Event: encoded(t, []any{"hello", map[string]any{"x": 1}, "y"})}},
		{"server event with an answer",
			`{"type":9,"data":{"requestId":"1ce29ae8772b4c23","packet":["ping",1]},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.ServerEvent, Request: "1ce29ae8772b4c23", Event: encoded(t, []any{"ping", 1})}},
		{"server answer",
			`{"type":10,"data":{"requestId":"1ce29ae8772b4c23","packet":{"from":"B"}},"uid":"1eaa5cfe22e359f4","nsp":"/"}`,
			cluster.Message{Type: cluster.ServerAnswer, Request: "1ce29ae8772b4c23", Answer: encoded(t, map[string]any{"from": "B"})}},
	}
}

// same says in what two messages differ. An empty list is none.
func same(want, got cluster.Message) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(socketio.RemoteSocket{}),
		cmp.Transformer("event", func(e socketio.Encoded) (v any) {
			if len(e.Data) > 0 && string(e.Data) != "null" {
				if err := e.Decode(&v); err != nil {
					return err.Error()
				}
			}
			return v
		}))
}

// Messages are written byte for byte as in Node, and read.
func TestJSON(t *testing.T) {
	var e Encoder
	var d Decoder
	for _, tt := range node(t) {
		t.Run(tt.name, func(t *testing.T) {
			tt.m.UID = uid
			got, err := e.Append(nil, "/", &tt.m, false)
			if err != nil || string(got) != tt.json {
				t.Errorf("written: %v\n%s", err, cmp.Diff(tt.json, string(got)))
			}
			namespace, m, err := d.Decode([]byte(tt.json))
			if err != nil {
				t.Fatal(err)
			}
			if diff := same(tt.m, *m); namespace != "/" || diff != "" {
				t.Errorf("read: %q, %s", namespace, diff)
			}
		})
	}
}

// The same messages travel as MessagePack, and as entries of a stream.
func TestOtherForms(t *testing.T) {
	var e Encoder
	var d Decoder
	for _, tt := range node(t) {
		t.Run(tt.name, func(t *testing.T) {
			tt.m.UID = uid
			pack, err := e.Append([]byte("head"), "/ü", &tt.m, true)
			if err != nil || pack[4] == '{' {
				t.Fatalf("%q, %v", pack, err)
			}
			namespace, m, err := d.Decode(pack[4:])
			if err != nil {
				t.Fatal(err)
			}
			if diff := same(tt.m, *m); namespace != "/ü" || diff != "" {
				t.Errorf("read: %q, %s", namespace, diff)
			}
			data, err := e.AppendData(nil, &tt.m)
			if err != nil {
				t.Fatal(err)
			}
			if m, err = d.DecodeData(tt.m.Type, uid, data); err != nil {
				t.Fatal(err)
			}
			if diff := same(tt.m, *m); diff != "" {
				t.Errorf("data: %s", diff)
			}
		})
	}
}

// binary data makes a message MessagePack, in base64 in a stream.
func TestBinary(t *testing.T) {
	const node = "gqZwYWNrZXSCpHR5cGUCpGRhdGGSr3JlY2VpdmUtbWVzc2FnZcQCAf+kb3B0c4Olcm9vbXORpGJsdWWmZXhjZXB0kbRvNHNHVkl3cVh5OEVxOW9uQUFBQaVmbGFnc4A="
	var e Encoder
	var d Decoder
	want := cluster.Message{
		Type: cluster.Broadcast, UID: uid, Target: socketio.Target{Rooms: []string{"blue"}, Except: []string{"o4sGVIwqXy8Eq9onAAAA"}},
		Event: encoded(t, []any{"receive-message", []byte{1, 0xff}}),
	}
	data, err := e.AppendData(nil, &want)
	if err != nil || string(data) != node {
		t.Errorf("%s, %v", data, err)
	}
	m, err := d.DecodeData(cluster.Broadcast, uid, []byte(node))
	if err != nil {
		t.Fatal(err)
	}
	if diff := same(want, *m); diff != "" {
		t.Error(diff)
	}
	for _, m := range []cluster.Message{
		{Type: cluster.ServerEvent, Event: encoded(t, []any{"hello", []byte{1}})},
		{Type: cluster.Ack, Request: "r", Answer: encoded(t, []byte{9, 9})},
		{Type: cluster.ServerAnswer, Request: "r", Answer: encoded(t, map[string]any{"a": []any{[]byte{}}})},
		{Type: cluster.Fetched, Request: "r", Sockets: []socketio.RemoteSocket{
			{ID: "a", Data: map[string]any{"b": []byte{1}}}, {ID: "b"}, {ID: "c", Data: map[string]any{"x": []any{[]byte{2}, []byte{3}}}},
		}},
	} {
		m.UID = uid
		pack, err := e.Append(nil, "/", &m, false)
		if err != nil || pack[0] == '{' {
			t.Fatalf("%q, %v", pack, err)
		}
		_, got, err := d.Decode(pack)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Sockets) > 0 { // they are kept
			clear(pack)
		}
		for i := range got.Sockets { // what nobody has said is empty
			got.Sockets[i].Handshake = socketio.Handshake{}
		}
		if diff := same(m, *got); diff != "" {
			t.Error(diff)
		}
	}
}

// Values that only MessagePack has arrive as JavaScript would write them in JSON.
func TestManyTypes(t *testing.T) {
	const node = "gqZwYWNrZXSCpHR5cGUCpGRhdGHcABOldHlwZXMB/8s/+AAAAAAAAM8AAAEAAAAAAMtDQAAAAAAAANP///8AAAAAAMt/+AAAAAAAAMt/8AAAAAAAAMDAw9b/AAAAAIWhdcChZNb/AAAAAKFuwKFmAaF6AJHAxAEFxAQAAIA/gNkoeHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eKRvcHRzg6Vyb29tc5CmZXhjZXB0kKVmbGFnc4A="
	const want = `["types",1,-1,1.5,1099511627776,9007199254740992,-1099511627776,null,null,null,null,true,"1970-01-01T00:00:00.000Z",` +
		`{"u":null,"d":"1970-01-01T00:00:00.000Z","n":null,"f":1,"z":0},[null],{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{},"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]`
	var d Decoder
	m, err := d.DecodeData(cluster.Broadcast, uid, []byte(node))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(m.Event.Data)); diff != "" {
		t.Error(diff)
	}
	if len(m.Event.Attachments) != 2 || len(m.Target.Rooms) != 0 {
		t.Errorf("%d attachments, rooms %q", len(m.Event.Attachments), m.Target.Rooms)
	}
}

// What Node writes now and then, and what others may.
func TestLenient(t *testing.T) {
	const head, tail = `{"uid":"a","nsp":"/","type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":`, `}}`
	for _, tt := range []struct {
		name, opts string
		want       socketio.Target
		timeout    time.Duration
	}{
		{"rooms that are numbers", `{"rooms":[123,-1,1.5,1e3,"x"]}`, to("123", "-1", "1.5", "1000", "x"), 0},
		{"null", `{"rooms":null,"except":null,"flags":null,"more":[{"x":"]"}]}`, to(), 0},
		{"escapes", ` { "rooms" : [ "\u00fc\"\\" , "ü" ] } `, to(`ü"\`, "ü"), 0},
		{"member twice", `{"rooms":["a"],"rooms":["b"]}`, to("b"), 0},
		{"flags", `{"flags":{"compress":true,"volatile":false,"timeout":1.5,"expectSingleResponse":true,"x":{}}}`, to(), time.Millisecond},
		{"no time", `{"flags":{"timeout":-1}}`, to(), 0},
		{"much time", `{"flags":{"timeout":1e300}}`, to(), maxTimeout * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			_, m, err := d.Decode([]byte(head + tt.opts + tail))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, m.Target, cmpopts.EquateEmpty()); diff != "" || m.Timeout != tt.timeout {
				t.Errorf("%v, %s", m.Timeout, diff)
			}
		})
	}
	var d Decoder
	_, m, err := d.Decode([]byte(`{"uid":"a","nsp":"/","type":12,"data":{"requestId":"r"}}`))
	if err != nil || string(m.Answer.Data) != "null" {
		t.Errorf("undefined: %s, %v", m.Answer.Data, err)
	}
	_, m, err = d.Decode([]byte(`{"uid":"a","nsp":"/","type":8,"data":{"requestId":"r","sockets":[{"id":"x","rooms":["x",1],"data":[],"handshake":{}}]}}`))
	if err != nil || len(m.Sockets) != 1 || m.Sockets[0].Data != nil || m.Sockets[0].Rooms[1] != "1" {
		t.Errorf("sockets: %v, %v", m, err)
	}
}

// A message in base64 that would be JSON is none: Node knows JSON by its first byte.
func TestNoJSONInBase64(t *testing.T) {
	var d Decoder
	data := base64.StdEncoding.EncodeToString([]byte(`{"packet":["x"]}`))
	if _, err := d.DecodeData(cluster.ServerEvent, uid, []byte(data)); err != errBase64 {
		t.Error(err)
	}
}
