package interop

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
)

// An emitter, Node's and ours, does for a cluster of both what it says.
func TestEmitters(t *testing.T) {
	needNode(t)
	addrs := []string{brokertest.Redis(t).Addr()}
	for name, open := range map[string]func(t *testing.T, prefix string) func(command) error{
		"Node's": func(t *testing.T, prefix string) func(command) error {
			p := startProcess(t, "emitter", prefix, addrs...)
			return func(c command) error { return p.do(c, nil) }
		},
		"ours": func(t *testing.T, prefix string) func(command) error {
			client := connect(t, addrs)
			e, err := redisadapter.NewEmitter(client, &redisadapter.Options{Prefix: prefix, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err := e.Close(ctx); err != nil {
					t.Error("Close:", err)
				}
			})
			return func(c command) error { return emitterDo(e, c) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, rows[0], addrs)
			testEmitter(c, open(t, c.prefix))
		})
	}
}

// emitterDo performs a command.
func emitterDo(e redisadapter.Emitter, c command) error {
	if c.Namespace != "" {
		e = e.Of(c.Namespace)
	}
	e = e.To(c.Rooms...).Except(c.Except...).Compress(!c.Uncompressed)
	if c.Volatile {
		e = e.Volatile()
	}
	rooms, _ := c.To.([]string)
	switch c.Do {
	case "emit":
		return e.Emit(c.Args[0].(string), c.Args[1:]...)
	case "join":
		return e.SocketsJoin(rooms...)
	case "leave":
		return e.SocketsLeave(rooms...)
	case "disconnect":
		return e.DisconnectSockets(c.Connection)
	case "serverSideEmit":
		return e.ServerSideEmit(c.Args[0].(string), c.Args[1:]...)
	}
	return fmt.Errorf("no such command: %s", c.Do)
}

func testEmitter(c *cluster, do func(command) error) {
	emit := func(t target, args ...any) { c.Helper(); c.ok(do(command{Do: "emit", target: t, Args: args})) }
	everybody := func(*client) bool { return true }
	b2 := c.clients[5].ID()
	w := wants{}
	emit(target{}, "all", octets(4))
	c.add(w, everybody, "all", octets(4))
	emit(target{Rooms: []string{"A"}}, "room")
	c.add(w, func(cl *client) bool { return cl.in("A") }, "room")
	emit(target{Rooms: []string{"A", "AB"}, Except: []string{b2}}, "rooms")
	c.add(w, func(cl *client) bool { return !cl.in(b2) }, "rooms")
	emit(target{Rooms: []string{b2}, Uncompressed: true}, "a socket")
	c.add(w, func(cl *client) bool { return cl.in(b2) }, "a socket")
	emit(target{Namespace: "/other"}, "nobody there")
	for name, v := range values {
		if v.want == nil {
			emit(target{Rooms: []string{"B"}}, append([]any{name}, v.sent...)...)
			c.add(w, func(cl *client) bool { return cl.in("B") }, append([]any{name}, v.sent...)...)
		}
	}
	c.want(w)

	c.ok(do(command{Do: "join", target: target{Rooms: []string{"B"}}, To: []string{"new", "newer"}}))
	c.ok(do(command{Do: "leave", target: target{Rooms: []string{"B"}}, To: []string{"newer"}}))
	for _, cl := range c.clients {
		if cl.in("B") {
			cl.rooms = append(cl.rooms, "new")
		}
	}
	c.settle() // until they are in it
	w = wants{}
	emit(target{Rooms: []string{"new"}}, "new")
	c.add(w, func(cl *client) bool { return cl.in("B") }, "new")
	emit(target{Rooms: []string{"newer"}}, "newer")
	c.want(w)

	c.ok(do(command{Do: "serverSideEmit", Args: []any{"event", 1, "x"}}))
	got := make([][]string, len(c.nodes))
	eventually(c.T, "an event for the servers", 5*time.Millisecond, func() error {
		for j, list := range c.heard(got) {
			if len(list) != 1 || list[0] != line([]any{1, "x"}) {
				return fmt.Errorf("node %d has heard %q", j, list)
			}
		}
		return nil
	})

	for _, connection := range []bool{false, true} {
		for i, n := range c.nodes {
			c.dial(fmt.Sprint("to go ", i), n, "/", "C")
		}
		c.settle()
		c.ok(do(command{Do: "disconnect", target: target{Rooms: []string{"C"}}, Connection: connection}))
		for _, cl := range c.clients[6:] {
			eventually(c.T, "the end of "+cl.name, 5*time.Millisecond, func() error {
				if cl.Connected() {
					return fmt.Errorf("it is connected")
				}
				return nil
			})
		}
		c.clients = c.clients[:6]
	}
	for _, cl := range c.clients {
		if !cl.Connected() {
			c.Errorf("%s is disconnected", cl.name)
		}
	}
}
