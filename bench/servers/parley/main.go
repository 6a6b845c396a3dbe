// Command parley serves the report's work with Parley.
package main

import (
	"context"
	"net/http"

	"github.com/parleyws/parley/bench/servers/harness"
	"github.com/parleyws/parley/codec/klauspost"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

func main() {
	harness.HTTP(func(work harness.Work) http.HandlerFunc {
		message := func(ctx context.Context, c *conn.Conn, m conn.Message) error {
			if err := work.Decode(m.Payload); err != nil {
				return err
			}
			return c.Write(ctx, m.Type, m.Payload)
		}
		server := &conn.Server{Options: options(work)}
		if work.Idle && work.JSON { // decoding grows the stack; Handle gives it back
			server.Handle = func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
				return func(m conn.Message) error { return message(ctx, c, m) }
			}
		} else {
			server.Serve = func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
				return c.Each(ctx, func(m conn.Message) error { return message(ctx, c, m) })
			}
		}
		return server.ServeHTTP
	})
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
