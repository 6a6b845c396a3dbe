// Command server is the Socket.IO server that interop/js tests with the
// JavaScript client. interop/js/reference.mjs is the same server on Node.
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// graceTime bounds how long a shutdown waits for clients to be told.
const graceTime = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "listen on this `host:port`")
	recovery := flags.Bool("recovery", false, "recover the state of connections")
	version3 := flags.Bool("allow-eio3", false, "let in clients of Socket.IO 2")
	interval := flags.Int("ping-interval", 0, "in `milliseconds`, 0 for the default")
	timeout := flags.Int("ping-timeout", 0, "in `milliseconds`, 0 for the default")
	form := flags.String("parser", "text", "`form` of packets: text or msgpack")
	attachments := flags.Int("attachments", 0, "how `many` an event may have, 0 for the default")
	client := flags.String("client", "", "`folder` of the client's files")
	if err := flags.Parse(args); err != nil {
		return err
	}
	options := &socketio.Options{
		Engine: engineio.Options{AllowEIO3: *version3, Limits: engineio.Limits{
			PingInterval: time.Duration(*interval) * time.Millisecond,
			PingTimeout:  time.Duration(*timeout) * time.Millisecond,
		}},
		Limits:      socketio.Limits{Attachments: *attachments},
		ClientFiles: files(*client),
	}
	if *form == "msgpack" {
		options.Parser = msgpack.Parser{}
	}
	if *recovery {
		options.Recovery = &socketio.Recovery{}
	}
	io, err := newServer(options)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, io)
}

// files returns the named folder, or nil if the name is empty.
func files(folder string) fs.FS {
	if folder == "" {
		return nil
	}
	return os.DirFS(folder)
}

func serve(ctx context.Context, listener net.Listener, io *socketio.Server) error {
	web := &http.Server{Handler: io, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	if err := io.Shutdown(ending); err != nil {
		return err
	}
	return web.Shutdown(ending)
}
