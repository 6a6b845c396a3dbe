package redisadapter_test

import (
	"context"
	"testing"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/socketio"
)

func newEmitter(t *testing.T, addr string) redisadapter.Emitter {
	t.Helper()
	e, err := redisadapter.NewEmitter(newClient(t, addr), &redisadapter.Options{Logger: quiet()})
	check(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error("Close:", err)
		}
	})
	return e
}

// An emitter reaches the sockets of all servers.
func TestEmitter(t *testing.T) {
	addr := brokertest.Redis(t).Addr()
	for name, o := range map[string]redisadapter.Options{"rooms": {}, "pattern": {Pattern: true}} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, addr)
			a, b := newNode(t, client, o), newNode(t, client, o)
			serve(a.io.Of("/x"))
			serve(b.io.Of("/x"))
			x, y, z := a.join("/", "blue"), b.join("/", "blue", "red"), b.join("/x", "blue")
			e := newEmitter(t, addr)
			check(t, e.Emit("all", "ü", []byte{1, 255}, map[string]any{"deep": []byte("x")}))
			check(t, e.To("blue").Except("red").Compress(false).Emit("except"))
			check(t, e.In("blue", "red").Emit("both"))
			check(t, e.Of("x").To("blue").Emit("elsewhere"))
			check(t, e.To("red").SocketsJoin("new", "newer"))
			check(t, e.To("new").Emit("joined it"))
			check(t, e.To("red").SocketsLeave("new"))
			check(t, e.To("new").Emit("left it"))
			x.want(`all "ü" "Af8=" {"deep":"eA=="}`, "except", "both")
			y.want(`all "ü" "Af8=" {"deep":"eA=="}`, "both", "joined it")
			z.want("elsewhere")

			heard := make(chan string, 2)
			for _, n := range []*node{a, b} {
				n.io.OnServerEvent("hello", func(s *socketio.ServerEvent) {
					var data []byte
					if err := s.Decode(0, &data); err != nil || s.WantsAck() {
						t.Error(err)
					}
					heard <- string(data)
				})
			}
			check(t, e.ServerSideEmit("hello", []byte("x")))
			if one, two := <-heard, <-heard; one != "x" || two != "x" {
				t.Errorf("heard %q, %q", one, two)
			}
			ended := make(chan struct{})
			y.c.OnDisconnect(func(socketio.Reason, error) { close(ended) })
			check(t, e.To("red").DisconnectSockets(false))
			<-ended
			check(t, e.Flush(within(t, patience)))
			if s := e.Stats(); s.Published != 10 || s.Dropped != 0 {
				t.Errorf("%+v", s)
			}
			if err := e.Emit("disconnect"); err == nil {
				t.Error("a reserved name was sent")
			}
			if err := e.Emit("e", make(chan int)); err == nil {
				t.Error("a channel was sent")
			}
			if err := e.Emit("e", make([]any, socketio.MaxArguments+1)...); err == nil {
				t.Error("more arguments than servers accept were sent")
			}
		})
	}
}
