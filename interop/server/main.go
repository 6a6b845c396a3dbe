// Command server is the Socket.IO server that interop/js, interop/python and
// interop/java test with the clients of those languages. interop/js/reference.mjs
// is the same server on Node.
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
	"strings"
	"syscall"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// graceTime bounds how long a shutdown waits for clients to be told.
const graceTime = 10 * time.Second

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
	addr, io, err := configure(args)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, io)
}

// configure makes the server that the flags describe. It returns the address where
// it is to listen, too.
func configure(args []string) (string, *socketio.Server, error) {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "listen on this `host:port`")
	recovery := flags.Bool("recovery", false, "recover the state of connections")
	version3 := flags.Bool("allow-eio3", false, "let in clients of Socket.IO 2")
	interval := flags.Int("ping-interval", 0, "in `milliseconds`, 0 for the default")
	timeout := flags.Int("ping-timeout", 0, "in `milliseconds`, 0 for the default")
	payload := flags.Int64("max-payload", 0, "in `bytes`, 0 for the default")
	form := flags.String("parser", "text", "`form` of packets: text or msgpack")
	attachments := flags.Int("attachments", 0, "how `many` an event may have, 0 for the default")
	client := flags.String("client", "", "`folder` of the client's files")
	origins := flags.String("origins", "", "`list` of CORS origins, with commas between them")
	cookie := flags.String("cookie", "", "`name` of a cookie")
	transports := flags.String("transports", "", "`list` of transports, with commas between them")
	noUpgrades := flags.Bool("no-upgrades", false, "let no connection upgrade")
	deflate := flags.Bool("deflate", false, "agree to permessage-deflate")
	middleware := flags.Bool("middleware", false, "run middleware, for recovered sockets too, that keeps what it sees")
	if err := flags.Parse(args); err != nil {
		return "", nil, err
	}
	options := &socketio.Options{
		Engine: engineio.Options{
			AllowEIO3: *version3, Transports: list(*transports), NoUpgrades: *noUpgrades,
			Limits: engineio.Limits{
				PingInterval: time.Duration(*interval) * time.Millisecond,
				PingTimeout:  time.Duration(*timeout) * time.Millisecond,
				MaxPayload:   *payload,
			},
		},
		Limits:      socketio.Limits{Attachments: *attachments},
		ClientFiles: files(*client),
	}
	if *deflate {
		options.Engine.Deflate = &handshake.DeflateOptions{}
	}
	if *form == "msgpack" {
		options.Parser = msgpack.Parser{}
	}
	if *recovery {
		options.Recovery = &socketio.Recovery{RunMiddleware: *middleware}
	}
	if *origins != "" {
		options.Engine.CORS = &engineio.CORS{Origins: list(*origins), Credentials: true}
	}
	if *cookie != "" {
		options.Engine.Cookie = &http.Cookie{Name: *cookie}
	}
	io, err := newServer(options)
	if err == nil && *middleware {
		io.Use(see)
	}
	return *addr, io, err
}

// list returns what stands between commas, nil if the text is empty.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// files returns the named folder, or nil if the name is empty.
func files(folder string) fs.FS {
	if folder == "" {
		return nil
	}
	return os.DirFS(folder)
}

func serve(ctx context.Context, listener net.Listener, io *socketio.Server) error {
	mux := http.NewServeMux()
	io.Register(mux)
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
	if err := io.Shutdown(ending); err != nil {
		return err
	}
	return web.Shutdown(ending)
}
