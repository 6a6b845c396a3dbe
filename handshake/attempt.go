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

// An attempt is one request through an http.Transport of its own, over a
// connection that we dial. It does two things that net/http does not:
//
//   - If the request fails, the attempt ends the dialing and the TLS handshake.
//     net/http would go on, in case another request can use the connection.
//   - It bounds the TLS handshake by TLSHandshakeTimeout. net/http does not apply
//     that to a DialTLSContext.
type attempt struct {
	transport *http.Transport
	request   *http.Request
	dial      dialFunc
	ctx       context.Context // ends when roundTrip returns
	cancel    context.CancelFunc

	mu      sync.Mutex
	keep    func() bool // stops ctx from closing the connection; nil before there is one
	timer   *time.Timer // of the TLS handshake; nil before it starts
	expired bool        // the timer has ended the handshake
}

// newAttempt returns an attempt to send r through t. If secure is set TLS is ours,
// and otherwise t's.
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

// roundTrip sends the request and returns the response.
func (a *attempt) roundTrip() (*http.Response, error) {
	defer a.cancel()
	resp, err := a.transport.RoundTrip(a.request)
	a.handshakeDone()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.keep != nil {
		a.keep()
	}
	if err != nil {
		err = a.reason(err)
	}
	return resp, err
}

// reason returns why the attempt failed. net/http may see that its connection was closed before it
// sees that the request has ended, which is why.
func (a *attempt) reason(err error) error {
	if a.expired {
		return fmt.Errorf("TLS handshake not done after %v: %w", a.transport.TLSHandshakeTimeout, os.ErrDeadlineExceeded)
	}
	if ended := context.Cause(a.request.Context()); ended != nil {
		return ended
	}
	return err
}

// connect dials. The end of the request ends the dialing, and is then the error: what
// dial sees is a ctx of ours that is canceled.
func (a *attempt) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.ctx, cancel)()
	nc, err := a.dial(ctx, network, addr)
	if err != nil {
		if ended := context.Cause(a.ctx); ended != nil {
			err = ended
		}
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep = context.AfterFunc(a.ctx, func() { nc.Close() })
	return nc, nil
}

// dialTLS returns a connection with TLS. net/http does the TLS handshake, so that
// traces see it.
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

// expire ends a TLS handshake that takes too long.
func (a *attempt) expire() {
	a.mu.Lock()
	a.expired = true
	a.mu.Unlock()
	a.cancel()
}

// handshakeDone stops the timer of the TLS handshake.
func (a *attempt) handshakeDone() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
}
