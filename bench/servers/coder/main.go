// Command coder serves the report's work with coder/websocket.
package main

import (
	"bytes"
	"context"
	"net/http"

	"github.com/coder/websocket"
	"github.com/parleyws/parley/bench/servers/harness"
)

func main() {
	harness.HTTP(func(work harness.Work) http.HandlerFunc {
		o := &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled}
		if work.Takeover {
			o.CompressionMode, o.CompressionThreshold = websocket.CompressionContextTakeover, 1
		}
		return func(w http.ResponseWriter, r *http.Request) {
			if c, err := websocket.Accept(w, r, o); err == nil {
				go serve(c, work)
			}
		}
	})
}

func serve(c *websocket.Conn, work harness.Work) {
	defer c.CloseNow()
	ctx := context.Background()
	defer harness.Ping(func() error { return c.Ping(ctx) })()
	c.SetReadLimit(-1)
	var message bytes.Buffer
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		message.Reset()
		if _, err := message.ReadFrom(r); err != nil || work.Decode(message.Bytes()) != nil {
			return
		}
		if c.Write(ctx, kind, message.Bytes()) != nil {
			return
		}
	}
}
