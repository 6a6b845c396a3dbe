package handshake

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"time"
)

// A dialFunc connects to an address.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// An attempt is one request through an http.Transport that is made for it, over
// a connection that we dial. What net/http leaves to itself when a request
// fails, in the hope that another could use the connection, ends with it here:
// the dialing and the TLS handshake. This one is also bounded as
// http.Transport.TLSHandshakeTimeout says, which net/http does not do where it
// did not dial.
type attempt struct {
	transport *http.Transport
	request   *http.Request
	dial      dialFunc
	ctx       context.Context // ends when the request has failed
	cancel    context.CancelFunc

	mu      sync.Mutex
	keep    func() bool // lets the connection live when ctx ends; nil: there is none yet
	timer   *time.Timer // of the TLS handshake under way
	expired bool        // that timer
}

// newAttempt returns an attempt to send r through t, with TLS if secure is set
// and otherwise as t does it.
func newAttempt(t *http.Transport, r *http.Request, dial dialFunc, secure bool) *attempt {
	a := &attempt{transport: t, dial: dial}
	a.ctx, a.cancel = context.WithCancel(r.Context())
	a.request = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		TLSHandshakeDone: func(tls.ConnectionState, error) { a.handshakeDone() },
	}))
	if secure {
		t.DialTLSContext = a.dialTLS
	}
	t.DialContext = a.connect
	return a
}

func (a *attempt) roundTrip() (*http.Response, error) {
	defer a.cancel()
	resp, err := a.transport.RoundTrip(a.request)
	a.handshakeDone()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.keep != nil {
		a.keep()
	}
	if err != nil && a.expired {
		err = fmt.Errorf("TLS handshake not done after %v: %w", a.transport.TLSHandshakeTimeout, os.ErrDeadlineExceeded)
	}
	return resp, err
}

// connect dials, until the request fails.
func (a *attempt) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.ctx, cancel)()
	nc, err := a.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep = context.AfterFunc(a.ctx, func() { nc.Close() })
	return nc, nil
}

// dialTLS returns a connection whose TLS handshake net/http will do.
func (a *attempt) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := a.connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if limit := a.transport.TLSHandshakeTimeout; limit > 0 {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.timer = time.AfterFunc(limit, a.expire)
	}
	host, _, _ := net.SplitHostPort(addr)
	return tls.Client(nc, tlsClientConfig(a.transport.TLSClientConfig, host)), nil
}

// expire ends a TLS handshake that has taken too long.
func (a *attempt) expire() {
	a.mu.Lock()
	a.expired = true
	a.mu.Unlock()
	a.cancel()
}

// handshakeDone ends the time of the TLS handshake.
func (a *attempt) handshakeDone() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
}
