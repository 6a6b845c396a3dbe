package natsadapter

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

const someUID = "0123456789abcdef1"

// samples has a message of each type, with and without what may be missing.
func samples() []cluster.Message {
	target := socketio.Target{Rooms: []string{"a", "ü.*> "}, Except: []string{""}, Flags: socketio.Flags{Volatile: true}}
	event := socketio.Encoded{Data: []byte(`["e",1]`)}
	binary := socketio.Encoded{
		Data:        []byte(`["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`),
		Attachments: [][]byte{{0, 255}, {}},
	}
	return []cluster.Message{
		{Type: cluster.Hello}, {Type: cluster.Alive}, {Type: cluster.Gone},
		{Type: cluster.Broadcast, Event: event},
		{Type: cluster.Broadcast, Target: target, Event: binary},
		{Type: cluster.Broadcast, Target: socketio.Target{Flags: socketio.Flags{Uncompress: true}}, Event: event, Request: "q", Timeout: 5 * time.Second},
		{Type: cluster.Join, Target: target, Rooms: []string{"b"}}, {Type: cluster.Leave, Rooms: []string{"b", "c"}},
		{Type: cluster.Disconnect, Target: target, Connection: true},
		{Type: cluster.Fetch, Target: target, Request: "q"},
		{Type: cluster.Fetched, Request: "q", Sockets: []socketio.RemoteSocket{
			{ID: "s", Rooms: []string{"s", "a"}, Data: map[string]any{"b": []byte{1}, "n": 1.5}}, {ID: "t"},
		}},
		{Type: cluster.ServerEvent, Event: event}, {Type: cluster.ServerEvent, Event: binary, Request: "q"},
		{Type: cluster.ServerAnswer, Request: "q", Answer: socketio.Encoded{Data: []byte(`"x"`)}},
		{Type: cluster.Clients, Request: "q", Count: 7},
		{Type: cluster.Ack, Request: "q", Answer: socketio.Encoded{Data: []byte(`{"_placeholder":true,"num":0}`), Attachments: [][]byte{{1}}}},
	}
}

func encoded(t testing.TB, m *cluster.Message) []byte {
	t.Helper()
	m.UID = someUID
	b, err := appendMessage(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plainText is a message as text, so that nil and empty are the same.
func plainText(m *cluster.Message) string { return fmt.Sprintf("%+v", *m) }

// What is written is read, and each prefix of it is refused.
func TestRoundTrip(t *testing.T) {
	var d decoder
	for _, m := range samples() {
		b := encoded(t, &m)
		got, err := d.decode(b)
		if err != nil {
			t.Errorf("type %d: %v", m.Type, err)
			continue
		}
		if m.Type == cluster.Fetched { // handshakes have maps that are empty then
			for i := range m.Sockets {
				g, w := got.Sockets[i], m.Sockets[i]
				if g.ID != w.ID || !reflect.DeepEqual(g.Rooms, w.Rooms) || !reflect.DeepEqual(g.Data, w.Data) {
					t.Errorf("socket %+v, want %+v", g, w)
				}
			}
		} else if plainText(got) != plainText(&m) {
			t.Errorf("read    %s\nwritten %s", plainText(got), plainText(&m))
		}
		for i := range b {
			if _, err := d.decode(b[:i]); err == nil {
				t.Errorf("type %d: %d of %d bytes are taken for a message", m.Type, i, len(b))
			}
		}
		if _, err := d.decode(append(b, 0)); err != errLong {
			t.Errorf("type %d with one byte more: %v", m.Type, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	uid := "\x11" + someUID
	for _, tt := range []struct {
		name, message string
		err           error
	}{
		{"nothing", "", errShort},
		{"version", "\x02\x01\x00" + uid, errVersion},
		{"JSON", `{"type":3}`, errVersion},
		{"type 0", "\x01\x00\x00" + uid, errType},
		{"type 14", "\x01\x0e\x00" + uid, errType},
		{"flags", "\x01\x01\x20" + uid, errType},
		{"number of what is no event", "\x01\x01\x10" + uid + "12345678", errType},
		{"half a number", "\x01\x03\x101234", errShort},
		{"number in place of the event", "\x01\x03\x10" + uid + "12345678", errShort},
		{"no name", "\x01\x01\x00\x00", errUID},
		{"only a link's name", "\x01\x01\x00\x100123456789abcdef", errUID},
		{"long name", "\x01\x01\x00\x41" + strings.Repeat("a", 65), errUID},
		{"empty request", "\x01\x0b\x08" + uid + "\x00\x00\x00", errUID},
		{"long time", "\x01\x0b\x08" + uid + "\x01q\xff\xff\xff\xff\x7f\x00", errLimit},
		{"number of 10 bytes and more", "\x01\x0b\x08" + uid + "\x01q\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", errLimit},
		{"many clients", "\x01\x0b\x08" + uid + "\x01q\x00\xff\xff\xff\xff\x7f", errLimit},
		{"long list", "\x01\x04\x00" + uid + "\xff\xff\x7f", errLimit},
		{"list longer than the message", "\x01\x04\x00" + uid + "\x05aaa", errShort},
		{"string longer than the message", "\x01\x03\x00" + uid + "\x00\x00\x09[]", errShort},
		{"attachments without end", "\x01\x03\x00" + uid + "\x00\x00\x02[]\xff\xff\x03", errShort},
		{"handshake that is no JSON", "\x01\x08\x08" + uid + "\x01q\x00\x01\x01s\x00\x01{\x04null\x00", errSocket},
		{"data that is no object", "\x01\x08\x08" + uid + "\x01q\x00\x01\x01s\x00\x02{}\x021x\x00", errSocket},
	} {
		if m, err := new(decoder).decode([]byte(tt.message)); err != tt.err {
			t.Errorf("%s: %+v, %v; want %v", tt.name, m, err, tt.err)
		}
	}
}

// An event has its number at the end.
func TestNumber(t *testing.T) {
	m := cluster.Message{Type: cluster.Broadcast, Event: socketio.Encoded{Data: []byte(`["e"]`)}}
	b := makeRoom(encoded(t, &m))
	setNumber(b, 7)
	var d decoder
	if got, err := d.decode(b); err != nil || d.number != 7 || plainText(got) != plainText(&m) {
		t.Errorf("number %d, %+v, %v", d.number, got, err)
	}
	if _, err := d.decode(encoded(t, &m)); err != nil || d.number != 0 {
		t.Errorf("number %d, %v", d.number, err)
	}
}

// What is accepted is written as it was, but for sockets, whose JSON may have another form.
func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		f.Add(encoded(f, &m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var d decoder
		m, err := d.decode(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the message was modified")
		}
		if err != nil {
			return
		}
		text := plainText(m)
		again, err := appendMessage(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == cluster.Fetched {
			return
		}
		m, err = new(decoder).decode(again)
		if err != nil || plainText(m) != text {
			t.Fatalf("read %s, then %+v, %v", text, m, err)
		}
	})
}

func TestToken(t *testing.T) {
	long := strings.Repeat("x", maxToken)
	seen := map[string]string{}
	for _, tt := range []struct{ name, want string }{
		{"", "%"}, {"/", "/"}, {"/admin", "/admin"}, {"a.b", "a%2Eb"}, {"*", "%2A"}, {">", "%3E"}, {" \r\n\x00", "%20%0D%0A%00"},
		{"ü", "%C3%BC"}, {"%", "%25"}, {"~", "%7E"}, {"$", "%24"}, {long, long},
		{long + "x", "~" + token(long + "x")[1:]}, {strings.Repeat(".", 43), token(strings.Repeat(".", 43))},
	} {
		got := token(tt.name)
		if got != tt.want || len(got) > maxToken || strings.ContainsAny(got, " .*>\r\n\t") {
			t.Errorf("token(%q) = %q, want %q", tt.name, got, tt.want)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q are both %q", tt.name, other, got)
		}
		seen[got] = tt.name
	}
}
