package handshake

import (
	"context"
	"crypto/tls"
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

// newTransport returns a copy of base, if it is of a kind that can be copied,
// with bounds of our own.
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

// onlyHTTP1 makes t speak nothing else.
func onlyHTTP1(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = make(map[string]func(string, *tls.Conn) http.RoundTripper)
	t.ForceAttemptHTTP2 = false
}

// A transport sends the request of a handshake through an http.Transport, and
// does three things that this one does not do for WebSocket. It asks an HTTP
// proxy for a connection to a ws server as to a wss server: what an
// http.Transport does, to hand the proxy the request, few proxies let through.
// It offers the application protocols of the TLS settings, but for h2, where an
// http.Transport offers none. And it speaks HTTP/1.1 even if base does not.
type transport struct{ base *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := t.proxy(r)
	if err != nil {
		return nil, err
	}
	tunnel := proxy != nil && (proxy.Scheme == "http" || proxy.Scheme == "https")
	// Through a SOCKS proxy, and with a TLS dialer of the user's, TLS is base's.
	secure := r.URL.Scheme == "https" && (tunnel || proxy == nil && !dialsTLS(t.base))
	if http1 := t.base.Protocols == nil || t.base.Protocols.HTTP1(); http1 && !tunnel && !secure {
		return t.base.RoundTrip(r)
	}
	through := t.base.Clone()
	onlyHTTP1(through)
	through.DisableKeepAlives = true // nobody else finds what is left over
	dial := t.dial
	if tunnel {
		through.Proxy = nil
		dial = func(ctx context.Context, _, addr string) (net.Conn, error) { return t.connect(ctx, proxy, addr) }
	}
	return newAttempt(through, r, dial, secure).roundTrip()
}

// proxy returns the proxy that base has for a request, nil for none.
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
		return dial(ctx, network, addr)
	}
	//lint:ignore SA1019 it is deprecated and still in use
	if dial := t.base.Dial; dial != nil {
		return dial(network, addr)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// protoHTTP1 is HTTP/1.1 as TLS names it (RFC 7301, section 6).
const protoHTTP1 = "http/1.1"

// tlsClientConfig returns a copy of the settings for a connection to host. Of
// their application protocols h2 is left out; if none is left it is HTTP/1.1.
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
