// Command server is the echo server that the Autobahn suite's client tests.
// It prints the URL on which it listens, and runs until a signal ends it. A loop serves all
// connections where there is one for the system, unless -goroutines is given.
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
	goroutines := flag.Bool("goroutines", false, "serve each connection on a goroutine, and none on a loop")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on ws://%s\n", listener.Addr())
	if err := serve(ctx, listener, shell(*goroutines)); err != nil {
		log.Fatal(err)
	}
}

// shell returns what serves the connections: a loop all of them, or none.
func shell(goroutines bool) *conn.Loop {
	if goroutines {
		return &conn.Loop{After: -1}
	}
	return &conn.Loop{}
}

// serve runs an echo server on listener until ctx ends.
func serve(ctx context.Context, listener net.Listener, loop *conn.Loop) error {
	o := options()
	o.Conn.Loop = loop
	server := &http.Server{
		Handler:           &conn.Server{Options: o, Handle: echo},
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

// echo returns what sends back each message. The suite judges how a connection ends.
func echo(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
	return func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) }
}
