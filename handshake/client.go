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

// DialOptions configure Dial. nil and the zero value are right for most.
// Options may be shared by any number of calls, which only read them.
type DialOptions struct {
	// HTTPClient sends the request, so that its proxy, TLS settings, dialer,
	// cookie jar and Timeout (for the handshake alone) are in use. Redirects
	// are followed only if its CheckRedirect is set. An HTTP proxy of an
	// http.Transport is asked for a connection, by CONNECT, for ws as for wss.
	// If it or its Transport is nil, a transport like http.DefaultTransport is
	// used that speaks HTTP/1.1 alone and takes at most 64 KiB and 100 fields
	// of response head.
	HTTPClient *http.Client
	// Header holds further fields of the request, such as Origin, Cookie or
	// Authorization. Those that the handshake writes itself are refused, as
	// are CR, LF and NUL.
	Header http.Header
	// Host is sent as the Host field instead of the URL's host.
	Host string
	// Subprotocols are those that the client speaks, the most preferred first.
	Subprotocols []string
	// Deflate offers permessage-deflate; nil does not.
	Deflate *DeflateOptions
}

// Bounds of what a response costs.
const (
	responseHeadBytes  = 64 << 10
	responseFields     = 100
	responseHeaderTime = 30 * time.Second
	refusalBytes       = 1 << 10
	refusalTime        = time.Second
)

// Dial opens a WebSocket connection as a client (RFC 6455, section 4.1). The
// URL's scheme is ws, wss, http or https. o may be nil.
//
// ctx, and the HTTPClient's Timeout, bound the handshake; afterwards neither
// touches the connection. When a response came that does not open a connection
// the error is a *DialError. The response, if one came, is returned in any case;
// its Body is the first KiB of what was sent and need not be closed.
//
// Result.Conn is the connection that the transport made: for a ws URL a
// *net.TCPConn, for wss a *tls.Conn. With an http.RoundTripper that does not
// tell through httptrace which connection it uses it is one without deadlines.
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

	wrapped bool // the transport is not an http.Transport, but may wrap one

	mu     sync.Mutex
	conn   net.Conn // that of the last request, nil if not known
	asked  string   // where that request went, as httptrace tells it
	target string   // where it should go, "" with TLS
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
		if res.Conn == nil { // an error, or a panic of the body
			body.Close()
		}
	}()
	if err := d.takeOver(ctx, res, body, req.URL.Host); err != nil {
		return nil, resp, err
	}
	return res, resp, nil
}

// timeout returns the user's timeout, which can't be left to the http.Client: it
// would hide the connection behind a body that ends with it.
func (d *dialer) timeout() time.Duration {
	if d.options.HTTPClient == nil {
		return 0
	}
	return d.options.HTTPClient.Timeout
}

// client returns the http.Client to use: a copy of the user's.
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

// trace makes ctx tell us the connection. Traces that it has go on working.
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

// aim tells where the next request is to go.
func (d *dialer) aim(u *url.URL) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.target, d.conn = plainTarget(u), nil
}

// httpScheme returns the scheme that net/http knows a WebSocket URL by.
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

// check tells what is wrong with the options.
func (o *DialOptions) check() error {
	if err := checkHeader(o.Header); err != nil {
		return fmt.Errorf("DialOptions.Header: %w", err)
	}
	if err := checkSubprotocols(o.Subprotocols); err != nil {
		return fmt.Errorf("DialOptions.Subprotocols: %w", err)
	}
	if _, _, ok := splitHost([]byte(o.Host)); o.Host != "" && !ok {
		return fmt.Errorf("DialOptions.Host: %s is no host", quote([]byte(o.Host)))
	}
	if err := o.Deflate.check(); err != nil {
		return fmt.Errorf("DialOptions.Deflate: %w", err)
	}
	return nil
}

// header returns the fields of the request.
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

// refused returns the error for a response that opens no connection. The body
// is replaced by its start. cancel ends the request, should the body trickle.
func refused(resp *http.Response, reason error, cancel context.CancelFunc) error {
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols {
		in := newPump(io.LimitReader(resp.Body, refusalBytes))
		in.setDeadline(time.Now().Add(refusalTime))
		body, _ = io.ReadAll(in)
		in.close()
	}
	defer time.AfterFunc(refusalTime, cancel).Stop() // should Close wait
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return &DialError{Status: resp.StatusCode, Reason: reason.Error(), Body: body}
}
