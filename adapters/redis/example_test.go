package redisadapter_test

import (
	"context"
	"log"
	"net/http"
	"time"

	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A server that shares its rooms with all others on the same Redis, in Go or Node.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
	broker, err := redisadapter.New(client, nil)
	if err != nil {
		log.Fatal(err)
	}
	io, err := socketio.NewServer(&socketio.Options{Adapter: broker.Adapter})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "localhost:3000", Handler: io}
	_ = server // log.Fatal(server.ListenAndServe())

	// At the end, in this order:
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	io.Shutdown(ctx)
	broker.Close(ctx)
	client.Close()
}

// A process without clients tells those of all servers something.
func ExampleNewEmitter() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
	defer client.Close()
	io, err := redisadapter.NewEmitter(client, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := io.To("news").Emit("message", "hello"); err != nil {
		log.Print(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	io.Close(ctx) // once Redis has it
}
