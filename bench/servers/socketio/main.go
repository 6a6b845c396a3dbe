// Command socketio serves the report's Socket.IO work with Parley.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/parleyws/parley/bench/servers/harness"
	"github.com/parleyws/parley/bench/servers/shell"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

func main() {
	name := shell.Flag()
	harness.HTTP(func(harness.Work) http.HandlerFunc {
		io, err := socketio.NewServer(&socketio.Options{Engine: engineio.Options{Loop: shell.Of(*name)}})
		if err != nil {
			log.Fatal(err)
		}
		io.OnConnect(func(s *socketio.Socket) {
			socketio.On(s, "echo", func(_ context.Context, text string) error { return s.Emit("echo", text) })
			socketio.Handle(s, "ask", func(_ context.Context, text string) (string, error) { return text, nil })
			socketio.On(s, "join", func(_ context.Context, room string) error {
				if err := s.Join(room); err != nil {
					return err
				}
				return s.Emit("joined")
			})
			socketio.On2(s, "room", func(_ context.Context, room, text string) error {
				return io.To(room).Emit("room", text)
			})
		})
		return io.ServeHTTP
	})
}
