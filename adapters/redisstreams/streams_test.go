package redisstreams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// All operations reach the other servers.
func TestOperations(t *testing.T) {
	server := brokertest.Redis(t)
	operations(t, connect(t, server.Addr()), Options{})
}

// The same on a Redis cluster, with several streams.
func TestCluster(t *testing.T) {
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: brokertest.RedisCluster(t).Addrs()})
	t.Cleanup(func() { c.Close() })
	operations(t, c, Options{StreamCount: 4})
}

func operations(t *testing.T, client redis.UniversalClient, o Options) {
	server := make(chan string, 10)
	sites := newSites(t, client, 3, o, func(i int, io *socketio.Server) {
		io.OnConnect(func(s *socketio.Socket) {
			s.Set("name", fmt.Sprint("on ", i))
			s.Set("octets", []byte{byte(i)})
			socketio.Handle(s, "to room", func(_ context.Context, room string) (string, error) {
				return "ok", s.To(room).Emit("e", "from a socket")
			})
		})
		io.OnServerEvent("hello", func(e *socketio.ServerEvent) {
			var data []byte
			if err := e.Decode(0, &data); err != nil {
				t.Error(err)
			}
			server <- fmt.Sprintf("%d: %x", i, data)
			e.Ack(map[string]any{"node": i, "data": data})
		})
	})
	a, b, c := sites[0].guest("e", "blue"), sites[1].guest("e", "blue", "red"), sites[2].guest("e", "red")
	all := []*guest{a, b, c}
	for _, g := range all {
		g.OnEvent("q", func(e *socketio.Event) error { return e.Ack(map[string]any{"octets": []byte(g.ID())}) })
	}
	io := sites[0].io
	expect := func(what string, want []any, who ...*guest) {
		t.Helper()
		for _, g := range who {
			if diff := cmp.Diff(want, g.next()); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
	}

	io.Emit("e", "all", 1.5, nil, []byte{1, 0xff}, map[string]any{"deep": []any{[]byte{}}})
	expect("all", []any{"e", "all", 1.5, nil, []byte{1, 0xff}, map[string]any{"deep": []any{[]byte{}}}}, all...)
	io.To("blue", "red").Emit("e", "ü€😀")
	expect("rooms", []any{"e", "ü€😀"}, all...)
	io.To("blue").Except("red").Emit("e", "except")
	expect("except", []any{"e", "except"}, a)
	if _, err := socketio.Call[string](soon(t), b, "to room", "red"); err != nil {
		t.Fatal(err)
	}
	expect("from a socket", []any{"e", "from a socket"}, c)

	answers, err := socketio.CallAll[map[string]any](soon(t), io.To("red"), "q")
	if err != nil || len(answers) != 2 {
		t.Errorf("%d answers, %v", len(answers), err)
	}
	sockets, err := io.FetchSockets(soon(t))
	if err != nil || len(sockets) != 3 {
		t.Fatalf("%d sockets, %v", len(sockets), err)
	}
	for i, g := range all {
		at := slices.IndexFunc(sockets, func(s socketio.RemoteSocket) bool { return s.ID == g.ID() })
		if at < 0 {
			t.Fatalf("socket %d is missing", i)
		}
		s := sockets[at]
		if s.Data["name"] != fmt.Sprint("on ", i) || !slices.Equal(s.Data["octets"].([]byte), []byte{byte(i)}) {
			t.Errorf("data %v", s.Data)
		}
		if s.Handshake.Query.Get("transport") != "websocket" || time.Since(s.Handshake.Time) > time.Minute {
			t.Errorf("handshake %v", s.Handshake)
		}
	}
	if n, err := io.Nodes(soon(t)); n != 3 || err != nil {
		t.Errorf("%d nodes, %v", n, err)
	}

	io.In("red").SocketsJoin("green", "123")
	io.To("green").Emit("e", "joined")
	expect("joined", []any{"e", "joined"}, b, c)
	io.In("blue").SocketsLeave("green")
	io.To("green").Emit("e", "left")
	expect("left", []any{"e", "left"}, c)

	if err := io.ServerSideEmit("hello", []byte{7}); err != nil {
		t.Error(err)
	}
	got := []string{<-server, <-server}
	slices.Sort(got)
	if want := []string{"1: 07", "2: 07"}; !slices.Equal(got, want) {
		t.Errorf("server-side emit: %q", got)
	}
	replies, err := io.ServerSideCall(soon(t), "hello", []byte{8})
	if err != nil || len(replies) != 2 {
		t.Errorf("server-side call: %d, %v", len(replies), err)
	}

	io.In("red").DisconnectSockets(true)
	until(t, "disconnected", func() bool { return sites[1].io.Count() == 0 && sites[2].io.Count() == 0 })
	if io.Count() != 1 {
		t.Error("the wrong socket was disconnected")
	}
	for i, s := range sites {
		if stats := s.streams.Stats(); stats.Refused != 0 || stats.Dropped != 0 || stats.Gaps != 0 {
			t.Errorf("server %d: %+v", i, stats)
		}
	}
	for _, g := range all {
		if len(g.got) > 0 {
			t.Errorf("one event too many: %v", <-g.got)
		}
	}
}

// Entries are those of Node's adapter.
func TestEntries(t *testing.T) {
	server := brokertest.Redis(t)
	s := newSites(t, connect(t, server.Addr()), 1, Options{}, nil)[0]
	s.io.To("blue").Except("x").Emit("receive-message", "hi ü€😀")
	s.io.To("blue").Emit("e", []byte{1, 0xff})
	s.io.In("blue").SocketsJoin("green")
	until(t, "published", func() bool { return s.streams.Stats().Published == 3 })
	list, err := server.Do("XRANGE", "socket.io", "-", "+")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list.([]any) {
		fields := e.([]any)[1].([]any)
		if uid := fields[1].(string); len(uid) != 16 || strings.Trim(uid, "0123456789abcdef") != "" {
			t.Errorf("uid %q", uid)
		}
		fields[1] = "UID"
		got = append(got, fmt.Sprint(fields...))
	}
	want := []string{
		fmt.Sprint("uid", "UID", "nsp", "/", "type", "3", "data",
			`{"packet":{"type":2,"data":["receive-message","hi ü€😀"]},"opts":{"rooms":["blue"],"except":["x"],"flags":{}}}`),
		fmt.Sprint("uid", "UID", "nsp", "/", "type", "3", "data",
			"gqZwYWNrZXSCpHR5cGUCpGRhdGGSoWXEAgH/pG9wdHODpXJvb21zkaRibHVlpmV4Y2VwdJClZmxhZ3OA"),
		fmt.Sprint("uid", "UID", "nsp", "/", "type", "4", "data",
			`{"opts":{"rooms":["blue"],"except":[],"flags":{}},"rooms":["green"]}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Entries of Node are understood, and what is none is refused without ending anything.
func TestForeignEntries(t *testing.T) {
	server := brokertest.Redis(t)
	s := newSites(t, connect(t, server.Addr()), 1, Options{}, nil)[0]
	g := s.guest("receive-message numroom end", "blue", "123")
	add := func(fields ...string) {
		t.Helper()
		if _, err := server.Do(append([]string{"XADD", "socket.io", "*"}, fields...)...); err != nil {
			t.Fatal(err)
		}
	}
	const node = "50b7ac673494faae"
	add("uid", node, "nsp", "/", "type", "3", "data",
		"gqZwYWNrZXSCpHR5cGUCpGRhdGGSr3JlY2VpdmUtbWVzc2FnZcQCAf+kb3B0c4Olcm9vbXORpGJsdWWmZXhjZXB0kbRvNHNHVkl3cVh5OEVxOW9uQUFBQaVmbGFnc4A=")
	add("uid", node, "nsp", "/", "type", "3", "data", `{"packet":{"type":2,"data":["numroom"]},"opts":{"rooms":[123],"except":[],"flags":{}}}`)
	for _, hostile := range [][]string{
		{"uid", node, "nsp", "/", "type", "3", "data", "{"},
		{"uid", node, "nsp", "/", "type", "3"},
		{"uid", node, "nsp", "/", "type", "99", "data", "{}"},
		{"uid", node, "nsp", "/", "type", "-1", "data", "{}"},
		{"uid", node, "nsp", "/", "type", "3", "data", "*"},
		{"uid", node, "nsp", "/", "type", "3", "data", `{"packet":{"type":2,"data":["connect"]},"opts":{}}`},
		{"uid", node, "nsp", "/", "type", "3", "data", `{"packet":{"type":2,"data":[]},"opts":{}}`},
		{"nsp", "/", "type", "3", "data", "{}"},
	} {
		add(hostile...)
	}
	add("something", "else")
	add("uid", node, "nsp", "/other", "type", "3", "data", "{")
	add("uid", node, "nsp", "/", "type", "3", "data", `{"packet":{"type":2,"data":["end"]},"opts":{"rooms":[],"except":[],"flags":{}}}`)
	for _, want := range [][]any{{"receive-message", []byte{1, 0xff}}, {"numroom"}, {"end"}} {
		if diff := cmp.Diff(want, g.next()); diff != "" {
			t.Error(diff)
		}
	}
	if stats := s.streams.Stats(); stats.Refused != 8 || stats.Gaps != 0 {
		t.Errorf("%+v", stats)
	}
	for _, payload := range []string{"", "x", "{}", "\xff", `{"type":3,"uid":"a","nsp":"/x","data":{"packet":{"type":2,"data":["e"]},"opts":{}}}`} {
		if _, err := server.Do("PUBLISH", "socket.io#/#", payload); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "refused", func() bool { return s.streams.Stats().Refused == 13 })
}

// The number of a stream is the JavaScript adapter's. Where that is negative it is said.
func TestStreamOfNamespace(t *testing.T) {
	o := Options{StreamCount: 4, StreamName: "socket.io"}
	if name, err := o.stream("/chat"); err != nil || name != "socket.io-3" {
		t.Errorf("/chat: %q, %v", name, err)
	}
	if _, err := o.stream("/notifications"); err == nil || !strings.Contains(err.Error(), "socket.io--3") {
		t.Errorf("/notifications: %v", err)
	}
	o.StreamCount = 1
	if name, err := o.stream("/notifications"); err != nil || name != "socket.io" {
		t.Errorf("one stream: %q, %v", name, err)
	}
	if h := hash("/😀"); h != 47*31*31+0xd83d*31+0xde00 {
		t.Errorf("hash of a surrogate pair: %d", h)
	}
}

func TestOptions(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	for _, o := range []Options{{StreamCount: -1}, {MaxLen: -1}, {ReadCount: -1}, {QueueBytes: -1}, {BlockTime: -1}, {BlockTime: 1}, {RequestTime: -1}} {
		if _, err := New(client, &o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	for _, o := range []redis.ClusterOptions{{ReadOnly: true}, {RouteByLatency: true}, {RouteRandomly: true}} {
		replicas := redis.NewClusterClient(&o)
		defer replicas.Close()
		if _, err := New(replicas, nil); err != errReplicas {
			t.Errorf("a client that reads from replicas: %v", err)
		}
	}
}

// A server starts while Redis is away, and is connected once it comes.
func TestStartAlone(t *testing.T) {
	server := brokertest.Redis(t)
	server.Stop()
	client := connect(t, server.Addr())
	a, b := newSite(t, client, Options{}, nil), newSite(t, client, Options{}, nil)
	g := a.guest("e", "blue")
	a.io.To("blue").Emit("e", "local")
	if diff := cmp.Diff([]any{"e", "local"}, g.next()); diff != "" {
		t.Error(diff)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := a.streams.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ready: %v", err)
	}
	server.Restart()
	for _, s := range []*site{a, b} {
		if err := s.streams.Ready(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	b.io.To("blue").Emit("e", "remote")
	if diff := cmp.Diff([]any{"e", "remote"}, g.next()); diff != "" {
		t.Error(diff)
	}
}
