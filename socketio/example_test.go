package socketio_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// The front end says io("http://localhost:3000"), from a page of another
// origin.
func Example() {
	type Message struct {
		Room string `json:"room"`
		Text string `json:"message"`
	}
	io, err := socketio.NewServer(&socketio.Options{Engine: engineio.Options{
		CORS: &engineio.CORS{Origins: []string{"http://localhost:5173"}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.On(s, "join-room", func(ctx context.Context, room string) error {
			return s.Join(room)
		})
		socketio.On(s, "message", func(ctx context.Context, m Message) error {
			return s.To(m.Room).Emit("receive-message", m.Text) // all in the room but s
		})
	})
	server := &http.Server{Addr: "localhost:3000", Handler: io}
	_ = server // log.Fatal(server.ListenAndServe())
}

// Middleware refuses clients without a token.
func ExampleNamespace_Use() {
	io, err := socketio.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	io.Use(func(ctx context.Context, s *socketio.Socket) error {
		if s.Handshake().Query.Get("token") == "" {
			return &socketio.Error{Message: "not authorized", Data: map[string]string{"hint": "log in"}}
		}
		return nil
	})
}

// Answers, in both directions.
func ExampleHandle() {
	io, err := socketio.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		socketio.Handle(s, "add", func(ctx context.Context, in []int) (int, error) {
			sum := 0
			for _, n := range in {
				sum += n
			}
			return sum, nil
		})
		socketio.On(s, "start", func(ctx context.Context, _ any) error {
			name, err := socketio.Call[string](ctx, s, "what's your name?")
			if err != nil {
				return err
			}
			fmt.Println("hello,", name)
			return nil
		})
	})
}
