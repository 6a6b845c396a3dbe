package pipe

import (
	"context"
	"net"
	"sync"
)

// A Listener connects servers and clients in memory. It is a net.Listener for a
// server, and its DialContext fits an http.Transport for the clients.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

// Listen returns a new Listener.
func Listen() *Listener {
	l := &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	return l
}

// Accept implements net.Listener. It waits for a call of DialContext, and returns
// net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections that were handed out stay open.
func (l *Listener) Close() error {
	l.close()
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return addr("a") }

// DialContext waits for a call of Accept and returns the other end of the
// connection that Accept returns. It ignores the network and the address. After
// Close it returns net.ErrClosed.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	server, client := New()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
