// Command parley serves the report's work with Parley. All connections are
// served by Handle, which the event loop can call as well as a goroutine.
package main

import (
	"context"
	"flag"
	"net"
	"net/http"

	"github.com/parleyws/parley/bench/servers/harness"
	"github.com/parleyws/parley/bench/servers/shell"
	"github.com/parleyws/parley/codec/klauspost"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

func main() {
	name := shell.Flag()
	raw := flag.Bool("raw", false, "serve connections without net/http")
	obeys := flag.Bool("orders", false, "obey messages such as \"sleep 50ms\" and \"burn 1ms\" before they are sent back")
	harness.Run(func(l net.Listener, work harness.Work) error {
		server := &conn.Server{Options: options(work), Handle: echo}
		server.Options.Conn.Loop = shell.Of(*name)
		switch {
		case *obeys:
			server.Handle = obey
		case work.JSON:
			server.Handle = decode
		}
		if *raw {
			return server.ServeConns(l)
		}
		s := &http.Server{Handler: server}
		return s.Serve(l)
	})
}

// echo sends each message back.
func echo(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
	return func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) }
}

// decode decodes each message as JSON, and sends it back.
func decode(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
	return func(m conn.Message) error {
		if err := (harness.Work{JSON: true}).Decode(m.Payload); err != nil {
			return err
		}
		return c.Write(ctx, m.Type, m.Payload)
	}
}

func options(work harness.Work) *conn.AcceptOptions {
	o := new(conn.AcceptOptions)
	if work.Takeover {
		o.Handshake.Deflate = &handshake.DeflateOptions{ServerContextTakeover: true, ClientContextTakeover: true}
		o.Conn.Compression.MinSize = -1
	}
	if work.Klauspost {
		o.Conn.Compression.Codec = klauspost.Codec{}
	}
	return o
}
