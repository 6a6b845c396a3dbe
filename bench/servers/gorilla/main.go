// Command gorilla serves the report's work with gorilla/websocket: with the
// buffers of net/http, or for many idle connections with its own of 1 KiB and a
// pool for those of writing, as its documentation says; a goroutine of its own,
// so that those of net/http are free.
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
