package handshake

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// defaultTransport is the transport for clients that bring none.
var defaultTransport = sync.OnceValue(func() *http.Transport {
	return newTransport(http.DefaultTransport)
})

// newTransport returns a copy of base with our own bounds. If base can't be copied
// it returns a new transport with them.
func newTransport(base http.RoundTripper) *http.Transport {
	t, ok := base.(*http.Transport)
	if ok {
		t = t.Clone()
	} else {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	onlyHTTP1(t)
	t.MaxResponseHeaderBytes = responseHeadBytes
	t.ResponseHeaderTimeout = responseHeaderTime
	t.DisableCompression = true
	t.DisableKeepAlives = true // a connection that was refused is of no use
	return t
}

// onlyHTTP1 makes t speak HTTP/1.1 and nothing else.
func onlyHTTP1(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = make(map[string]func(string, *tls.Conn) http.RoundTripper)
	t.ForceAttemptHTTP2 = false
}

// A transport sends the request of a handshake through an http.Transport. It does
// three things that an http.Transport does not do for a WebSocket request:
//
//   - It asks an HTTP proxy for a connection to a ws server, as to a wss server.
//     An http.Transport sends the request itself to the proxy, and few proxies let
//     an upgrade through.
//   - It offers the application protocols of the TLS settings, without h2. An
//     http.Transport offers none.
//   - It speaks HTTP/1.1 even if the Protocols of the http.Transport do not
//     include that.
type transport struct{ base *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := t.proxy(r)
	if err != nil {
		return nil, err
	}
	tunnel := proxy != nil && (proxy.Scheme == "http" || proxy.Scheme == "https")
	// With a SOCKS proxy, or a TLS dialer of its own, base does the TLS.
	secure := r.URL.Scheme == "https" && (tunnel || proxy == nil && !dialsTLS(t.base))
	if http1 := t.base.Protocols == nil || t.base.Protocols.HTTP1(); http1 && !tunnel && !secure {
		return t.base.RoundTrip(r)
	}
	through := t.base.Clone()
	onlyHTTP1(through)
	through.DisableKeepAlives = true // no other request uses this copy
	dial := t.dial
	if tunnel {
		through.Proxy = nil
		dial = func(ctx context.Context, _, addr string) (net.Conn, error) { return t.connect(ctx, proxy, addr) }
	}
	return newAttempt(through, r, dial, secure).roundTrip()
}

// proxy returns base's proxy for a request, nil for none.
func (t transport) proxy(r *http.Request) (*url.URL, error) {
	if t.base.Proxy == nil {
		return nil, nil
	}
	return t.base.Proxy(r)
}

// dialsTLS reports whether t has a dialer of its own for TLS.
func dialsTLS(t *http.Transport) bool {
	//lint:ignore SA1019 it is deprecated and still in use
	return t.DialTLSContext != nil || t.DialTLS != nil
}

// dial connects as base does.
func (t transport) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if dial := t.base.DialContext; dial != nil {
		return dialed(dial(ctx, network, addr))
	}
	//lint:ignore SA1019 it is deprecated and still in use
	if dial := t.base.Dial; dial != nil {
		return dialed(dial(network, addr))
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// dialTLS connects as base does with a dialer of its own for TLS.
func (t transport) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	if dial := t.base.DialTLSContext; dial != nil {
		return dialed(dial(ctx, network, addr))
	}
	//lint:ignore SA1019 it is deprecated and still in use
	return dialed(t.base.DialTLS(network, addr))
}

var errNoConn = errors.New("the dialer has returned neither a connection nor an error")

// dialed is what a user's dialer has returned, which may be nothing by mistake.
func dialed(nc net.Conn, err error) (net.Conn, error) {
	if nc == nil && err == nil {
		return nil, errNoConn
	}
	return nc, err
}

// protoHTTP1 is HTTP/1.1 as TLS names it (RFC 7301, section 6).
const protoHTTP1 = "http/1.1"

// tlsClientConfig returns a copy of the settings, for a connection to host. Of the
// application protocols it leaves out h2, and if none remains it has HTTP/1.1.
func tlsClientConfig(given *tls.Config, host string) *tls.Config {
	config := given.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	config.NextProtos = slices.DeleteFunc(slices.Clone(config.NextProtos), func(p string) bool { return p == "h2" })
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{protoHTTP1}
	}
	return config
}
