package handshake

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// notSwitched says what a response with a status other than 101 has, and what can
// be done about it.
func (d *dialer) notSwitched(resp *http.Response) string {
	h, sent := resp.Header, d.options.Header
	if resp.Request != nil { // with what the URL, a redirect or the transport has added
		sent = resp.Request.Header
	}
	var found string
	switch s := resp.StatusCode; {
	case resp.ProtoMajor > 1:
		return "the response came over " + resp.Proto + ", want HTTP/1.1: the transport must not agree on h2"
	case s >= 300 && s < 400 && h.Get("Location") != "":
		return d.redirected(h.Get("Location"))
	case s == http.StatusUnauthorized:
		found = told(h, "WWW-Authenticate") + credentials("Authorization", sent)
	case s == http.StatusForbidden:
		found = credentials("Origin", sent)
	case s == http.StatusProxyAuthRequired:
		found = told(h, "Proxy-Authenticate") + "; a proxy takes credentials from the user information of its URL"
	case s == http.StatusUpgradeRequired:
		found = told(h, "Upgrade") + told(h, "Sec-WebSocket-Version") + `; the request had Upgrade "websocket" and Sec-WebSocket-Version "13"`
	case s >= 200 && s < 300:
		found = told(h, "Content-Type") + "; the Upgrade field of the request was ignored"
	}
	return "the server did not switch protocols, want 101" + found + d.viaProxy()
}

// told returns the values of a field of the response, for an error text; "" if it
// does not have the field.
func told(h http.Header, name string) string {
	v := h.Values(name)
	if len(v) == 0 {
		return ""
	}
	return ", " + name + " is " + quoted(v)
}

// credentials says whether the request had the field that the response is about.
// It shows the value only of Origin, because others may be secret.
func credentials(name string, h http.Header) string {
	v := h.Values(name)
	switch {
	case len(v) == 0:
		return "; the request had no " + name
	case name == "Origin":
		return "; the request had " + name + " " + quoted(v)
	}
	return "; the request had " + name
}

// redirected says where the response redirects to and why Dial did not go there.
func (d *dialer) redirected(location string) string {
	s := "the server redirects to Location " + quote([]byte(location)) + ", want 101"
	if c := d.options.HTTPClient; c != nil && c.CheckRedirect != nil {
		return s + "; HTTPClient.CheckRedirect did not follow it"
	}
	return s + "; it is followed only if HTTPClient.CheckRedirect is set"
}

// viaProxy says so if a request for a ws URL went to another address than the
// URL's. An http.Transport sends such a request to its HTTP proxy, and few proxies
// let an upgrade through. If nothing wraps the http.Transport we ask the proxy for
// a connection instead; see transport.
func (d *dialer) viaProxy() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wrapped || d.conn == nil || d.target == "" || strings.EqualFold(d.asked, d.target) {
		return ""
	}
	return "; the request went to " + quote([]byte(d.asked)) + ", not to " + quote([]byte(d.target)) +
		": an HTTP proxy is asked for a connection to a ws server, by CONNECT, only if HTTPClient.Transport is an *http.Transport and not one that wraps it"
}

// explain adds what is known of the cause to an error of the http.Client.
func (d *dialer) explain(err error) error {
	if s := d.viaProxy(); s != "" {
		return fmt.Errorf("%w%s", err, s)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if t, ok := d.conn.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol == "h2" {
		return fmt.Errorf(`%w; TLS agreed on "h2", want HTTP/1.1: DialTLSContext should leave "h2" out of NextProtos`, err)
	}
	return err
}

// plainTarget returns the host and port of a URL without TLS, in the form that
// httptrace has for them. It returns "" for other URLs, and for those whose host
// is not in ASCII, which httptrace has in another form.
func plainTarget(u *url.URL) string {
	if u.Scheme != "http" || strings.ContainsFunc(u.Host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// errNotWritable returns the error for a 101 whose body can't be written to.
func errNotWritable(body any) error {
	return fmt.Errorf("the transport does not give the connection away: the response's body, a %T, has no Write method", body)
}
