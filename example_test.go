package parley_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/socketio"
)

func Example_socketIO() {
	type Message struct {
		Room string `json:"room"`
		Text string `json:"message"`
	}
	io, err := socketio.NewServer(&socketio.Options{Engine: engineio.Options{
		CORS: &engineio.CORS{Origins: []string{"http://localhost:5173"}}, // the page's
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
	web := &http.Server{
		Addr:              "localhost:3000",
		Handler:           io,
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(web.ListenAndServe())
}

func Example_socketIOClient() {
	c, err := socketio.Dial(context.Background(), "http://localhost:3000", &socketio.DialOptions{
		Setup: func(c *socketio.Client) { // called before anything can arrive
			c.OnConnect(func() { // also after each reconnection
				c.Emit("join-room", "blue")
				c.Emit("message", map[string]string{"room": "blue", "message": "hello"})
			})
			socketio.On(c, "receive-message", func(ctx context.Context, text string) error {
				_, err := fmt.Println(text)
				return err
			})
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	<-c.Done() // until c.Close is called
}

func Example_server() {
	server := &conn.Server{
		Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
			err := c.Each(ctx, func(m conn.Message) error {
				return c.Write(ctx, m.Type, m.Payload)
			})
			log.Println(r.RemoteAddr, "closed with", conn.CloseStatus(err))
			return err
		},
	}
	web := &http.Server{
		Addr:              "localhost:3000",
		Handler:           server,
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(web.ListenAndServe())
}

func Example_client() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, _, err := conn.Dial(ctx, "ws://localhost:3000/", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, conn.Text, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", p)
	c.Close(frame.StatusNormalClosure, "bye")
}

func Example_redialer() {
	redialer := &conn.Redialer{URL: "ws://localhost:3000/"}
	err := redialer.Run(context.Background(), func(ctx context.Context, c *conn.Conn) error {
		return c.Each(ctx, func(m conn.Message) error {
			_, err := fmt.Printf("%s\n", m.Payload)
			return err
		})
	})
	log.Fatal(err)
}
