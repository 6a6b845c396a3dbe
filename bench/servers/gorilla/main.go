// Command gorilla serves the report's work with gorilla/websocket. It uses the
// buffers of net/http. For many idle connections it uses read buffers of 1 KiB
// and a pool of write buffers, as the library's documentation recommends. Each
// connection has a new goroutine, so that the goroutine of net/http can end.
package main

import (
	"bytes"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/parleyws/parley/bench/servers/harness"
)

func main() {
	harness.HTTP(func(work harness.Work) http.HandlerFunc {
		var upgrader websocket.Upgrader
		if work.Idle {
			upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferPool: new(sync.Pool)}
		}
		return func(w http.ResponseWriter, r *http.Request) {
			if c, err := upgrader.Upgrade(w, r, nil); err == nil {
				go serve(c, work)
			}
		}
	})
}

func serve(c *websocket.Conn, work harness.Work) {
	defer c.Close()
	defer harness.Ping(func() error {
		return c.WriteControl(websocket.PingMessage, nil, time.Now().Add(10*time.Second))
	})()
	c.SetPongHandler(func(string) error { return c.SetReadDeadline(time.Now().Add(2 * harness.Keepalive)) })
	c.SetReadDeadline(time.Now().Add(2 * harness.Keepalive))
	var message bytes.Buffer
	for {
		kind, r, err := c.NextReader()
		if err != nil {
			return
		}
		message.Reset()
		if _, err := message.ReadFrom(r); err != nil || work.Decode(message.Bytes()) != nil {
			return
		}
		if c.WriteMessage(kind, message.Bytes()) != nil {
			return
		}
	}
}
