package redisstreams_test

import (
	"context"
	"log"
	"net/http"

	"github.com/parleyws/parley/adapters/redisstreams"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// Servers that use the same Redis share their rooms, those in Node too.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
	streams, err := redisstreams.New(client, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer streams.Close(context.Background())
	io, err := socketio.NewServer(&socketio.Options{Adapter: streams.Adapter})
	if err != nil {
		log.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.On(s, "message", func(_ context.Context, text string) error {
			return io.To("news").Emit("message", text) // on all servers
		})
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:3000", io))
}
