// Command echo sends every WebSocket message back, on every path. At
// http://localhost:3000 it serves a small page to try it by hand.
//
//	go run ./examples/echo [-addr localhost:3000] [-deflate] [-max 1048576] [-raw] [-keepalive 25s]
//
// SIGTERM and an interrupt end it gracefully: every connection is closed with
// 1001, going away.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

//go:embed page.html
var page []byte

// graceTime bounds how long a shutdown waits for open connections to end.
const graceTime = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It writes its address to log.
func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	flags.SetOutput(log)
	addr := flags.String("addr", "localhost:3000", "listen on this `host:port`")
	deflate := flags.Bool("deflate", false, "accept permessage-deflate")
	maxMessage := flags.Int64("max", 1<<20, "greatest message in `octets`; negative: no limit")
	raw := flags.Bool("raw", false, "serve without net/http: no page")
	keepalive := flags.Duration("keepalive", 25*time.Second, "ping after this `time` without an octet; negative: never")
	if err := flags.Parse(args); err != nil {
		return err
	}

	options := &conn.AcceptOptions{
		Conn: conn.Options{Limits: conn.Limits{Message: *maxMessage, PingInterval: *keepalive}},
	}
	if *deflate {
		options.Handshake.Deflate = &handshake.DeflateOptions{}
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "listening on http://%s\n", listener.Addr())
	sockets := &conn.Server{
		Options: options,
		Serve:   func(ctx context.Context, c *conn.Conn, _ *http.Request) error { return echo(ctx, c) },
	}
	if *raw {
		return serveRaw(ctx, listener, sockets)
	}
	return serve(ctx, listener, sockets)
}

// serve serves through net/http: the page at /, and an upgrade at every path.
func serve(ctx context.Context, listener net.Listener, sockets *conn.Server) error {
	web := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" && r.Header.Get("Upgrade") == "" {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				w.Write(page)
				return
			}
			sockets.ServeHTTP(w, r)
		}),
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// First net/http stops accepting requests. Then the WebSocket connections end,
	// which net/http does not know.
	ending, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	if err := web.Shutdown(ending); err != nil {
		return err
	}
	return sockets.Shutdown(ending)
}

// serveRaw serves without net/http: an upgrade at every path, and nothing else.
func serveRaw(ctx context.Context, listener net.Listener, sockets *conn.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- sockets.ServeConns(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	return sockets.Shutdown(ending)
}

// echo sends each message back until the connection ends. The payload is a view of the
// read buffer, which is safe because Write has copied or sent it when it returns.
func echo(ctx context.Context, c *conn.Conn) error {
	return c.Each(ctx, func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) })
}
