package natsadapter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio"
)

// Every operation, on three nodes.
func TestOperations(t *testing.T) {
	s := serve(t, nil)
	a, b, c := start(t, s.ClientURL(), nil), start(t, s.ClientURL(), nil), start(t, s.ClientURL(), nil)
	ready(t, a, b, c)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	one, two, three := a.dial("x", "y"), b.dial("x", "y"), c.dial("z")
	interest(t, s, "parley.ns./.room.x", 2)
	interest(t, s, "parley.ns./.room.z", 1)

	// A room, several rooms with sockets in both, all but some, and a socket.
	check(t, a.io.To("x").Emit("room", "ü", []byte{0, 255}, 1))
	one.want("room ü [0 255] 1")
	two.want("room ü [0 255] 1")
	check(t, c.io.To("x", "y", "z").Emit("rooms"))
	check(t, c.io.Except("y").Emit("except"))
	check(t, c.io.To("x").Except(two.ID()).Emit("except"))
	check(t, c.io.To(two.ID()).Emit("you"))
	one.want("rooms", "except")
	two.want("rooms", "you")
	three.want("rooms", "except")
	check(t, b.io.To("nobody").Emit("nobody"))
	// A volatile event may be dropped while a client can't take it, so it is emitted until each
	// has had one.
	for had := make(map[*client]bool); len(had) < 2; {
		if ctx.Err() != nil {
			t.Fatal("no volatile event comes")
		}
		check(t, b.io.To("x").Volatile().Emit("volatile"))
		check(t, b.io.To("x").Emit("lasting"))
		for _, c := range []*client{one, two} {
			switch got := c.next(); got {
			case "volatile":
				had[c] = true
				c.want("lasting")
			case "lasting":
			default:
				t.Fatalf("got %q", got)
			}
		}
	}

	// Acknowledgements.
	answers, err := socketio.CallAll[[]byte](ctx, b.io.To("x", "z"), "ask", []byte("?"))
	if err != nil || len(answers) != 3 || string(answers[0]) != "?!" {
		t.Errorf("%q, %v", answers, err)
	}
	one.want("ask [63]")
	two.want("ask [63]")
	three.want("ask [63]")
	if answers, err := socketio.CallAll[[]byte](ctx, b.io.To("none"), "ask", nil); err != nil || len(answers) > 0 {
		t.Errorf("%q, %v", answers, err)
	}

	// Joins from afar, and what is sent to the room at once.
	check(t, a.io.In("z").SocketsJoin("new", "x"))
	check(t, a.io.To("new").Emit("joined"))
	three.want("joined")
	interest(t, s, "parley.ns./.room.new", 1)
	check(t, a.io.In("z").SocketsLeave("new"))
	interest(t, s, "parley.ns./.room.new", 0)

	// Sockets, with what belongs to them.
	sockets, err := a.io.In("x").FetchSockets(ctx)
	if err != nil || len(sockets) != 3 {
		t.Fatalf("%d sockets, %v", len(sockets), err)
	}
	i := slices.IndexFunc(sockets, func(s socketio.RemoteSocket) bool { return s.ID == three.ID() })
	if i < 0 {
		t.Fatal("the third client's socket is missing")
	}
	user, _ := sockets[i].Data["user"].(map[string]any)
	if data, _ := user["b"].([]byte); string(data) != "\x01\x02" || !slices.Contains(sockets[i].Rooms, "x") || sockets[i].Handshake.Address == "" {
		t.Errorf("%+v", sockets[i])
	}

	// Servers.
	heard := make(chan string, 10)
	for _, n := range []*node{b, c} {
		n.io.OnServerEvent("hey", func(e *socketio.ServerEvent) {
			var v []byte
			if err := e.Decode(0, &v); err != nil {
				t.Error(err)
			}
			heard <- string(v)
			check(t, e.Ack(v))
		})
	}
	check(t, a.io.ServerSideEmit("hey", []byte("1")))
	list, err := a.io.ServerSideCall(ctx, "hey", []byte("2"))
	if err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	got := []string{<-heard, <-heard, <-heard, <-heard}
	if slices.Sort(got); strings.Join(got, "") != "1122" {
		t.Errorf("servers heard %q", got)
	}
	if _, err := a.io.Rooms(ctx); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Rooms: %v", err)
	}
	check(t, a.io.In("z").DisconnectSockets(false))
	select {
	case <-three.Done():
	case <-time.After(time.Millisecond): // the client reconnects or not, which is not of interest
	}
	until(t, "the third client is gone", func() bool {
		list, err := a.io.In("z").FetchSockets(ctx)
		return err == nil && len(list) == 0
	})
	for _, n := range []*node{a, b, c} {
		if st := n.c.Stats(); st.Dropped+st.Refused+st.Gaps > 0 || st.Nodes != 2 || st.Published == 0 || st.Received == 0 {
			t.Errorf("%+v", st)
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// What several nodes send to a room comes once, and in order.
func TestOrder(t *testing.T) {
	s := serve(t, nil)
	a, b, c := start(t, s.ClientURL(), nil), start(t, s.ClientURL(), nil), start(t, s.ClientURL(), nil)
	ready(t, a, b, c)
	in := c.dial("x", "y")
	interest(t, s, "parley.ns./.room.x", 1)
	const each = 5000
	for from, n := range []*node{a, b} {
		go func() {
			for i := range each {
				to := []string{"x"}
				switch i % 3 {
				case 1:
					to = []string{"x", "y"}
				case 2:
					to = nil
				}
				check(t, n.io.To(to...).Emit("n", from, i))
			}
		}()
	}
	numbered(t, in, 2, each)
}

// numbered waits for all numbers from all senders, each in order.
func numbered(t testing.TB, in *client, senders, each int) {
	t.Helper()
	next := make([]int, senders)
	for range senders * each {
		select {
		case got := <-in.got:
			var from, i int
			if _, err := fmt.Sscanf(got, "n %d %d", &from, &i); err != nil || next[from] != i {
				t.Fatalf("got %q, want %d", got, next)
			}
			next[from]++
		case <-time.After(patience):
			t.Fatalf("nothing more came: %d", next)
		}
	}
}

// The rooms of sockets have subjects only if the option says so, and get their events anyway.
func TestSocketRooms(t *testing.T) {
	for _, on := range []bool{false, true} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			s := serve(t, nil)
			o := &natsadapter.Options{Logger: quiet(), SocketRooms: on}
			a, b := start(t, s.ClientURL(), o), start(t, s.ClientURL(), o)
			ready(t, a, b)
			in := b.dial("x")
			interest(t, s, "parley.ns./.room.x", 1)
			id, want := in.ID(), 0
			if on {
				want = 1
			}
			interest(t, s, "parley.ns./.room."+id, want)
			check(t, a.io.To(id).Emit("you"))
			in.want("you")
			in.Close()
			interest(t, s, "parley.ns./.room.x", 0)
			interest(t, s, "parley.ns./.room."+id, 0)
		})
	}
}

// A client that was away for a moment gets what other nodes have sent to its room meanwhile,
// although nobody was in it. Rooms that nobody comes back to are closed in the end.
func TestRecovery(t *testing.T) {
	s := serve(t, nil)
	a := start(t, s.ClientURL(), nil)
	b := startRecovering(t, s.ClientURL(), nil, &socketio.Recovery{MaxAge: 10 * time.Second})
	ready(t, a, b)
	in := b.dial("x")
	interest(t, s, "parley.ns./.room.x", 1)
	want := func(names ...string) {
		t.Helper()
		for _, want := range names {
			select {
			case got := <-in.got: // with its offset
				if name, _, _ := strings.Cut(got, " "); name != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			case <-time.After(patience):
				t.Fatalf("nothing came, want %q", want)
			}
		}
	}
	// A session over long-polling would not notice that its connections are cut.
	until(t, "the client is on WebSocket", func() bool { return in.Transport() == "websocket" })
	check(t, a.io.To("x").Emit("before"))
	want("before")
	socket, ok := b.io.Socket(in.ID())
	if !ok {
		t.Fatal("the client's socket is missing")
	}
	lost := make(chan socketio.Reason, 1)
	socket.OnDisconnect(func(reason socketio.Reason) { lost <- reason })
	b.cut()
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("the client is not lost")
	}
	check(t, a.io.To("x").Emit("room"))
	check(t, a.io.To("x", "y").Emit("rooms"))
	check(t, a.io.Emit("all"))
	want("room", "rooms", "all")
	if !in.Recovered() {
		t.Error("the client was not recovered")
	}
	check(t, a.io.To("x").Emit("after"))
	want("after")
	in.Close()
	interest(t, s, "parley.ns./.room.x", 0)
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]*natsadapter.Options{
		"prefix": {Prefix: "a..b"}, "wildcard": {Prefix: "a.*"}, "bytes": {QueueBytes: -1}, "time": {RequestTime: -1},
	} {
		if _, err := natsadapter.New("nats://127.0.0.1:1", o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
