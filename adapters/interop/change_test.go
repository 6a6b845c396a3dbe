package interop

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/parleyws/parley/socketio"
)

// call asks the node of a client.
func call(cl *client, event string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := socketio.Call[any](ctx, cl, event, args...)
	return err
}

// testNamespaces emits in another namespace.
func testNamespaces(c *cluster, _ row) {
	for i, n := range c.nodes {
		c.dial(fmt.Sprint("other ", i), n, "/other", "A")
	}
	c.settle()
	w := wants{}
	for i, n := range c.nodes {
		for _, namespace := range []string{"/", "/other"} {
			for _, room := range []string{"", "A"} {
				t := target{Namespace: namespace}
				if room != "" {
					t.Rooms = []string{room}
				}
				c.ok(n.do(command{Do: "emit", target: t, Args: []any{"in", namespace, room, i}}, nil))
				c.add(w, func(cl *client) bool { return cl.Namespace() == namespace && cl.in(room) }, "in", namespace, room, i)
			}
		}
		var got answers
		c.ok(n.do(command{Do: "call", target: target{Namespace: "/other", Timeout: patience.Milliseconds()}, Args: []any{"question", i}}, &got))
		if got.Error != "" || len(got.Answers) != 3 {
			c.Errorf("node %d: %d answers, %s", i, len(got.Answers), got.Error)
		}
		c.add(w, func(cl *client) bool { return cl.Namespace() == "/other" }, "question", i)
	}
	c.want(w)
	for _, cl := range c.clients[6:] {
		cl.Disconnect()
	}
	c.clients = c.clients[:6]
}

// testJoin makes sockets of all nodes join rooms, and leave them, and emits at once.
func testJoin(c *cluster, _ row) {
	for i, n := range c.nodes {
		room := fmt.Sprint("new ", i)
		c.ok(n.do(command{Do: "join", target: target{Rooms: []string{"A"}, Except: []string{c.clients[0].ID()}}, To: []string{room}}, nil))
		members := func(cl *client) bool { return cl.in("A") && cl != c.clients[0] }
		for _, cl := range c.clients {
			if members(cl) {
				cl.rooms = append(cl.rooms, room)
			}
		}
		c.settle() // until they are in it
		w := wants{}
		for j, o := range c.nodes {
			c.ok(o.do(command{Do: "emit", target: target{Rooms: []string{room}}, Args: []any{"joined", i, j}}, nil))
			c.add(w, members, "joined", i, j)
		}
		c.want(w)
		c.ok(n.do(command{Do: "leave", target: target{Rooms: []string{"B", room}}, To: []string{room}}, nil))
		for _, cl := range c.clients {
			cl.rooms = slices.DeleteFunc(cl.rooms, func(r string) bool { return r == room })
		}
		eventually(c.T, "the sockets to leave", 10*time.Millisecond, func() error {
			var left []remote
			c.ok(n.do(command{Do: "fetch", target: target{Rooms: []string{room}}}, &left))
			if len(left) > 0 {
				return fmt.Errorf("%d are in it", len(left))
			}
			return nil
		})
		for j, o := range c.nodes {
			c.ok(o.do(command{Do: "emit", target: target{Rooms: []string{room}}, Args: []any{"left", i, j}}, nil))
		}
		c.want(wants{})
	}
}

// testDisconnect disconnects a socket of each node from the next one.
func testDisconnect(c *cluster, _ row) {
	for i, n := range c.nodes {
		next := (i + 1) % len(c.nodes)
		cl := c.dial(fmt.Sprint("to go ", i), c.nodes[next], "/", "C")
		c.ok(n.do(command{Do: "disconnect", target: target{Rooms: []string{cl.ID()}}, Connection: i%2 == 0}, nil))
		eventually(c.T, "the end of a client", 5*time.Millisecond, func() error {
			if cl.Connected() {
				return fmt.Errorf("node %d has disconnected it, and it is connected to node %d", i, next)
			}
			return nil
		})
		c.clients = c.clients[:6]
	}
	for _, cl := range c.clients {
		if !cl.Connected() {
			c.Errorf("%s is disconnected", cl.name)
		}
	}
}

// testNodes counts nodes, while one of ours and Node's leave.
func testNodes(c *cluster, r row) {
	count := func(want int) {
		c.Helper()
		for i, n := range c.nodes {
			eventually(c.T, fmt.Sprintf("node %d to know how many there are", i), 20*time.Millisecond, func() error {
				var got int
				if err := n.do(command{Do: "nodes"}, &got); err != nil || got != want {
					return fmt.Errorf("%d, %v; want %d", got, err, want)
				}
				return nil
			})
		}
	}
	leave := func(i int) {
		c.Helper()
		c.clients = slices.DeleteFunc(c.clients, func(cl *client) bool { return cl.node == c.nodes[i] })
		c.nodes[i].stop()
		c.nodes = slices.Delete(c.nodes, i, i+1)
	}
	count(3)
	for _, i := range []int{0, 1} {
		if _, inNode := c.nodes[i].(*process); inNode && r.cluster {
			break
		}
		leave(i)
		count(len(c.nodes))
		c.settle()
		for j, n := range c.nodes {
			var got answers
			c.ok(n.do(command{Do: "call", target: target{Timeout: patience.Milliseconds()}, Args: []any{"question"}}, &got))
			if got.Error != "" || len(got.Answers) != len(c.clients) {
				c.Errorf("node %d gets %d answers, %s; want %d", j, len(got.Answers), got.Error, len(c.clients))
			}
		}
	}
}
