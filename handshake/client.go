package handshake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"
)

// DialOptions configure Dial. Most clients need none: nil and the zero value offer
// no subprotocol and no compression. Options may be shared by any number of
// calls, which only read them.
type DialOptions struct {
	// HTTPClient sends the request, with its proxy, TLS settings, dialer,
	// cookie jar and Timeout, which bounds the handshake alone. It follows a
	// redirect only if its CheckRedirect is set. If it or its Transport is nil,
	// Dial uses a transport like http.DefaultTransport that waits at most 30 s for
	// the head of the response, and accepts at most 64 KiB and 100 fields of it.
	//
	// Where the Transport is an *http.Transport, and not a type that wraps one,
	// the request goes over HTTP/1.1 whatever the transport's Protocols are. An
	// HTTP proxy is asked for a connection to a ws server as to a wss server,
	// with CONNECT. TLS offers the application protocols of TLSClientConfig,
	// without h2, or else http/1.1; only with a SOCKS proxy, or a DialTLSContext
	// of the transport's own, does it offer what net/http does.
	HTTPClient *http.Client
	// Header holds further fields of the request, such as Origin, Cookie or
	// Authorization. Fields that the handshake sets itself are an error, as are
	// control characters.
	Header http.Header
	// Host is sent in the Host field instead of the URL's host.
	Host string
	// Subprotocols are the subprotocols that the client speaks, the most
	// preferred first.
	Subprotocols []string
	// Deflate offers permessage-deflate; nil offers none.
	Deflate *DeflateOptions
}

// Bounds of what a response can cost.
const (
	responseHeadBytes  = 64 << 10
	responseFields     = 100
	responseHeaderTime = 30 * time.Second
	refusalBytes       = 1 << 10
	refusalTime        = time.Second
)

// Dial opens a WebSocket connection as a client (RFC 6455, section 4.1). The
// URL's scheme is ws, wss, http or https; what its path and query can't have is
// escaped, as browsers do. o may be nil.
//
// ctx and the HTTPClient's Timeout bound the handshake. They have no effect on
// the connection afterwards. If a response comes that does not open a connection,
// the error is a *DialError. If any response came, Dial returns it, along with an
// error too; its Body is then at most the first KiB of what the server sent, and
// need not be closed.
//
// Result.Conn is the connection that an http.Transport made: a *net.TCPConn for a
// ws URL, a *tls.Conn for wss. In three cases it is a net.Conn over the
// response's body instead: if the transport wraps the body, as instrumentation
// does; if it does not tell its connection through httptrace; and if the
// connection ignores its deadlines, which Dial takes 100 ms to find out. All
// bytes then pass through the body, and Close closes it. Read deadlines work, at
// the cost of a goroutine while a read waits; write deadlines are those of the
// connection, or else return os.ErrNoDeadline.
func Dial(ctx context.Context, url string, o *DialOptions) (*Result, *http.Response, error) {
	if o == nil {
		o = new(DialOptions)
	}
	d := dialer{options: o}
	res, resp, err := d.dial(ctx, url)
	if err != nil {
		if _, ok := errors.AsType[*DialError](err); !ok {
			err = fmt.Errorf("websocket: dial: %w", err)
		}
		return nil, resp, err
	}
	return res, resp, nil
}

// A dialer is one call of Dial.
type dialer struct {
	options *DialOptions
	key     string
	ours    bool // the transport is defaultTransport
	wrapped bool // the transport is not an *http.Transport, but may wrap one

	// The transport's goroutines set these, through httptrace.
	mu     sync.Mutex
	conn   net.Conn // the connection of the last request, nil if not known
	asked  string   // the address that the last request went to
	target string   // the address that it should go to, "" with TLS
}

func (d *dialer) dial(ctx context.Context, rawURL string) (*Result, *http.Response, error) {
	client := d.client()
	if t := d.timeout(); t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := d.request(d.trace(ctx), rawURL)
	if err != nil {
		return nil, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, d.explain(err)
	}
	res, err := d.check(resp)
	if err != nil {
		return nil, resp, refused(resp, err, cancel)
	}
	body, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return nil, resp, refused(resp, errNotWritable(resp.Body), cancel)
	}
	resp.Body = http.NoBody
	defer func() {
		if res.Conn == nil { // an error, or a panic of the body's methods
			body.Close()
		}
	}()
	if err := d.takeOver(ctx, res, body, req.URL.Host); err != nil {
		return nil, resp, err
	}
	return res, resp, nil
}

// timeout returns the timeout of the caller's client, 0 for none. It can't be left
// to the http.Client, which would wrap the body of the response for it.
func (d *dialer) timeout() time.Duration {
	if d.options.HTTPClient == nil {
		return 0
	}
	return d.options.HTTPClient.Timeout
}

// client returns the http.Client to use, a copy of the caller's.
func (d *dialer) client() *http.Client {
	var c http.Client
	if d.options.HTTPClient != nil {
		c = *d.options.HTTPClient
	}
	c.Timeout = 0
	if c.Transport == nil {
		c.Transport = defaultTransport()
		d.ours = true
	}
	t, ok := c.Transport.(*http.Transport)
	if d.wrapped = !ok; ok {
		c.Transport = transport{t}
	}
	ask := c.CheckRedirect
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if ask == nil {
			return http.ErrUseLastResponse
		}
		req.URL.Scheme = httpScheme(req.URL.Scheme)
		err := ask(req, via)
		if err == nil {
			d.aim(req.URL)
		}
		return err
	}
	return &c
}

// trace returns a ctx that tells d the connection. Traces that ctx has already
// keep working.
func (d *dialer) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(hostPort string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.asked = hostPort
		},
		GotConn: func(info httptrace.GotConnInfo) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.conn = info.Conn
		},
	})
}

// aim notes where the next request should go.
func (d *dialer) aim(u *url.URL) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.target, d.conn = plainTarget(u), nil
}

// httpScheme returns the scheme that net/http has for a WebSocket URL.
func httpScheme(scheme string) string {
	switch scheme {
	case "ws":
		return "http"
	case "wss":
		return "https"
	}
	return scheme
}

// request returns the request to send (RFC 6455, section 4.1).
func (d *dialer) request(ctx context.Context, rawURL string) (*http.Request, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	given := u.Redacted()
	switch u.Scheme = httpScheme(u.Scheme); {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q is none of ws, wss, http, https", u.Scheme)
	case u.Host == "":
		return nil, fmt.Errorf("URL %q has no host", given)
	case u.Fragment != "" || strings.HasSuffix(rawURL, "#"): // RFC 6455, section 3
		return nil, fmt.Errorf("URL has the fragment %q, want none", u.Fragment)
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	d.aim(u)
	if err := d.options.check(); err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: http.MethodGet, URL: u, Host: d.options.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: d.header(),
	}).WithContext(ctx)
	return req, nil
}

// escapeQuery escapes the bytes that a query can't have (RFC 3986, section 3.4),
// as browsers do. net/url escapes a path but leaves a query as it is given, and a
// space in it would end the target of the request.
func escapeQuery(q string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(q) {
		if c := q[i]; c <= ' ' || c >= 0x7F || strings.IndexByte("\"<>", c) >= 0 {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Check reports what Dial refuses before it sends anything: what is wrong with the
// options or with url, or nil if both are right. o may be nil. A program that dials
// again after an error calls Check first, because such an error stays.
func (o *DialOptions) Check(url string) error {
	if o == nil {
		o = new(DialOptions)
	}
	d := dialer{options: o}
	if _, err := d.request(context.Background(), url); err != nil {
		return fmt.Errorf("websocket: %w", err)
	}
	return nil
}

// check reports what is wrong with the options.
func (o *DialOptions) check() error {
	if err := checkHeader(o.Header); err != nil {
		return fmt.Errorf("DialOptions.Header: %w", err)
	}
	if err := checkSubprotocols(o.Subprotocols); err != nil {
		return fmt.Errorf("DialOptions.Subprotocols: %w", err)
	}
	if _, _, ok := splitHost([]byte(o.Host)); o.Host != "" && !ok {
		return fmt.Errorf("DialOptions.Host: %s is not a host", quote([]byte(o.Host)))
	}
	if err := o.Deflate.check(); err != nil {
		return fmt.Errorf("DialOptions.Deflate: %w", err)
	}
	return nil
}

// header returns the header of the request.
func (d *dialer) header() http.Header {
	h := d.options.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	d.key = newKey()
	h.Set(fieldUpgrade, "websocket")
	h.Set(fieldConnection, "Upgrade")
	h["Sec-WebSocket-Key"] = []string{d.key}
	h["Sec-WebSocket-Version"] = []string{"13"}
	if p := d.options.Subprotocols; len(p) > 0 {
		h["Sec-WebSocket-Protocol"] = []string{strings.Join(p, ", ")}
	}
	if o := d.options.Deflate; o != nil {
		h["Sec-WebSocket-Extensions"] = []string{string(o.offer().append(nil))}
	}
	return h
}

// refused returns the error for a response that opens no connection, and replaces
// the body by its start. cancel ends the request if closing the body takes long.
func refused(resp *http.Response, reason error, cancel context.CancelFunc) error {
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols {
		in := newPump(io.LimitReader(resp.Body, refusalBytes))
		in.setDeadline(time.Now().Add(refusalTime))
		body, _ = io.ReadAll(in)
		in.close()
	}
	defer time.AfterFunc(refusalTime, cancel).Stop()
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return &DialError{Status: resp.StatusCode, Reason: reason.Error(), Body: body}
}
