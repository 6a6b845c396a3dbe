package redisadapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
	"github.com/tinylib/msgp/msgp"
)

var event = socketio.Encoded{Data: []byte(`["e",1]`)}

// What is written is read again.
func TestBroadcastRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		name string
		t    socketio.Target
		e    socketio.Encoded
	}{
		{"all", socketio.Target{}, event},
		{"rooms", socketio.Target{Rooms: []string{"a", "ü", ""}, Except: []string{"b"}}, event},
		{"flags", socketio.Target{Flags: socketio.Flags{Volatile: true, Uncompress: true}}, event},
		{"binary", socketio.Target{}, socketio.Encoded{
			Data: []byte(`["e",{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{1, 255}},
			Placeholders: []parser.Placeholder{{Span: parser.Span{Start: 5, End: 34}}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d decoder
			m, err := d.broadcast(appendBroadcast(nil, "uid", "/n", tt.t, tt.e), "other")
			if err != nil {
				t.Fatal(err)
			}
			e, err := d.event(&m, "/n")
			if err != nil {
				t.Fatal(err)
			}
			if string(m.uid) != "uid" || !slices.Equal(m.target.Rooms, tt.t.Rooms) || !slices.Equal(m.target.Except, tt.t.Except) || m.target.Flags != tt.t.Flags {
				t.Errorf("%q, %+v", m.uid, m.target)
			}
			if !bytes.Equal(e.Data, tt.e.Data) || !slices.EqualFunc(e.Attachments, tt.e.Attachments, bytes.Equal) || !slices.Equal(e.Placeholders, tt.e.Placeholders) {
				t.Errorf("%s, %q, %v", e.Data, e.Attachments, e.Placeholders)
			}
			m, err = d.object(appendCall(nil, "uid", "id", "/n", tt.t, 1500*time.Millisecond, tt.e))
			if err != nil || m.typ != typeCall || string(m.id) != "id" || m.timeout != 1500*time.Millisecond || m.target.Flags != tt.t.Flags || !m.has {
				t.Errorf("a call: %+v, %v", m, err)
			}
		})
	}
}

// A broadcast has the octets of Node's, retyped from a capture.
func TestBroadcastOctets(t *testing.T) {
	got := appendBroadcast(nil, "ig2ntY", "/", socketio.Target{Rooms: []string{"blue", "red"}, Except: []string{"green"}, Flags: socketio.Flags{Volatile: true, Uncompress: true}},
		socketio.Encoded{Data: []byte(`["flags"]`)})
	want := "\x93\xa6ig2ntY\x83\xa4type\x02\xa4data\x91\xa5flags\xa3nsp\xa1/\x83\xa5rooms\x92\xa4blue\xa3red\xa6except\x91\xa5green\xa5flags\x82\xa8volatile\xc3\xa8compress\xc2"
	if string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

const (
	goodPacket  = "\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa1/"
	goodOptions = "\x81\xa5rooms\x90"
)

// What is no message is refused, without harm.
func TestBroadcastRefused(t *testing.T) {
	deep := "\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e" + strings.Repeat("\x91", 100) + "\x01"
	many := msgp.AppendArrayHeader([]byte("\x83\xa4type\x02\xa3nsp\xa1/\xa4data"), maxAttachments+2)
	many = append(many, "\xa1e"...)
	for range maxAttachments + 1 {
		many = append(many, 0xc4, 0)
	}
	for _, tt := range []struct {
		name, payload string
		err           error // nil: any
	}{
		{"nothing", "", errForm},
		{"JSON", `{"a":1}`, errForm},
		{"two elements", "\x92\xa1u" + goodPacket, errForm},
		{"no uid", "\x93\xc0" + goodPacket + goodOptions, errForm},
		{"cut off", "\x93\xa1u" + goodPacket[:10], nil},
		{"more than there is", "\xdd\xff\xff\xff\xff\xa1u", errForm},
		{"more after it", "\x93\xa1u" + goodPacket + goodOptions + "\x01", errForm},
		{"packet is no map", "\x93\xa1u\x01" + goodOptions, errForm},
		{"packet without namespace", "\x93\xa1u\x82\xa4type\x02\xa4data\x91\xa1e" + goodOptions, errNamespace},
		{"another namespace", "\x93\xa1u\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa2/x" + goodOptions, errNamespace},
		{"namespace is a number", "\x93\xa1u\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\x01" + goodOptions, errPacket},
		{"packet without data", "\x93\xa1u\x82\xa4type\x02\xa3nsp\xa1/" + goodOptions, errPacket},
		{"data twice", "\x93\xa1u\x84\xa4type\x02\xa4data\x91\xa1e\xa4data\x91\xa1e\xa3nsp\xa1/" + goodOptions, errPacket},
		{"an acknowledgement", "\x93\xa1u\x83\xa4type\x03\xa4data\x91\xa1e\xa3nsp\xa1/" + goodOptions, errPacket},
		{"type is a fraction", "\x93\xa1u\x83\xa4type\xcb\x40\x04\x00\x00\x00\x00\x00\x00\xa4data\x91\xa1e\xa3nsp\xa1/" + goodOptions, errPacket},
		{"type is NaN", "\x93\xa1u\x83\xa4type\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\xa4data\x91\xa1e\xa3nsp\xa1/" + goodOptions, errPacket},
		{"key is a number", "\x93\xa1u\x81\x01\x02" + goodOptions, errForm},
		{"deep", "\x93\xa1u" + deep + goodOptions, parser.ErrDepth},
		{"many attachments", "\x93\xa1u" + string(many) + goodOptions, parser.ErrAttachments},
		{"options are an array", "\x93\xa1u" + goodPacket + "\x90", errForm},
		{"rooms are a string", "\x93\xa1u" + goodPacket + "\x81\xa5rooms\xa1a", errForm},
		{"a room is a map", "\x93\xa1u" + goodPacket + "\x81\xa5rooms\x91\x80", errRoom},
		{"flags are a string", "\x93\xa1u" + goodPacket + "\x81\xa5flags\xa1a", errForm},
	} {
		var d decoder
		m, err := d.broadcast([]byte(tt.payload), "other")
		if err == nil {
			_, err = d.event(&m, "/")
		}
		if err == nil || tt.err != nil && err != tt.err {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
	}
}

// What is odd and has a meaning is taken.
func TestBroadcastOdd(t *testing.T) {
	for _, tt := range []struct {
		name, payload string
		want          socketio.Target
	}{
		{"more elements, which mean nothing", "\x95\xa1u" + goodPacket + goodOptions + "\x81\x01\x02\x90", socketio.Target{}},
		{"rooms undefined", "\x93\xa1u" + goodPacket + "\x82\xa5rooms\xd4\x00\x00\xa6except\xc0", socketio.Target{}},
		{"rooms are numbers", "\x93\xa1u" + goodPacket + "\x81\xa5rooms\x93\x7b\xff\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", socketio.Target{Rooms: []string{"123", "-1", "1.5"}}},
		{"flags of other kinds", "\x93\xa1u" + goodPacket + "\x81\xa5flags\x83\xa8volatile\x01\xa8compress\xc0\xa1x\x90", socketio.Target{}},
		{"no flags", "\x93\xa1u" + goodPacket + "\x81\xa5flags\xc0", socketio.Target{}},
	} {
		var d decoder
		m, err := d.broadcast([]byte(tt.payload), "other")
		if err != nil || !slices.Equal(m.target.Rooms, tt.want.Rooms) || len(m.target.Except) > 0 || m.target.Flags != tt.want.Flags {
			t.Errorf("%s: %+v, %v", tt.name, m.target, err)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for ms, want := range map[float64]time.Duration{
		3000: 3 * time.Second, 0.5: 500 * time.Microsecond, 0: 0, -1: 0, math.NaN(): 0, math.Inf(1): 0, 1e18: 0,
	} {
		if got := milliseconds(ms); got != want {
			t.Errorf("%g ms: %v", ms, got)
		}
	}
}

// Binary data is as JSON.stringify has it, and comes back.
func TestBuffers(t *testing.T) {
	for _, tt := range []struct{ in, data, attachments string }{
		{`["e",{"type":"Buffer","data":[1,2,255]}]`, `["e",{"_placeholder":true,"num":0}]`, "[\"\\x01\\x02\\xff\"]"},
		{`{"type":"Buffer","data":[]}`, `{"_placeholder":true,"num":0}`, `[""]`},
		{`[{"type":"Buffer","data":[1]},{"a":{"type":"Buffer","data":[2]}}]`, `[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}]`, "[\"\\x01\" \"\\x02\"]"},
		{`["{\"type\":\"Buffer\",\"data\":[1]}"]`, `["{\"type\":\"Buffer\",\"data\":[1]}"]`, `[]`},
		{`{"type":"Buffer","data":[256]}`, `{"type":"Buffer","data":[256]}`, `[]`},
		{`{"type":"Buffer","data":[-1]}`, `{"type":"Buffer","data":[-1]}`, `[]`},
		{`{"type":"Buffer","data":[1,"a"]}`, `{"type":"Buffer","data":[1,"a"]}`, `[]`},
		{`{"type":"Buffer","data":[1],"more":1}`, `{"type":"Buffer","data":[1],"more":1}`, `[]`},
		{`{"type":"Buffer","data":[{"type":"Buffer","data":[7]}]}`, `{"type":"Buffer","data":[{"_placeholder":true,"num":0}]}`, `["\a"]`},
	} {
		e := binary([]byte(tt.in))
		if got := quoted(e.Attachments); string(e.Data) != tt.data || got != tt.attachments {
			t.Errorf("%s became %s, %s", tt.in, e.Data, got)
		}
		if back := plain(e); string(back) != tt.in {
			t.Errorf("%s came back as %s", tt.in, back)
		}
	}
}

func quoted(list [][]byte) string { return fmt.Sprintf("%q", list) }

// Answers that fit no request are refused, and none of them completes one.
func TestAnswersRefused(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    int
		payload string
	}{
		{"no JSON", typeRooms, `{"requestId":"ID",`},
		{"another kind", typeRooms, `{"requestId":"ID","type":8,"clientCount":1}`},
		{"rooms and a number", typeRooms, `{"requestId":"ID","rooms":[],"clientCount":1}`},
		{"a room is an object", typeRooms, `{"requestId":"ID","rooms":[{}]}`},
		{"a room is null", typeRooms, `{"requestId":"ID","rooms":[null]}`},
		{"rooms for sockets", typeFetch, `{"requestId":"ID","rooms":["a"]}`},
		{"data is no object", typeFetch, `{"requestId":"ID","sockets":[{"id":"a","data":[1]}]}`},
		{"data is deep", typeFetch, `{"requestId":"ID","sockets":[{"id":"a","data":` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100) + `}]}`},
		{"sockets are ids", typeFetch, `{"requestId":"ID","sockets":["a"]}`},
		{"negative clients", typeClients, `{"type":8,"requestId":"ID","clientCount":-1}`},
		{"id is in the data", typeServerEvent, `{"type":6,"data":{"requestId":"ID"},"requestId":"x"}`},
	} {
		p := newPending(tt.kind)
		p.replies = ignore{}
		n := &namespace{}
		n.requests.add(p)
		n.requests.expect(p, 1)
		in := intake{}
		if err := in.answer(n, []byte(strings.ReplaceAll(tt.payload, "ID", p.id))); err == nil {
			t.Errorf("%s: was taken", tt.name)
		}
		if p.over || p.nodes > 0 {
			t.Errorf("%s: it counts", tt.name)
		}
	}
}

type ignore struct{}

func (ignore) Expect(int)             {}
func (ignore) Reply(socketio.Encoded) {}

// Answers are counted, not more than are expected.
func TestRequestsCount(t *testing.T) {
	var r requests
	p := newPending(typeClients)
	p.replies = ignore{}
	r.add(p)
	ack := &answer{typ: typeAck, value: socketio.Encoded{Data: []byte("1")}}
	steps := []struct {
		a    *answer
		err  error
		done bool
	}{
		{ack, nil, false}, // it has overtaken the number of clients
		{&answer{typ: typeClients, clients: 2}, nil, false},
		{ack, nil, false},
		{nil, nil, false}, // two nodes are asked
		{&answer{typ: typeRooms}, errAnswer, false},
		{&answer{typ: typeClients}, nil, true},
		{&answer{typ: typeClients}, nil, true},
	}
	for i, s := range steps {
		if s.a == nil {
			r.expect(p, 2)
		} else if err := r.take(p, s.a); err != s.err {
			t.Errorf("step %d: %v", i, err)
		}
		select {
		case <-p.done:
			if !s.done {
				t.Fatalf("done at step %d", i)
			}
		default:
			if s.done {
				t.Fatalf("not done at step %d", i)
			}
		}
	}
	early := newPending(typeClients)
	early.acks = maxEarly
	if err := r.take(early, ack); err != errAnswer {
		t.Errorf("more than %d acknowledgements of no clients: %v", maxEarly, err)
	}
	r.remove(p)
	if r.find([]byte(p.id)) != nil {
		t.Error("it is still there")
	}
}

func TestJoined(t *testing.T) {
	var j joined
	if j.lately("a") {
		t.Error("a")
	}
	j.note([]string{"a"})
	if !j.lately("a") || j.lately("b") {
		t.Error("after a")
	}
	j.note(make([]string, maxJoined))
	if !j.lately("b") {
		t.Error("after too many")
	}
}

// Whatever comes is refused or is an event that is written and read again.
func FuzzBroadcast(f *testing.F) {
	f.Add(appendBroadcast(nil, "uid", "/", socketio.Target{Rooms: []string{"a"}, Flags: socketio.Flags{Volatile: true}}, event))
	f.Add([]byte("\x93\xa1u" + goodPacket + goodOptions))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var d, again decoder
		m, err := d.broadcast(payload, "")
		if err != nil || len(m.uid) == 0 {
			return
		}
		e, err := d.event(&m, "/")
		if err != nil {
			return
		}
		if !json.Valid(e.Data) {
			t.Fatalf("no JSON: %q", e.Data)
		}
		m2, err := again.broadcast(appendBroadcast(nil, string(m.uid), "/", m.target, e), "")
		if err != nil || !reflect.DeepEqual(m.target, m2.target) && len(m.target.Rooms)+len(m.target.Except) > 0 {
			t.Fatalf("%+v came back as %+v, %v", m.target, m2.target, err)
		}
		if e2, err := again.event(&m2, "/"); err != nil || !bytes.Equal(e.Data, e2.Data) {
			t.Fatalf("%s came back as %s, %v", e.Data, e2.Data, err)
		}
	})
}

// Requests and answers do no harm, and what is refused is a *parser.Error.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"uid":"ig2ntY","type":2,"opts":{"rooms":["blue",1],"except":[]},"rooms":["green"]}`))
	f.Add([]byte(`{"type":6,"requestId":"WjxeNr","data":{"type":"Buffer","data":[1,2]}}`))
	f.Add(appendAck(nil, "id", event))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var d decoder
		if m, err := d.object(payload); err == nil {
			if e, err := d.value(&m); err == nil && !json.Valid(e.Data) {
				t.Fatalf("no JSON: %q", e.Data)
			}
		}
		var q request
		_ = json.Unmarshal(payload, &q)
		p := newPending(typeServerEvent)
		p.id = string(requestID(payload))
		if a, err := readAnswer(payload, p); err == nil && !json.Valid(a.value.Data) {
			t.Fatalf("no JSON: %q", a.value.Data)
		}
		if json.Valid(payload) {
			e := binary(payload)
			if !json.Valid(e.Data) || !bytes.Equal(plain(e), payload) && len(e.Attachments) == 0 {
				t.Fatalf("%s became %s", payload, e.Data)
			}
		}
	})
}

func TestDecodeAllocs(t *testing.T) {
	payload := appendBroadcast(nil, "uid", "/", socketio.Target{Rooms: []string{"a room"}, Except: []string{"an id of a socket"}}, event)
	var d decoder
	if got := testing.AllocsPerRun(100, func() {
		m, err := d.broadcast(payload, "other")
		if err == nil {
			_, err = d.event(&m, "/")
		}
		if err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%g allocations", got)
	}
	b := make([]byte, 0, 1000)
	target := socketio.Target{Rooms: []string{"a room"}}
	if got := testing.AllocsPerRun(100, func() { appendBroadcast(b, "uid", "/", target, event) }); got > 0 {
		t.Errorf("%g allocations to write", got)
	}
}
