package adaptertest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parleyws/parley/socketio"
)

// wantRooms waits until each client's socket is in rooms, beside that of its id.
func (c *cluster) wantRooms(what string, want func(*client) []string) {
	c.Helper()
	eventually(c.T, c.patience, what, func() error {
		for _, cl := range c.clients {
			want := slices.Sorted(slices.Values(append(want(cl), cl.id)))
			if got := cl.socket.Rooms(); !slices.Equal(got, want) {
				return fmt.Errorf("%s is in %q, want %q", cl.name, got, want)
			}
		}
		return nil
	})
}

// testJoin makes sockets of other nodes join and leave rooms.
func testJoin(c *cluster) {
	c.standard()
	a1, b2 := c.client("a1"), c.client("b2")
	rooms := make(map[*client][]string)
	for _, cl := range c.clients {
		rooms[cl] = slices.DeleteFunc(cl.socket.Rooms(), func(room string) bool { return room == cl.id })
	}
	extra := 0
	for _, n := range c.nodes {
		for what, row := range map[string]struct {
			to   socketio.Emitter
			gets func(*client) bool
		}{
			"all":              {n.io.Compress(true), everybody},
			"a room":           {n.io.In("A"), in("A")},
			"two rooms":        {n.io.In("A", "B"), in("A", "B")},
			"a room, twice":    {n.io.In("A", "A"), in("A")},
			"a socket":         {n.io.In(a1.id), in(a1.id)},
			"sockets":          {n.io.In(a1.id, b2.id), in(a1.id, b2.id)},
			"all but":          {n.io.Except("A"), in("B")},
			"a room but":       {n.io.In("AB").Except("B"), in("A")},
			"an empty room":    {n.io.In("nobody"), in("nobody")},
			"all but a socket": {n.io.Except(a1.id), not(in(a1.id))},
		} {
			extra++
			x, y := fmt.Sprint("x", extra), fmt.Sprint("y", extra)
			members := c.names(row.gets)
			c.ok(row.to.SocketsJoin(x, y, x))
			c.wantRooms(n.name+" makes join: "+what, func(cl *client) []string {
				if slices.Contains(members, cl.name) {
					return append([]string{x, y}, rooms[cl]...)
				}
				return slices.Clone(rooms[cl])
			})
			c.settle()
			c.ok(n.io.To(x, y).Emit("joined", extra))
			want := wants{}
			want.add(line("joined", extra), members...)
			c.want(want)
			c.ok(row.to.SocketsLeave(y, "not in it"))
			c.ok(row.to.SocketsLeave(x, x))
			c.wantRooms(n.name+" makes leave: "+what, func(cl *client) []string { return slices.Clone(rooms[cl]) })
			c.ok(n.io.To(x, y).Emit("left", extra))
			c.want(wants{})
		}
	}
	c.ok(c.nodes[0].io.In(a1.id).SocketsLeave(a1.id)) // which it can't
	c.ok(c.nodes[0].io.In(a1.id).SocketsJoin("last"))
	c.wantRooms("the last one", func(cl *client) []string {
		if cl == a1 {
			return append([]string{"last"}, rooms[cl]...)
		}
		return slices.Clone(rooms[cl])
	})
}

// testJoinThenEmit makes sockets join a room, emits to it at once, makes them leave, and
// emits again.
func testJoinThenEmit(c *cluster) {
	c.standard()
	want := wants{}
	for i := range 100 {
		n, room := c.nodes[i%3], fmt.Sprint("room ", i)
		c.ok(n.io.In("A").SocketsJoin(room))
		c.ok(n.io.To(room).Emit("joined", i))
		c.ok(n.io.In("A").SocketsLeave(room))
		c.ok(n.io.To(room).Emit("left", i))
		c.ok(n.io.Emit("all", i))
		want.add(line("joined", i), c.names(in("A"))...)
		want.add(line("all", i), c.names(everybody)...)
	}
	c.want(want)
}

// testRoomsComeAndGo lets a socket join and leave the same room many times, while other
// nodes emit to it. What counts is the last thing that it did.
func testRoomsComeAndGo(c *cluster) {
	c.standard()
	s := c.client("a0").socket
	for i := range 20 {
		for range 20 {
			c.ok(s.Join("R"))
			c.ok(c.nodes[1].io.To("R").Emit("perhaps"))
			s.Leave("R")
		}
		if i%2 == 0 {
			c.ok(s.Join("R"))
		}
		c.settle()
		for _, cl := range c.clients {
			cl.forget()
		}
		want := wants{}
		for _, n := range c.nodes[1:] {
			c.ok(n.io.To("R").Emit("last", i))
			if i%2 == 0 {
				want.add(line("last", i), "a0")
			}
		}
		c.want(want)
	}
}

// testDisconnect disconnects sockets of other nodes: from their namespace, or with their
// connection.
func testDisconnect(c *cluster) {
	c.standard()
	for _, cl := range slices.Clone(c.clients) {
		cl.of(cl.name+" in /x", "/x", "X")
	}
	c.settle()
	wantEnd := func(what string, names ...string) {
		c.Helper()
		for _, name := range names {
			cl := c.client(name)
			eventually(c.T, c.patience, what+": the end of "+name, func() error {
				if r, ok := cl.over(); !ok || r != socketio.IOServerDisconnect {
					return errIs(r, socketio.IOServerDisconnect)
				}
				return nil
			})
		}
		c.clients = slices.DeleteFunc(c.clients, func(cl *client) bool { return slices.Contains(names, cl.name) })
		c.settle()
		for _, cl := range c.clients {
			if r, over := cl.over(); over || !cl.Connected() || !cl.socket.Connected() {
				c.Fatalf("%s: the end of %s: %v", what, cl.name, r)
			}
		}
	}
	id := c.client("a1").id
	c.ok(c.nodes[0].io.To(id).Emit("the last words"))
	c.ok(c.nodes[0].io.In(id).DisconnectSockets(false))
	gone := c.client("a1")
	wantEnd("a socket", "a1")
	if got := gone.seen(); !slices.Equal(got, []string{line("the last words")}) {
		c.Errorf("before it was disconnected it has got %q", got)
	}
	c.ok(c.nodes[0].io.In(c.client("b1").id).DisconnectSockets(true))
	wantEnd("a connection", "b1", "b1 in /x")
	c.ok(c.nodes[2].io.In("A").Except(c.client("a2").id).DisconnectSockets(false))
	wantEnd("a room but one", "a0")
	c.ok(c.nodes[2].io.In("nobody").DisconnectSockets(true))
	wantEnd("nobody")
	c.ok(c.nodes[1].io.DisconnectSockets(true))
	wantEnd("all", "b0", "b0 in /x", "a2", "a2 in /x", "b2", "b2 in /x")
	c.ok(c.nodes[1].io.Of("/x").DisconnectSockets(false))
	wantEnd("all of /x", "a0 in /x", "a1 in /x")
}

// testRemoteSocket acts on the sockets that FetchSockets has returned.
func testRemoteSocket(c *cluster) {
	c.standard()
	b2 := c.client("b2")
	ctx, cancel := c.ctx()
	defer cancel()
	list, err := c.nodes[0].io.To(b2.id).FetchSockets(ctx)
	if err != nil || len(list) != 1 {
		c.Fatalf("FetchSockets: %v, %v", list, err)
	}
	r := &list[0]
	c.ok(r.Emit("to it", []byte{1}))
	want := wants{}
	want.add(line("to it", []byte{1}), "b2")
	c.want(want)
	if answer, err := socketio.Call[string](ctx, r, "question"); err != nil || answer != "b2" {
		c.Errorf("Call: %q, %v", answer, err)
	}
	c.ok(r.Join("new", "newer"))
	c.ok(r.Leave("AB", "newer"))
	c.wantRooms("Join and Leave", func(cl *client) []string {
		switch {
		case cl == b2:
			return []string{"B", "new"}
		case in("A")(cl):
			return []string{"A", "AB"}
		}
		return []string{"B", "AB"}
	})
	c.ok(r.Disconnect(false))
	eventually(c.T, c.patience, "Disconnect", func() error {
		if b2.Connected() {
			return errors.New("it is connected")
		}
		return nil
	})
}

// testRooms asks for the rooms of all nodes.
func testRooms(c *cluster) {
	c.standard()
	c.client("b2").of("in /x", "/x", "X")
	c.ok(c.client("a0").socket.Join("only here"))
	c.ok(c.client("a1").socket.Join("not any more"))
	c.client("a1").socket.Leave("not any more")
	ctx, cancel := c.ctx()
	defer cancel()
	for _, n := range c.nodes {
		got, err := n.io.Rooms(ctx)
		if c.NoRooms {
			if !errors.Is(err, errors.ErrUnsupported) {
				c.Errorf("Suite.NoRooms is set, and the error is %v", err)
			}
			continue
		}
		want := []string{"A", "AB", "B", "only here"}
		for _, cl := range c.clients {
			if cl.Namespace() == "/" {
				want = append(want, cl.id)
			}
		}
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			c.Errorf("Rooms: %q, %v, want %q", got, err, want)
		}
		x, err := n.io.Of("/x").Rooms(ctx)
		if want := slices.Sorted(slices.Values([]string{"X", c.client("in /x").id})); err != nil || !slices.Equal(x, want) {
			c.Errorf("Rooms of /x: %q, %v, want %q", x, err, want)
		}
	}
}
