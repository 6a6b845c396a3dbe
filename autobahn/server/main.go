// Command server is the echo server that the Autobahn suite's client tests.
// It prints the URL on which it listens, and runs until a signal ends it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9001", "`address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on ws://%s\n", listener.Addr())
	if err := serve(ctx, listener); err != nil {
		log.Fatal(err)
	}
}

// serve runs an echo server on listener until ctx ends.
func serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           &conn.Server{Options: options(), Serve: echo},
		ReadHeaderTimeout: 10 * time.Second,
	}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// options accept all that the suite asks for: messages of 16 MiB, and
// permessage-deflate with any parameters, even for the shortest message.
func options() *conn.AcceptOptions {
	return &conn.AcceptOptions{
		Handshake: handshake.Options{
			Deflate: &handshake.DeflateOptions{ServerContextTakeover: true, ClientContextTakeover: true},
		},
		Conn: conn.Options{
			Limits:      conn.Limits{Message: 64 << 20},
			Compression: conn.Compression{MinSize: -1},
		},
	}
}

// echo sends back each message until the connection ends. The suite judges how it
// ends.
func echo(ctx context.Context, c *conn.Conn, _ *http.Request) error {
	return c.Each(ctx, func(m conn.Message) error {
		return c.Write(ctx, m.Type, m.Payload)
	})
}
