// Command nbio serves the report's work with lesismal/nbio, which has an event
// loop and no goroutine for each connection.
package main

import (
	"net"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/parleyws/parley/bench/servers/harness"
)

func main() {
	logging.SetLevel(logging.LevelNone)
	harness.Run(func(l net.Listener, work harness.Work) error {
		upgrader := websocket.NewUpgrader()
		upgrader.KeepaliveTime = 2 * harness.Keepalive
		upgrader.OnOpen(func(c *websocket.Conn) {
			harness.Ping(func() error { return c.WriteMessage(websocket.PingMessage, nil) })
		})
		upgrader.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, p []byte) {
			if work.Decode(p) == nil {
				c.WriteMessage(kind, p)
			}
		})
		engine := nbhttp.NewEngine(nbhttp.Config{
			Network:                 "tcp",
			Addrs:                   []string{l.Addr().String()},
			Listen:                  func(string, string) (net.Listener, error) { return l, nil },
			ReleaseWebsocketPayload: true,
			Handler:                 http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { upgrader.Upgrade(w, r, nil) }),
		})
		if err := engine.Start(); err != nil {
			return err
		}
		select {}
	})
}
