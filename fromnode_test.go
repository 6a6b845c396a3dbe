package parley_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// A Message is what a client of docs/from-node.md sends.
type Message struct {
	Room string `json:"room"`
	Text string `json:"message"`
}

// What the client's examples have from elsewhere.
var (
	ctx    = context.Background()
	secret string
)

func valid(token string) bool { return token != "" }

func Example_fromNode() {
	io, err := socketio.NewServer(&socketio.Options{Engine: engineio.Options{
		CORS: &engineio.CORS{Origins: []string{"http://localhost:5173"}},
	}})
	if err != nil {
		log.Fatal(err)
	}

	io.Use(func(ctx context.Context, s *socketio.Socket) error {
		auth, err := socketio.Auth[struct{ Token string }](s)
		if err != nil || !valid(auth.Token) {
			return errors.New("not authorized")
		}
		return nil
	})

	io.OnConnect(func(s *socketio.Socket) {
		socketio.On(s, "join-room", func(ctx context.Context, room string) error {
			return s.Join(room)
		})
		socketio.On(s, "message", func(ctx context.Context, m Message) error {
			return s.To(m.Room).Emit("receive-message", m.Text)
		})
		socketio.Handle2(s, "add", func(ctx context.Context, a, b int) (int, error) {
			return a + b, nil
		})
		s.OnDisconnect(func(reason socketio.Reason) { log.Println(s.ID(), reason) })
	})

	log.Fatal(http.ListenAndServe("localhost:3000", io))
}

func Example_fromNodeClient() {
	c, err := socketio.Dial(ctx, "https://example.com/admin", &socketio.DialOptions{
		Auth: map[string]string{"token": secret},
		Setup: func(c *socketio.Client) {
			c.OnConnect(func() { c.Emit("join-room", "blue") })
			socketio.On(c, "receive-message", func(ctx context.Context, text string) error {
				log.Println(text)
				return nil
			})
			c.OnDisconnect(func(reason socketio.Reason, err error) { log.Println(reason, err) })
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	sum, err := socketio.Call[int](ctx, c.Timeout(5*time.Second), "add", 1, 2)
	log.Println(sum, err)
}
