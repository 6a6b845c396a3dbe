package adaptertest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/parleyws/parley/socketio"
)

// testOrder sends numbered events, some with octets, from all nodes at once: what one node
// sends to one room arrives in order, and nothing is lost or doubled.
func testOrder(c *cluster) {
	c.standard()
	var senders sync.WaitGroup
	want := make(map[string][]string) // by client
	for _, n := range c.nodes {
		for _, room := range []string{"A", "B", ""} {
			to := n.io.To(room)
			gets := in(room)
			if room == "" {
				to, gets = n.io.Compress(true), everybody
			}
			var list []string
			for i := range c.Messages {
				list = append(list, line("numbered", n.name, room, numbered(i)))
			}
			for _, name := range c.names(gets) {
				want[name] = append(want[name], list...)
			}
			senders.Go(func() {
				for i := range c.Messages {
					if err := to.Emit("numbered", n.name, room, numbered(i)); err != nil {
						c.Errorf("%s: %v", n.name, err)
						return
					}
				}
			})
		}
	}
	senders.Wait()
	c.settle()
	for _, cl := range c.clients {
		got, want := cl.seen(), want[cl.name]
		for _, n := range c.nodes {
			for _, room := range []string{"A", "B", ""} {
				prefix := line("numbered", n.name, room) + " "
				of := func(list []string) (of []string) {
					for _, l := range list {
						if len(l) > len(prefix) && l[:len(prefix)] == prefix {
							of = append(of, l)
						}
					}
					return of
				}
				if got, want := of(got), of(want); !slices.Equal(got, want) {
					c.Errorf("%s, from %s to the room %q (none: to all):\n%s", cl.name, n.name, room, difference(got, want))
				}
			}
		}
		if len(got) != len(want) {
			c.Errorf("%s has got %d events, want %d", cl.name, len(got), len(want))
		}
	}
}

// numbered is argument i of the events that are numbered.
func numbered(i int) any {
	if i%10 == 9 {
		return map[string]any{"number": i, "octets": []byte{byte(i), byte(i >> 8)}}
	}
	return i
}

// testAllAtOnce does everything from many goroutines at once, while sockets join and leave.
func testAllAtOnce(c *cluster) {
	c.standard()
	rounds := c.Messages / 20
	for _, n := range c.nodes {
		n.io.OnServerEvent("event", func(e *socketio.ServerEvent) { _ = e.Ack(n.name) })
	}
	ctx, cancel := c.ctx()
	defer cancel()
	var all sync.WaitGroup
	do := func(name string, f func(n *node, i int) error) {
		for _, n := range c.nodes {
			all.Go(func() {
				for i := range rounds {
					if err := f(n, i); err != nil {
						c.Errorf("%s: %s: %v", n.name, name, err)
						return
					}
				}
			})
		}
	}
	do("Emit", func(n *node, i int) error { return n.io.To("A").Emit("event", n.name, i) })
	do("Emit to a room that comes and goes", func(n *node, i int) error { return n.io.To("R").Emit("perhaps", []byte{1}) })
	do("SocketsJoin", func(n *node, i int) error { return n.io.In("A").SocketsJoin("R", fmt.Sprint("R", i)) })
	do("SocketsLeave", func(n *node, i int) error { return n.io.In("A").SocketsLeave("R", fmt.Sprint("R", i)) })
	do("ServerSideEmit", func(n *node, i int) error { return n.io.ServerSideEmit("event", i) })
	some := rounds / 5
	do("CallAll", func(n *node, i int) error {
		if i > some {
			return nil
		}
		return second(socketio.CallAll[string](ctx, n.io.To("B"), "question"))
	})
	do("ServerSideCall", func(n *node, i int) error {
		if i > some {
			return nil
		}
		return second(n.io.ServerSideCall(ctx, "event", i))
	})
	do("FetchSockets", func(n *node, i int) error {
		if i > some {
			return nil
		}
		return second(n.io.To("A").FetchSockets(ctx))
	})
	all.Wait()
	c.settle()
	for _, cl := range c.clients {
		for _, n := range c.nodes {
			count := 0
			for i := range rounds {
				if slices.Contains(cl.seen(), line("event", n.name, i)) {
					count++
				}
			}
			if in("A")(cl) && count != rounds {
				c.Errorf("%s has got %d events of %s, want %d", cl.name, count, n.name, rounds)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
