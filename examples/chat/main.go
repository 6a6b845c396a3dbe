// Command chat is a chat with rooms over Socket.IO. At http://localhost:3000 it serves
// a page that speaks the protocol without any library. Any front end with
// socket.io-client can join, such as examples/react.
//
//	go run ./examples/chat [-addr localhost:3000] [-origin http://localhost:5173]... [-v]
//
// SIGTERM and an interrupt end it gracefully: clients are told, and reconnect when the
// server is back.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/examples/chat/page"
	"github.com/parleyws/parley/examples/chat/rooms"
	"github.com/parleyws/parley/socketio"
)

// graceTime bounds how long a shutdown waits for clients to be told.
const graceTime = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It writes its address to log and, with -v, what happens.
func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.SetOutput(log)
	addr := flags.String("addr", "localhost:3000", "listen on this `host:port`")
	verbose := flags.Bool("v", false, "log what happens")
	cors := engineio.CORS{}
	flags.Func("origin", "let in pages of this `origin` too, such as http://localhost:5173; may be repeated", func(origin string) error {
		cors.Origins = append(cors.Origins, origin)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}

	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))
	io, err := rooms.NewServer(&socketio.Options{
		Engine: engineio.Options{CORS: &cors},
		Logger: logger,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, io)
}

// serve serves Socket.IO at /socket.io/ and the page at all other paths.
func serve(ctx context.Context, listener net.Listener, io *socketio.Server) error {
	mux := http.NewServeMux()
	io.Register(mux)
	mux.Handle("/", http.FileServerFS(page.Files))
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// The sessions end first, because their requests wait for events.
	ending, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	err := io.Shutdown(ending)
	if err = errors.Join(err, web.Shutdown(ending)); errors.Is(err, context.DeadlineExceeded) {
		return nil // clients that were not told notice the end by themselves
	}
	return err
}
