// Command gws serves the report's work with lxzan/gws. It checks UTF-8, as
// Parley does. For many idle connections its read buffers have 1 KiB.
package main

import (
	"net/http"
	"time"

	"github.com/lxzan/gws"
	"github.com/parleyws/parley/bench/servers/harness"
)

func main() {
	harness.HTTP(func(work harness.Work) http.HandlerFunc {
		o := &gws.ServerOption{CheckUtf8Enabled: true}
		if work.Idle {
			o.ReadBufferSize = 1024
		}
		if work.Takeover {
			o.PermessageDeflate = gws.PermessageDeflate{
				Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true,
				ServerMaxWindowBits: 15, ClientMaxWindowBits: 15,
			}
		}
		upgrader := gws.NewUpgrader(&handler{work: work}, o)
		return func(w http.ResponseWriter, r *http.Request) {
			if c, err := upgrader.Upgrade(w, r); err == nil {
				go c.ReadLoop()
			}
		}
	})
}

type handler struct {
	gws.BuiltinEventHandler
	work harness.Work
}

func (*handler) OnOpen(c *gws.Conn) {
	c.SetReadDeadline(time.Now().Add(2 * harness.Keepalive))
	harness.Ping(func() error { return c.WritePing(nil) })
}

func (*handler) OnPong(c *gws.Conn, _ []byte) {
	c.SetReadDeadline(time.Now().Add(2 * harness.Keepalive))
}

func (h *handler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if h.work.Decode(m.Bytes()) == nil {
		c.WriteMessage(m.Opcode, m.Bytes())
	}
}
