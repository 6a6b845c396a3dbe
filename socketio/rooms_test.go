package socketio_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/socketio"
)

// people returns the server's sockets a, b, c, in rooms of their own names, and
// their clients.
func people(s *site, names ...string) (sockets map[string]*socketio.Socket, clients map[string]*raw) {
	s.t.Helper()
	sockets, clients = map[string]*socketio.Socket{}, map[string]*raw{}
	joined := make(chan *socketio.Socket, 1)
	s.io.OnConnect(func(n *socketio.Socket) { joined <- n })
	for _, name := range names {
		clients[name] = s.client()
		sockets[name] = <-joined
		if err := sockets[name].Join(name, "all"); err != nil {
			s.t.Fatal(err)
		}
	}
	return sockets, clients
}

// Who is addressed, from a socket and from the server.
func TestAddressing(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sockets, clients := people(s, "a", "b", "c")
		a, io := sockets["a"], s.io
		id := func(name string) string { return sockets[name].ID() }
		for i, tt := range []struct {
			to   interface{ Emit(string, ...any) error }
			want string
		}{
			{a, "a"}, {a.To("all"), "bc"}, {a.In("all"), "bc"}, {a.To("a", "b"), "b"}, {a.To("b", "all"), "bc"},
			{a.Except("b"), "c"}, {a.Local(), "bc"}, {a.Broadcast(), "bc"}, {a.To("all").Except("b"), "c"},
			{a.Volatile(), "a"}, {a.Compress(false), "a"}, {a.Timeout(time.Second), "a"},
			{a.Volatile().To("b"), "b"}, {a.To(id("c")), "c"}, {a.To(id("a")), ""}, {a.Broadcast().Volatile(), "bc"},
			{a.To("b").To("c"), "bc"}, {a.To("all").Except("b").Except("c"), ""}, {a.To("nobody"), ""},
			{io, "abc"}, {io.To("a", "all", "b"), "abc"}, {io.In("a"), "a"}, {io.Except("a"), "bc"}, {io.Local(), "abc"},
			{io.Volatile(), "abc"}, {io.Compress(true), "abc"}, {io.Timeout(1), "abc"},
			{io.To(id("b"), "b"), "b"}, {io.Except(id("b")), "ac"}, {io.To("b", id("b"), "all").Except("c"), "ab"},
		} {
			synctest.Wait()
			if err := tt.to.Emit("x", i); err != nil {
				t.Error(err)
			}
			var got strings.Builder
			for _, name := range []string{"a", "b", "c"} {
				synctest.Wait()
				ctx, cancel := context.WithTimeout(s.t.Context(), time.Millisecond)
				for {
					_, p, err := clients[name].c.Read(ctx)
					if err != nil {
						break
					}
					if string(p) != fmt.Sprintf(`42["x",%d]`, i) {
						t.Errorf("%d: %s read %s", i, name, p)
					}
					got.WriteString(name)
				}
				cancel()
			}
			if got.String() != tt.want {
				t.Errorf("%d: reached %q, want %q", i, got.String(), tt.want)
			}
		}
	})
}

// An Emitter is a value: refining it leaves it as it was.
func TestEmitterImmutable(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		_, clients := people(s, "a", "b", "c")
		base := s.io.To("a")
		b, c := base.To("b"), base.To("c")
		b.Emit("b")
		c.Emit("c")
		base.Emit("base")
		clients["b"].want(`2["b"]`)
		clients["c"].want(`2["c"]`)
		for _, want := range []string{"b", "c", "base"} {
			clients["a"].want(`2["` + want + `"]`)
		}
		clients["b"].wantNothing()
		clients["c"].wantNothing()
	})
}

// FetchSockets, SocketsJoin, SocketsLeave and DisconnectSockets.
func TestManySockets(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sockets, clients := people(s, "a", "b", "c")
		a := sockets["a"]
		a.Set("name", "Ann")
		a.Set("age", 30)
		if a.Value("name") != "Ann" || a.Value("age") != 30 || a.Value("other") != nil || sockets["b"].Value("name") != nil {
			t.Error("values of a socket")
		}
		fetch := func(e interface {
			FetchSockets(context.Context) ([]socketio.RemoteSocket, error)
		}) (ids []string) {
			list, err := e.FetchSockets(s.t.Context())
			if err != nil {
				t.Error(err)
			}
			for _, r := range list {
				ids = append(ids, r.Rooms...)
			}
			slices.Sort(ids)
			return slices.DeleteFunc(slices.Compact(ids), func(room string) bool { return len(room) > 4 })
		}
		if got := fetch(s.io); !slices.Equal(got, []string{"a", "all", "b", "c"}) {
			t.Errorf("rooms of all: %q", got)
		}
		if got := fetch(a.To("all")); !slices.Equal(got, []string{"all", "b", "c"}) {
			t.Errorf("rooms of the others: %q", got)
		}
		list, _ := a.Volatile().FetchSockets(s.t.Context())
		if len(list) != 1 || list[0].ID != a.ID() || list[0].Data["name"] != "Ann" || list[0].Handshake.Issued == 0 {
			t.Errorf("a fetched: %+v", list)
		}
		a.To("b").SocketsJoin("new")
		a.Broadcast().SocketsLeave("all")
		s.io.SocketsJoin("everyone")
		s.io.SocketsLeave("nowhere")
		if got := sockets["b"].Rooms(); !slices.Contains(got, "new") || slices.Contains(got, "all") || !slices.Contains(got, "everyone") {
			t.Errorf("rooms of b: %q", got)
		}
		if got := a.Rooms(); slices.Contains(got, "new") || !slices.Contains(got, "all") {
			t.Errorf("rooms of a: %q", got)
		}
		rooms, err := s.io.Rooms(s.t.Context())
		rooms = slices.DeleteFunc(rooms, func(room string) bool { return len(room) == 20 })
		if err != nil || !slices.Equal(rooms, []string{"a", "all", "b", "c", "everyone", "new"}) {
			t.Errorf("rooms: %q, %v", rooms, err)
		}
		s.io.To("new").DisconnectSockets(false)
		clients["b"].want("1")
		clients["b"].connect("")
		a.Broadcast().DisconnectSockets(true)
		clients["c"].want("1")
		clients["c"].wantClosed()
		clients["a"].wantNothing()
	})
}

// "Volatile: dropped when no GET waits (polling) or anything is still unsent
// (WebSocket)."
func TestVolatile(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		sockets := s.sockets(nil)
		p := s.poller()
		p.post("40")
		x := <-sockets
		p.request("GET", p.query, "") // the CONNECT
		s.io.Volatile().Emit("lost")
		x.Volatile().Emit("lost")
		s.io.Emit("kept")
		p.wantGet(`42["kept"]`)
		got := make(chan string)
		go func() {
			_, body, _ := p.request("GET", p.query, "")
			got <- body
		}()
		synctest.Wait()
		s.io.Volatile().Emit("in time")
		if body := <-got; body != `42["in time"]` {
			t.Errorf("GET %q", body)
		}
	})
	inBubble(t, nil, func(s *site) {
		sockets := s.sockets(nil)
		r := s.client()
		x := <-sockets
		synctest.Wait() // the write of the answer has returned
		s.io.Volatile().Emit("a")
		r.want(`2["a"]`)
		synctest.Wait()
		s.io.Emit("big", strings.Repeat("x", 2<<20))
		synctest.Wait()
		s.io.Volatile().Emit("lost")
		x.Volatile().Emit("lost")
		s.io.Emit("kept")
		r.read()
		r.want(`2["kept"]`)
	})
}

// A socket is in at most 1,000 rooms; rooms that nobody is in are forgotten.
func TestRoomLimit(t *testing.T) {
	inBubble(t, &socketio.Options{Limits: socketio.Limits{Rooms: 3}}, func(s *site) {
		sockets, clients := people(s, "a")
		a := sockets["a"] // in two rooms
		if err := a.Join("b", "b", "a", a.ID()); err != nil {
			t.Errorf("the third room: %v", err)
		}
		if err := a.Join("b", "c"); err == nil || !strings.Contains(err.Error(), "Limits.Rooms") {
			t.Errorf("the fourth room: %v", err)
		}
		if err := s.io.SocketsJoin("c"); err == nil {
			t.Error("the fourth room, from the server")
		}
		a.Leave("b", "nowhere", a.ID())
		if err := a.Join("c"); err != nil {
			t.Errorf("after leaving one: %v", err)
		}
		clients["a"].c.CloseNow()
		synctest.Wait()
		if rooms, _ := s.io.Rooms(s.t.Context()); len(rooms) != 0 {
			t.Errorf("rooms of nobody: %q", rooms)
		}
	})
}

// A packet and its attachments are one unit, whatever goroutines and
// namespaces write at the time.
func TestUnits(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		spaces := []*socketio.Namespace{s.io.Of("/a"), s.io.Of("/b"), s.io.Of("/")}
		r := s.client()
		r.connect("/a,")
		r.connect("/b,")
		synctest.Wait()
		const each = 200
		var writers sync.WaitGroup
		for _, n := range spaces {
			writers.Go(func() {
				for range each {
					n.Emit("text")
				}
			})
			writers.Go(func() {
				for range each {
					n.Emit("binary", []byte("x"), []byte("y"))
				}
			})
		}
		for range 2 * len(spaces) * each {
			p := r.read()
			switch {
			case strings.HasPrefix(p, "52-"):
				r.want("binary:x")
				r.want("binary:y")
			case !strings.HasPrefix(p, "2"):
				t.Fatalf("read %q between packets", p)
			}
		}
		writers.Wait()
	})
}

// Joins, leaves, emits, fetches and disconnects from many goroutines.
func TestStorm(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		s.io.OnConnect(func(n *socketio.Socket) {
			socketio.On(n, "join", func(_ context.Context, room string) error { return n.Join(room) })
			socketio.On(n, "leave", func(_ context.Context, room string) error { n.Leave(room); return nil })
			socketio.On(n, "say", func(_ context.Context, room string) error { return n.To(room).Emit("said", room) })
			n.OnDisconnecting(func(socketio.Reason) { n.To("0").Emit("gone") })
		})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 5 {
					r := s.client()
					go func() {
						for err := error(nil); err == nil; {
							_, _, err = r.c.Read(context.Background())
						}
					}()
					for j := range 50 {
						packet := fmt.Sprintf(`42["%s","%d"]`, []string{"join", "say", "leave"}[(i+j)%3], j%4)
						r.c.Write(r.t.Context(), conn.Text, []byte(packet)) // fails once the server has closed it
					}
					if i%2 == 0 {
						r.c.Write(r.t.Context(), conn.Text, []byte("41"))
					} else {
						r.c.CloseNow()
					}
				}
			})
			all.Go(func() {
				for j := range 50 {
					room := fmt.Sprint(j % 4)
					s.io.To(room).Emit("x")
					s.io.To(room).SocketsJoin("other")
					s.io.FetchSockets(context.Background())
					s.io.Except(room).SocketsLeave("other")
					if j == 40 {
						s.io.To("3").DisconnectSockets(i%2 == 0)
					}
				}
			})
		}
		all.Wait()
		s.io.DisconnectSockets(true)
		synctest.Wait()
		if rooms, _ := s.io.Rooms(context.Background()); len(rooms) != 0 {
			t.Errorf("rooms of nobody: %q", rooms)
		}
	})
}

// A client that has the answer to its CONNECT gets all that is broadcast from
// then on, and nothing before it.
func TestConnectBeforeBroadcast(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		stop := make(chan struct{})
		var emitter sync.WaitGroup
		emitter.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.io.Emit("any")
					time.Sleep(time.Microsecond)
				}
			}
		})
		for range 200 {
			r := s.client() // its first packet is the answer
			s.io.To(r.sid).Emit("here")
			for r.read() != `2["here"]` {
			}
			r.c.CloseNow()
		}
		close(stop)
		emitter.Wait()
	})
}
