package adaptertest

import (
	"fmt"

	"github.com/parleyws/parley/socketio"
)

// names of namespaces that a broker's channels may take for one another.
var namespaceNames = []string{"/", "/x", "/x#A", "/x#A#", "/X", "/x/y", "/x.y", "/x.*", "/*", "/>", "/[x]", "/?", "/ä", "/x y", "/x:A", "/{x}"}

// testNamespaces has clients in namespaces, which do not hear each other.
func testNamespaces(c *cluster) {
	c.start(2)
	for i, name := range namespaceNames {
		for j, n := range c.nodes {
			n.io.Of(name)
			first := fmt.Sprint("first ", j)
			if i == 0 {
				n.dial(first, "/", "A")
			} else {
				c.client(first).of(fmt.Sprint(name, " ", j), name, "A")
			}
		}
	}
	c.settle()
	want := wants{}
	for _, name := range namespaceNames {
		gets := c.names(func(cl *client) bool { return cl.Namespace() == name })
		for _, n := range c.nodes {
			c.ok(n.io.Of(name).Emit("all", name, n.name))
			c.ok(n.io.Of(name).To("A").Emit("room", name, n.name))
			want.add(line("all", name, n.name), gets...)
			want.add(line("room", name, n.name), gets...)
		}
	}
	c.want(want)
	ctx, cancel := c.ctx()
	defer cancel()
	for _, name := range namespaceNames {
		n := c.nodes[0].io.Of(name)
		gets := c.names(func(cl *client) bool { return cl.Namespace() == name })
		var answers []any
		for _, client := range gets {
			answers = append(answers, client)
		}
		if got, want := c.call(n.To("A"), "question"), sorted(answers); got != want {
			c.Errorf("%s: answers %s, want %s", name, got, want)
		}
		if list, err := n.FetchSockets(ctx); err != nil || len(list) != len(gets) {
			c.Errorf("%s: FetchSockets: %d sockets, %v; want %d", name, len(list), err, len(gets))
		}
		if nodes, err := n.Nodes(ctx); err != nil || nodes != len(c.nodes) {
			c.Errorf("%s: Nodes: %d, %v; want %d", name, nodes, err, len(c.nodes))
		}
	}
	c.ok(c.nodes[0].io.Of("/x").In("A").SocketsJoin("new"))
	eventually(c.T, c.patience, "the sockets of /x to join a room", func() error {
		if got := c.names(in("new")); len(got) != 2 {
			return errIs(got, "those of /x")
		}
		return nil
	})
	c.settle()
	for _, cl := range c.clients {
		if in("new")(cl) != (cl.Namespace() == "/x") {
			c.Errorf("%s is in %q", cl.name, cl.socket.Rooms())
		}
	}
}

// testNamespacesComeAndGo lets a namespace come and go on one node, while another one has it
// all the time, and a third one emits without having clients there.
func testNamespacesComeAndGo(c *cluster) {
	c.start(3)
	const name = "/dynamic-1"
	c.nodes[2].dial("stays", name, "R")
	c.nodes[0].dial("connection", "/")
	stays := c.client("stays")
	for i := range 10 {
		cl := c.client("connection").of("comes and goes", name, "R")
		c.settle()
		want := wants{}
		for _, n := range c.nodes {
			c.ok(n.io.Of(name).Emit("all", i, n.name))
			c.ok(n.io.Of(name).To("R").Emit("room", i, n.name))
			want.add(line("all", i, n.name), "stays", "comes and goes")
			want.add(line("room", i, n.name), "stays", "comes and goes")
		}
		c.want(want)
		if got, want := c.call(c.nodes[1].io.Of(name), "question", i), sorted([]any{"stays", "comes and goes"}); got != want {
			c.Errorf("answers %s, want %s", got, want)
		}
		stays.forget()
		c.leave(cl)
		// What is emitted by a node without clients keeps the namespace there for a minute.
		eventually(c.T, c.patience, "the namespace to go", func() error {
			if c.nodes[0].has(name) {
				return errIs("it is there", "gone")
			}
			return nil
		})
		between := wants{}
		for j := range 50 {
			c.ok(c.nodes[1].io.Of(name).To("R").Emit("between", i, j))
			between.add(line("between", i, j), "stays")
		}
		c.wantInOrder(between)
		eventually(c.T, c.patience, "two nodes to be left", func() error {
			ctx, cancel := c.ctx()
			defer cancel()
			nodes, err := c.nodes[2].io.Of(name).Nodes(ctx)
			if err == nil && nodes != 2 {
				err = errIs(nodes, 2)
			}
			return err
		})
	}
	want := wants{}
	for i := range 50 { // from a node that has forgotten the namespace
		c.ok(c.nodes[0].io.Of(name).To("R").Emit("anew", i))
		want.add(line("anew", i), "stays")
	}
	c.wantInOrder(want)
}

// testOneNode is a node alone: nothing waits for others.
func testOneNode(c *cluster) {
	c.start(1)
	n := c.nodes[0]
	n.dial("alone", "/", "A")
	n.hear("/", "event")
	c.settle()
	want := wants{}
	c.ok(n.io.Emit("all"))
	c.ok(n.io.To("A").Emit("room"))
	want.add(line("all"), "alone")
	want.add(line("room"), "alone")
	c.want(want)
	ctx, cancel := c.ctx()
	defer cancel()
	if got := c.call(n.io, "question"); got != `"alone"` {
		c.Errorf("answers %s", got)
	}
	if got := c.call(n.io.To("nobody"), "question"); got != "" {
		c.Errorf("answers of nobody: %s", got)
	}
	c.wantFetched("FetchSockets", n.io.In("A"), everybody)
	if got := c.ask(n, "event", 1); got != "" {
		c.Errorf("answers of no other server: %s", got)
	}
	c.ok(n.io.ServerSideEmit("event", 2))
	if nodes, err := n.io.Nodes(ctx); err != nil || nodes != 1 {
		c.Errorf("Nodes: %d, %v", nodes, err)
	}
	c.ok(n.io.SocketsJoin("B"))
	c.wantRooms("SocketsJoin", func(*client) []string { return []string{"A", "B"} })
	if list, err := socketio.CallAll[string](ctx, n.io.Of("/dynamic-2"), "question"); err != nil || len(list) > 0 {
		c.Errorf("CallAll in a namespace without clients: %q, %v", list, err)
	}
}
