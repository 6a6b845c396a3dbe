// Command xnet serves the report's work with golang.org/x/net/websocket.
package main

import (
	"net/http"

	"github.com/parleyws/parley/bench/servers/harness"
	"golang.org/x/net/websocket"
)

func main() {
	harness.HTTP(func(work harness.Work) http.HandlerFunc {
		server := websocket.Server{Handler: func(c *websocket.Conn) {
			c.MaxPayloadBytes = 2 << 20
			var message []byte
			for websocket.Message.Receive(c, &message) == nil && work.Decode(message) == nil {
				if websocket.Message.Send(c, message) != nil {
					return
				}
			}
		}}
		return server.ServeHTTP
	})
}
