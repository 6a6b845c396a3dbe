package natsadapter_test

import (
	"context"
	"log"
	"net/http"
	"time"

	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio"
)

// A server whose rooms reach across all servers that use the same NATS.
func Example() {
	c, err := natsadapter.New("nats://127.0.0.1:4222", nil)
	if err != nil {
		log.Fatal(err)
	}
	io, err := socketio.NewServer(&socketio.Options{Adapter: c.Adapter})
	if err != nil {
		log.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.On(s, "join", func(_ context.Context, room string) error { return s.Join(room) })
		socketio.On(s, "message", func(_ context.Context, text string) error { return s.To("tea").Emit("message", text) })
	})
	mux := http.NewServeMux()
	io.Register(mux)
	log.Print(http.ListenAndServe("127.0.0.1:3000", mux))

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = io.Shutdown(ctx) // the namespaces say that they go
	_ = c.Close(ctx)
}
