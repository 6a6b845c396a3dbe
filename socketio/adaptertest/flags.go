package adaptertest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/parleyws/parley/socketio"
)

// testVolatile emits to a client on long-polling that has no request waiting: what is
// volatile is dropped. Clients on WebSocket get it.
func testVolatile(c *cluster) {
	c.standard()
	n := c.nodes[0]
	connected := make(chan *socketio.Socket, 1)
	n.io.OnConnect(func(s *socketio.Socket) { connected <- s })
	p := &poller{c: c, web: &http.Client{Transport: &http.Transport{DialContext: n.net.DialContext}}}
	defer p.web.CloseIdleConnections()
	p.query = "?EIO=4&transport=polling"
	p.query += "&sid=" + strings.Split(p.do("GET", ""), `"`)[3]
	p.do("POST", "40")
	s := <-connected
	p.do("GET", "") // the answer to CONNECT
	c.ok(s.Join("A"))
	sender := c.nodes[1].io
	// A client on WebSocket is left out, too, if the event before is not quite sent: so nothing
	// else is emitted meanwhile.
	eventually(c.T, c.patience, "a volatile event", func() error {
		c.ok(sender.To("A").Volatile().Emit("volatile"))
		for _, cl := range c.clients {
			if in("A")(cl) && len(cl.seen()) == 0 {
				return fmt.Errorf("%s has got none", cl.name)
			}
		}
		return nil
	})
	c.ok(sender.To("A").Emit("lasting"))
	c.settle()
	for _, cl := range c.clients {
		cl.forget()
	}
	got := p.do("GET", "")
	if !strings.Contains(got, `2["lasting"`) || strings.Contains(got, "volatile") {
		c.Errorf("a client with no request waiting gets %q", got)
	}
	s.Disconnect(true)
	<-s.Context().Done()
}

// A poller is a client on long-polling that speaks raw payloads.
type poller struct {
	c     *cluster
	web   *http.Client
	query string
}

func (p *poller) do(method, body string) string {
	p.c.Helper()
	ctx, cancel := p.c.ctx()
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://example.com/socket.io/"+p.query, strings.NewReader(body))
	p.c.ok(err)
	response, err := p.web.Do(r)
	p.c.ok(err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	p.c.ok(err)
	if response.StatusCode != http.StatusOK {
		p.c.Fatalf("%s: %s %s", method, response.Status, b)
	}
	return string(b)
}

// testCompress sends what can be compressed well, and counts what comes.
func testCompress(c *cluster) {
	c.standard()
	const size = 100_000
	for _, on := range []bool{true, false, true} {
		before := make(map[*client]int64)
		for _, cl := range c.clients {
			before[cl] = cl.bytes.Load()
		}
		want := wants{}
		for i, to := range []socketio.Emitter{c.nodes[0].io.To("A"), c.nodes[1].io.To("B")} {
			c.ok(to.Compress(on).Emit("long", i, text(size)))
			want.add(line("long", i, text(size)), c.names(in([]string{"A", "B"}[i]))...)
		}
		c.want(want)
		for _, cl := range c.clients {
			if got := cl.bytes.Load() - before[cl]; (got < size) != on {
				c.Errorf("%s of %s has got %d bytes for %d, with compression: %v", cl.name, cl.node.name, got, size, on)
			}
		}
	}
}

// background is a ctx that doesn't end.
var background = context.Background()
