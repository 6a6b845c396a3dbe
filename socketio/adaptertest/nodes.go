package adaptertest

import "fmt"

// testNodeLeaves shuts a node down: the others don't wait for it any more.
func testNodeLeaves(c *cluster) {
	c.standard()
	for _, n := range c.nodes {
		n.hear("/", "event")
	}
	for len(c.nodes) > 1 {
		c.nodes[len(c.nodes)-1].stop()
		c.wantNodes()
		c.settle()
		c.wantAll()
	}
}

// testNodeComes starts further nodes: they are heard, and hear.
func testNodeComes(c *cluster) {
	c.start(1)
	c.nodes[0].hear("/", "event")
	c.nodes[0].dial("client 0", "/", "A")
	for i := range 3 {
		n := c.add()
		n.hear("/", "event")
		n.dial(fmt.Sprint("client ", i+1), "/", "A")
		c.wantNodes()
		c.settle()
		// What was on its way before the new node listened may still reach it. Questions may take
		// another way than events: one from each node comes after the old ones.
		for _, from := range c.nodes {
			c.call(from.io.To("A"), "question")
		}
		for _, cl := range c.clients {
			cl.forget()
		}
		c.wantAll()
		if i == 1 { // and one that leaves meanwhile
			c.nodes[0].stop()
			c.wantNodes()
		}
	}
}

// wantAll does a little of everything from each node, with all others.
func (c *cluster) wantAll() {
	c.Helper()
	want := wants{}
	for _, n := range c.nodes {
		c.ok(n.io.Emit("all", n.name))
		c.ok(n.io.To("A").Emit("room", n.name))
		want.add(line("all", n.name), c.names(everybody)...)
		want.add(line("room", n.name), c.names(in("A"))...)
	}
	c.want(want)
	for _, n := range c.nodes {
		var answers []any
		for _, name := range c.names(in("A")) {
			answers = append(answers, name)
		}
		if got, want := c.call(n.io.To("A"), "question"), sorted(answers); got != want {
			c.Errorf("%s: answers %s, want %s", n.name, got, want)
		}
		answers = nil
		for _, o := range c.nodes {
			if o != n {
				answers = append(answers, []any{o.name, nil})
			}
		}
		if got, want := c.ask(n, "event"), sorted(answers); got != want {
			c.Errorf("%s: answers of servers: %s, want %s", n.name, got, want)
		}
		c.wantFetched(n.name, n.io.In("A"), in("A"))
	}
	for _, cl := range c.clients {
		cl.forget()
	}
}

// testFlush shuts a node down that has just sent much: all of it arrives.
func testFlush(c *cluster) {
	c.standard()
	want := wants{}
	for i := range c.Messages {
		c.ok(c.nodes[0].io.To("B").Emit("before the end", i))
		want.add(line("before the end", i), "b1", "b2")
	}
	c.nodes[0].stop()
	c.wantInOrder(want)
}

// testClosed emits to a node that was shut down: its adapter does nothing any more.
func testClosed(c *cluster) {
	c.start(3)
	last := c.nodes[2]
	for _, n := range c.nodes {
		n.hear("/", "fence")
	}
	h := last.hear("/", "event")
	c.ok(c.nodes[0].io.ServerSideEmit("event", "before"))
	eventually(c.T, c.patience, "an event before the end", func() error {
		if len(h.heard("event")) == 0 {
			return errIs("nothing", "an event")
		}
		return nil
	})
	last.stop()
	for i := range 100 {
		c.ok(c.nodes[i%2].io.ServerSideEmit("event", i))
	}
	c.wantNodes()
	c.fence("fence")
	if got := h.heard("event"); len(got) != 1 {
		c.Errorf("an adapter has delivered %d events after its Close", len(got)-1)
	}
}
