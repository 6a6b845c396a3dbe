package embedded_test

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/parleyws/parley/adapters/nats/embedded"
	"github.com/parleyws/parley/socketio"
)

// One of three nodes that need nothing but each other.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := embedded.Start(ctx, &embedded.Options{
		Listen: "10.0.0.1:6222",
		Peers:  []string{"10.0.0.1:6222", "10.0.0.2:6222", "10.0.0.3:6222"},
		Secret: os.Getenv("CLUSTER_SECRET"),
	})
	if err != nil {
		log.Fatal(err)
	}
	io, err := socketio.NewServer(&socketio.Options{Adapter: c.Adapter})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	io.Register(mux)
	log.Print(http.ListenAndServe(":3000", mux))

	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = io.Shutdown(ending) // the namespaces say that they go
	_ = c.Close(ending)
}
