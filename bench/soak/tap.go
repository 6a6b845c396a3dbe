package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// A tap holds the sockets of one client, so that they can be cut under it.
type tap struct {
	mu    sync.Mutex
	dead  bool // no new ones are opened
	conns []*net.TCPConn
}

var errDead = errors.New("soak: the client was killed")

// transport returns a transport whose connections the tap knows.
func (t *tap) transport() *http.Transport {
	return &http.Transport{DialContext: t.dial, MaxIdleConnsPerHost: 2, DisableCompression: true}
}

func (t *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		nc.Close()
		return nil, errDead
	}
	t.conns = append(t.conns, nc.(*net.TCPConn))
	return nc, nil
}

// kill does to each socket what the way says, and returns when all are closed. The client
// can't open others.
func (t *tap) kill(do func(*net.TCPConn)) {
	t.mu.Lock()
	conns := t.conns
	t.conns, t.dead = nil, true
	t.mu.Unlock()
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() { do(c) })
	}
	all.Wait()
}

// reset cuts what there is. The client may open other sockets.
func (t *tap) reset() {
	t.mu.Lock()
	conns := t.conns
	t.conns = nil
	t.mu.Unlock()
	for _, c := range conns {
		c.SetLinger(0)
		c.Close()
	}
}

// steal returns a socket of its own for the connection of c, or nil if c is closed, and takes
// it away from the client: the peer sees nothing of that.
func steal(c *net.TCPConn) *net.TCPConn {
	f, err := c.File()
	c.Close()
	if err != nil {
		return nil
	}
	defer f.Close()
	stolen, err := net.FileConn(f)
	if err != nil {
		return nil
	}
	return stolen.(*net.TCPConn)
}

// discard reads until the peer ends the stream, for as long as patience at most.
func discard(c *net.TCPConn) {
	c.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 4<<10)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// patience is how long a killed connection is held. A server that has heard nothing for 45 s
// gives it up before.
const patience = 50 * time.Second
