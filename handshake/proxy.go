package handshake

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// connect returns a connection to addr through an HTTP proxy, which it asks with
// CONNECT (RFC 6455, section 4.1).
func (t transport) connect(ctx context.Context, proxy *url.URL, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, responseHeaderTime)
	defer cancel()
	nc, err := t.dialProxy(ctx, proxy)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	err = t.ask(ctx, nc, proxy, addr)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return nc, nil
}

// dialProxy returns a connection to the proxy itself.
func (t transport) dialProxy(ctx context.Context, proxy *url.URL) (net.Conn, error) {
	secure := proxy.Scheme == "https"
	port := proxy.Port()
	switch {
	case port == "" && secure:
		port = "443"
	case port == "":
		port = "80"
	}
	addr := net.JoinHostPort(proxy.Hostname(), port)
	if secure && dialsTLS(t.base) {
		return t.dialTLS(ctx, "tcp", addr)
	}
	nc, err := t.dial(ctx, "tcp", addr)
	if err != nil || !secure {
		return nc, err
	}
	config := tlsClientConfig(t.base.TLSClientConfig, proxy.Hostname())
	config.NextProtos = []string{protoHTTP1}
	c := tls.Client(nc, config)
	if err := c.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// ask sends CONNECT (RFC 9110, section 9.3.6) and reads the answer.
func (t transport) ask(ctx context.Context, nc net.Conn, proxy *url.URL, addr string) error {
	header := t.base.ProxyConnectHeader
	if get := t.base.GetProxyConnectHeader; get != nil {
		var err error
		if header, err = get(ctx, proxy, addr); err != nil {
			return err
		}
	}
	if header = header.Clone(); header == nil {
		header = make(http.Header)
	}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: header}
	if err := r.Write(nc); err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(nc, responseHeadBytes))
	resp, err := http.ReadResponse(in, r)
	if err != nil {
		return err
	}
	if told := t.base.OnProxyConnectResponse; told != nil {
		if err := told(ctx, proxy, r, resp); err != nil {
			return err
		}
	}
	switch {
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("CONNECT %s was answered with %s, want 2xx%s", addr, quote([]byte(resp.Status)), told(resp.Header, "Proxy-Authenticate"))
	case in.Buffered() > 0: // the server can't have sent anything yet
		return fmt.Errorf("%d bytes after the answer to CONNECT %s, want none", in.Buffered(), addr)
	}
	return nil
}
