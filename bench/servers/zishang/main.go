// Command zishang serves the report's Socket.IO work with zishang520/socket.io.
// It closes one connection in several thousand after the answer to CONNECT,
// without a packet or a Close frame. The report counts such a round as failed.
package main

import (
	"net"
	"net/http"

	"github.com/parleyws/parley/bench/servers/harness"
	"github.com/zishang520/socket.io/v2/socket"
)

func main() {
	harness.Run(func(l net.Listener, _ harness.Work) error {
		io := socket.NewServer(nil, nil)
		io.On("connection", func(args ...any) { connected(io, args[0].(*socket.Socket)) })
		mux := http.NewServeMux()
		mux.Handle("/socket.io/", io.ServeHandler(nil))
		s := &http.Server{Handler: mux}
		return s.Serve(l)
	})
}

func connected(io *socket.Server, s *socket.Socket) {
	s.On("echo", func(args ...any) { s.Emit("echo", args[0]) })
	s.On("join", func(args ...any) {
		s.Join(socket.Room(args[0].(string)))
		s.Emit("joined")
	})
	s.On("room", func(args ...any) { io.To(socket.Room(args[0].(string))).Emit("room", args[1]) })
}
