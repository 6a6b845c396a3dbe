package socketio_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"regexp"
	"time"

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

// A server beside other routes. http.Handle("/socket.io/", io) would redirect the
// requests of a client that leaves out the slash.
func ExampleServer_Register() {
	io, err := socketio.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	io.Register(mux)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, io.Count(), "sockets")
	})
	_ = http.Server{Addr: "localhost:3000", Handler: mux}
}

// A namespace for each tenant: handlers find it by Socket.Namespace.
func ExampleServer_OfPattern() {
	io, err := socketio.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	tenants := io.OfPattern(regexp.MustCompile(`^/tenant-\d+$`))
	tenants.Use(func(ctx context.Context, s *socketio.Socket) error {
		auth, err := socketio.Auth[struct{ Tenant string }](s)
		if err != nil || "/"+auth.Tenant != s.Namespace().Name() {
			return &socketio.Error{Message: "not your tenant"}
		}
		return nil
	})
	tenants.OnConnect(func(s *socketio.Socket) {
		s.Namespace().Except(s.ID()).Emit("joined", s.ID()) // to this tenant's others
	})
	io.Of("/tenant-7").Emit("news", "hello") // whether or not a client is there
}

// A handler that waits for its client holds up the client's other events, unless it
// waits in a goroutine of its own.
func ExampleCall() {
	io, err := socketio.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	io.OnConnect(func(s *socketio.Socket) {
		s.OnEvent("delete", func(e *socketio.Event) error {
			go func() {
				sure, err := socketio.Call[bool](s.Context(), s.Timeout(time.Minute), "sure?")
				e.Ack(err == nil && sure)
			}()
			return nil
		})
	})
}

// What a handler of the end still does with a ctx it does with context.WithoutCancel:
// the socket's has ended.
func ExampleSocket_OnDisconnect() {
	io, err := socketio.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	save := func(ctx context.Context, id string) error { return ctx.Err() }
	io.OnConnect(func(s *socketio.Socket) {
		s.OnDisconnect(func(socketio.Reason) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(s.Context()), time.Second)
			defer cancel()
			if err := save(ctx, s.ID()); err != nil {
				log.Print(err)
			}
		})
	})
}
