package redisadapter_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// modes are the ways in which the nodes of a test can be told to work.
var modes = map[string]redisadapter.Options{
	"rooms":   {},
	"pattern": {Pattern: true, SpecificResponses: true, Prefix: "pre[fix*"},
}

// Two nodes are one for those who use them.
func TestTwoNodes(t *testing.T) {
	addr := brokertest.Redis(t).Addr()
	for name, o := range modes {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, addr)
			a, b := newNode(t, client, o), newNode(t, client, o)
			x, y := a.join("/", "blue", "7"), b.join("/", "blue", "red", "a#b")
			testBroadcasts(t, a, x, y)
			testRequests(t, a, b, x, y)
			for _, n := range []*node{a, b} {
				if s := n.broker.Stats(); s.Dropped+s.Refused+s.Gaps != 0 || s.Published == 0 || s.Received == 0 {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func testBroadcasts(t *testing.T, a *node, x, y *user) {
	check(t, a.io.To("blue").Emit("one", "ü€😀", []byte{1, 255}, map[string]any{"deep": []any{[]byte{}, nil, 1.5}}))
	for _, u := range []*user{x, y} {
		u.want(`one "ü€😀" "Af8=" {"deep":["",null,1.5]}`)
	}
	check(t, a.io.Emit("all"))
	check(t, a.io.To("blue", "red").Except("7").Compress(false).Emit("except"))
	check(t, a.io.To("red", "red", "blue", "7").Emit("once"))
	check(t, a.io.To("red", "red").Emit("twice"))
	check(t, a.io.To("nobody").Emit("nobody"))
	check(t, a.io.To("a#b").Emit("sharp"))
	check(t, a.io.To(y.id).Emit("private"))
	check(t, a.io.Local().Emit("local"))
	x.want("all", "once", "local")
	y.want("all", "except", "once", "twice", "sharp", "private")
	y.wantNothing(a, "/")
	x.wantNothing(a, "/")
}

func testRequests(t *testing.T, a, b *node, x, y *user) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if n, err := a.io.Nodes(ctx); n != 2 || err != nil {
		t.Errorf("%d nodes, %v", n, err)
	}
	list, err := socketio.CallAll[[]any](ctx, a.io.To("blue"), "ask", []byte("b"))
	if len(list) != 2 || err != nil || string(list[1][1].([]byte)) != "b" {
		t.Errorf("CallAll: %v, %v", list, err)
	}
	x.want(`ask "Yg=="`)
	y.want(`ask "Yg=="`)
	short, cancelShort := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancelShort()
	if list, err := socketio.CallAll[any](short, a.io.To("red"), "silent"); len(list) != 0 || err == nil {
		t.Errorf("nobody answers: %v, %v", list, err)
	}
	y.want("silent")

	sockets, err := a.io.In("red").FetchSockets(ctx)
	check(t, err)
	if len(sockets) != 1 || sockets[0].ID != y.id || !slices.Contains(sockets[0].Rooms, "a#b") ||
		string(sockets[0].Data["b"].([]byte)) != "\x01\xff" || sockets[0].Data["name"] != "ü" ||
		sockets[0].Handshake.Query.Get("EIO") != "4" || !strings.Contains(string(sockets[0].Handshake.Auth), "red") {
		t.Errorf("FetchSockets: %+v", sockets)
	}
	if answer, err := socketio.Call[[]any](ctx, &sockets[0], "ask", 1); err != nil || len(answer) != 2 {
		t.Errorf("Call of a remote socket: %v, %v", answer, err)
	}
	y.want("ask 1")
	if rooms, err := a.io.Rooms(ctx); !errors.Is(err, errors.ErrUnsupported) && (err != nil || !slices.Contains(rooms, "a#b") || !slices.Contains(rooms, "7")) {
		t.Errorf("Rooms: %q, %v", rooms, err)
	}

	check(t, sockets[0].Join("new", "newer"))
	check(t, a.io.To("new").Emit("in new"))
	check(t, a.io.To("newer").Emit("in newer"))
	check(t, a.io.In("red").SocketsLeave("new"))
	check(t, a.io.To("new").Emit("left"))
	y.want("in new", "in newer")
	y.wantNothing(a, "/")

	heard := make(chan string, 10)
	b.io.OnServerEvent("hello", func(e *socketio.ServerEvent) {
		var text string
		var data []byte
		if err := errors.Join(e.Decode(0, &text), e.Decode(1, &data)); err != nil {
			t.Error(err)
		}
		heard <- text + string(data)
		if err := e.Ack(map[string]any{"from": "b", "data": data}); err != nil {
			t.Error(err)
		}
	})
	check(t, a.io.ServerSideEmit("hello", "ü", []byte{65}))
	args, err := a.io.ServerSideCall(ctx, "hello", "w", []byte{66})
	check(t, err)
	var answer struct{ Data []byte }
	if len(args) != 1 || args[0].Decode(0, &answer) != nil || string(answer.Data) != "B" {
		t.Errorf("ServerSideCall: %v, %+v", args, answer)
	}
	if one, two := <-heard, <-heard; one != "üA" || two != "wB" {
		t.Errorf("heard %q, %q", one, two)
	}
	left := make(chan struct{})
	y.c.OnDisconnect(func(socketio.Reason, error) { close(left) })
	check(t, a.io.In("red").DisconnectSockets(false))
	select {
	case <-left:
	case <-ctx.Done():
		t.Error("not disconnected")
	}
}

// Namespaces come and go, also those whose names look like rooms of others.
func TestNamespaces(t *testing.T) {
	client := newClient(t, brokertest.Redis(t).Addr())
	a, b := newNode(t, client, redisadapter.Options{}), newNode(t, client, redisadapter.Options{})
	for _, n := range []*node{a, b} {
		serve(n.io.Of("/x"))
		serve(n.io.Of("/#x"))
		serve(n.io.Of("/[a]*?"))
	}
	root, like, plain := b.join("/", "x"), b.join("/#x", "r"), b.join("/x", "x")
	check(t, a.io.To("x").Emit("to the room"))
	check(t, a.io.Of("/#x").Emit("to the namespace"))
	check(t, a.io.Of("/#x").To("r").Emit("to its room"))
	check(t, a.io.Of("/x").To("x").Emit("to another"))
	root.want("to the room")
	like.want("to the namespace", "to its room")
	plain.want("to another")
	root.wantNothing(a, "/")
	like.wantNothing(a, "/#x")
	if s := b.broker.Stats(); s.Refused != 0 {
		t.Errorf("%+v", s)
	}
}

// What a client of Node sends, octet by octet, retyped from a capture.
func TestMessagesOfNode(t *testing.T) {
	client := newClient(t, brokertest.Redis(t).Addr())
	n := newNode(t, client, redisadapter.Options{SpecificResponses: true})
	u := n.join("/", "blue", "123")
	publish := func(channel, payload string) {
		t.Helper()
		if got, err := client.Publish(t.Context(), channel, payload).Result(); got != 1 || err != nil {
			t.Errorf("%s reaches %d, %v", channel, got, err)
		}
	}
	const head = "\x93\xa6ig2ntY\x83\xa4type\x02\xa4data"
	publish("socket.io#/#blue#", head+"\x92\xa1e\xd7\xff\x00\x00\x00\x00\x00\x00\x00\x00\xa3nsp\xa1/\x83\xa5rooms\x91\xa4blue\xa6except\x90\xa5flags\x80")
	publish("socket.io#/#", head+"\x93\xa1e\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\xd4\x00\x00\xa3nsp\xa1/\x83\xa5rooms\x91\x7b\xa6except\x90\xa5flags\x81\xa8compress\xc2")
	publish("socket.io#/#", head+"\x91\xa1f\xa3nsp\xa1/\x83\xa5rooms\x91\xa4blue\xa6except\x91\x7b\xa5flags\x80")
	publish("socket.io#/#", "\x93\xa7emitter\x83\xa4type\x02\xa4data\x91\xa1g\xa3nsp\xa1/\x83\xa5rooms\x90\xa5flags\x80\xa6except\x90")
	u.want(`e "1970-01-01T00:00:00.000Z"`, "e null null", "g")
	publish("socket.io-request#/#", `{"type":2,"opts":{"rooms":["blue"],"except":[]},"rooms":["e",5]}`)
	publish("socket.io-request#/#", `{"uid":"ig2ntY","type":3,"opts":{"rooms":["e"],"except":["none"]},"rooms":["blue"]}`)
	publish("socket.io-request#/#", `{"uid":"ig2ntY","type":2,"sid":"`+u.id+`","room":"old"}`)

	answers := client.Subscribe(t.Context(), "socket.io-response#/#", "socket.io-response#/#ig2ntY#")
	defer answers.Close()
	for range 2 {
		if _, err := answers.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() *redis.Message {
		t.Helper()
		m, err := answers.ReceiveMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	publish("socket.io-request#/#", `{"uid":"ig2ntY","requestId":"GcoX8G","type":1}`)
	var rooms struct{ Rooms []string }
	m := receive()
	if err := json.Unmarshal([]byte(m.Payload), &rooms); err != nil || m.Channel != "socket.io-response#/#ig2ntY#" || !strings.HasPrefix(m.Payload, `{"requestId":"GcoX8G","rooms":[`) {
		t.Errorf("%+v, %v", m, err)
	}
	if want := []string{"123", "5", u.id, "e", "old"}; !sameSet(rooms.Rooms, want) {
		t.Errorf("rooms %q, want %q", rooms.Rooms, want)
	}
	publish("socket.io-request#/#", `{"requestId":"a","type":0,"rooms":["e"]}`)
	if m := receive(); m.Payload != `{"requestId":"a","sockets":["`+u.id+`"]}` || m.Channel != "socket.io-response#/#" {
		t.Errorf("%+v", m)
	}
	n.io.OnServerEvent("ping", func(e *socketio.ServerEvent) {
		var b []byte
		if err := e.Decode(0, &b); err != nil || string(b) != "\x01\x02" {
			t.Errorf("%x, %v", b, err)
		}
		e.Ack(b)
	})
	publish("socket.io-request#/#", `{"uid":"ig2ntY","requestId":"WjxeNr","type":6,"data":["ping",{"type":"Buffer","data":[1,2]}]}`)
	if m := receive(); m.Payload != `{"type":6,"requestId":"WjxeNr","data":{"type":"Buffer","data":[1,2]}}` || m.Channel != "socket.io-response#/#" {
		t.Errorf("%+v", m)
	}
	publish("socket.io-request#/#", "\x85\xa3uid\xa6ig2ntY\xa9requestId\xa6IGZh6e\xa4type\x07\xa6packet\x83\xa4type\x02\xa4data\x92\xa3ask\x01\xa3nsp\xa1/\xa4opts\x83\xa5rooms\x91\xa1e\xa6except\x90\xa5flags\x81\xa7timeout\xcd\x0b\xb8")
	if m := receive(); m.Payload != `{"type":8,"requestId":"IGZh6e","clientCount":1}` || m.Channel != "socket.io-response#/#ig2ntY#" {
		t.Errorf("%+v", m)
	}
	if m := receive(); m.Payload != "\x83\xa4type\x09\xa9requestId\xa6IGZh6e\xa6packet\x92\xa6answer\x01" {
		t.Errorf("%q", m.Payload)
	}
	publish("socket.io-request#/#", `{"uid":"ig2ntY","requestId":"DqZUof","type":5,"opts":{"rooms":[],"except":[]}}`)
	var sockets struct{ Sockets []map[string]any }
	if m := receive(); json.Unmarshal([]byte(m.Payload), &sockets) != nil || len(sockets.Sockets) != 1 {
		t.Errorf("%+v", m)
	}
	got := sockets.Sockets[0]
	data, _ := json.Marshal(got["data"])
	if string(data) != `{"b":{"data":[1,255],"type":"Buffer"},"name":"ü"}` || got["id"] != u.id || got["handshake"].(map[string]any)["query"].(map[string]any)["EIO"] != "4" {
		t.Errorf("%v", got)
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
