package pipe

import (
	"context"
	"net"
	"sync"
)

// A Listener hands out connections in memory: a net.Listener for a server, and
// the DialContext of an http.Transport for its clients.
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

// Accept implements net.Listener. It waits for a call of DialContext.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections that were handed out stay.
func (l *Listener) Close() error {
	l.close()
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return addr("a") }

// DialContext returns the other end of a connection that Accept returns. The
// network and the address are not looked at.
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
