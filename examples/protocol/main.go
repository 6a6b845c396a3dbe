// Command protocol is a server for the test suites of the Engine.IO and
// Socket.IO protocols. At /engine.io/ it is a plain Engine.IO server that sends
// every message back. At /socket.io/ the namespaces / and /custom emit "auth"
// on connection, with the auth of the handshake. On / the server answers
// "message" with the event "message-back", and "message-with-ack" with an
// acknowledgement, both with the same arguments.
//
//	go run ./examples/protocol [-addr 127.0.0.1:3000]
//
// Its timeouts are short, because the suites expect that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// The values that the suites expect.
var limits = engineio.Limits{
	PingInterval: 300 * time.Millisecond,
	PingTimeout:  200 * time.Millisecond,
	MaxPayload:   1_000_000,
}

var connectTimeout = time.Second

// graceTime bounds how long a shutdown waits for open sessions to end.
const graceTime = 2 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "protocol:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It writes its address to log.
func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("protocol", flag.ContinueOnError)
	flags.SetOutput(log)
	addr := flags.String("addr", "127.0.0.1:3000", "listen on this `host:port`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	engine, err := newEngine()
	if err != nil {
		return err
	}
	sockets, err := newSockets()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "listening on http://%s\n", listener.Addr())

	mux := http.NewServeMux()
	mux.Handle("/engine.io/", engine)
	mux.Handle("/socket.io/", sockets)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	err = errors.Join(engine.Shutdown(ending), sockets.Shutdown(ending), web.Shutdown(ending))
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // a suite has left connections open
	}
	return err
}

// newEngine returns the server that sends every message back.
func newEngine() (*engineio.Server, error) {
	return engineio.NewServer(func(s *engineio.Session) engineio.Receiver { return echo{s} },
		&engineio.Options{Limits: limits})
}

type echo struct{ session *engineio.Session }

func (e echo) Message(data []byte, binary bool) {
	e.session.Send(engineio.NewMessage(data, binary))
}

func (echo) Closed(engineio.Reason) {}

// newSockets returns the server with the two namespaces.
func newSockets() (*socketio.Server, error) {
	sockets, err := socketio.NewServer(&socketio.Options{
		Engine: engineio.Options{Limits: limits},
		Limits: socketio.Limits{ConnectTimeout: connectTimeout},
	})
	if err != nil {
		return nil, err
	}
	greet := func(s *socketio.Socket) { s.Emit("auth", s.Handshake().Auth) }
	sockets.Of("/custom").OnConnect(greet)
	sockets.OnConnect(greet)
	sockets.OnConnect(func(s *socketio.Socket) {
		s.OnEvent("message", func(e *socketio.Event) error { return reply(e, "message-back") })
		s.OnEvent("message-with-ack", func(e *socketio.Event) error {
			args, err := e.Args()
			if err != nil {
				return err
			}
			return e.Ack(args...)
		})
	})
	return sockets, nil
}

// reply emits an event with the arguments of e.
func reply(e *socketio.Event, event string) error {
	args, err := e.Args()
	if err != nil {
		return err
	}
	return e.Socket().Emit(event, args...)
}
