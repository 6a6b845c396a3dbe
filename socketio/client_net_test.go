package socketio_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/parleyws/parley/socketio"
)

// errNoNetwork is the error of dialing while a network is down.
var errNoNetwork = errors.New("no network")

// A network is what lies between a client and a site. It can be cut.
type network struct {
	dialContext func(context.Context, string, string) (net.Conn, error)

	mu    sync.Mutex
	down  bool
	conns []net.Conn
	cuts  int // so far
	dials int // also those that fail
}

// network returns a network to the site, and an HTTP client that uses it.
func (s *site) network() (*network, *http.Client) {
	n := &network{dialContext: s.http.Transport.(*http.Transport).DialContext}
	transport := &http.Transport{DialContext: n.dial, DisableCompression: true}
	s.t.Cleanup(transport.CloseIdleConnections)
	return n, &http.Client{Transport: transport}
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	down, cuts := n.down, n.cuts
	n.mu.Unlock()
	if down {
		return nil, errNoNetwork
	}
	c, err := n.dialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cuts > cuts { // it was cut while it was dialed
		c.Close()
		return nil, errNoNetwork
	}
	n.conns = append(n.conns, c)
	return c, nil
}

// dialed returns how often it was dialed.
func (n *network) dialed() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// cut ends all connections. While the network is down there are no new ones.
func (n *network) cut(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	n.cuts++
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

// up lets connections pass again.
func (n *network) up() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

// tellLife makes c write what happens into d.
func tellLife(c *socketio.Client, d *diary) {
	c.OnConnect(func() { d.add("connect recovered=%t", c.Recovered()) })
	c.OnDisconnect(func(r socketio.Reason, _ error) { d.add("disconnect: %v", r) })
	c.OnConnectError(func(err error) {
		if refused, ok := errors.AsType[*socketio.ConnectError](err); ok {
			d.add("refused: %s %s", refused.Message, refused.Data)
		} else {
			d.add("failed")
		}
	})
	c.OnReconnectAttempt(func(n int) { d.add("attempt %d", n) })
	c.OnReconnect(func(n int) { d.add("reconnect %d", n) })
	c.OnReconnectFailed(func() { d.add("given up") })
}
