package engineio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/handshake"
)

// A web sends the requests of one Client.
type web struct {
	o   *DialOptions // resolved
	url url.URL      // of the server, without the parameters of the protocol
	jar http.CookieJar

	polling *http.Client    // of long-polling; nil: the session opens over WebSocket
	own     *http.Transport // of polling; nil: it is the user's
}

// responseHead is how many bytes of a response's head our own transport accepts.
const responseHead = 64 << 10

// newWeb judges the URL of a server.
func newWeb(rawURL string, o *DialOptions) (*web, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, withoutURL(err)
	}
	switch u.Scheme {
	case "http", "https":
	case "ws", "wss":
		u.Scheme = "http" + strings.TrimPrefix(u.Scheme, "ws")
	default:
		return nil, fmt.Errorf("scheme %q is none of http, https, ws, wss", u.Scheme)
	}
	switch {
	case u.Host == "":
		return nil, errors.New("URL has no host")
	case u.Fragment != "":
		return nil, fmt.Errorf("URL has the fragment %q, want none", u.Fragment)
	case u.Path == "":
		u.Path = defaultPath
	}
	if _, err := url.Parse(u.String()); err != nil { // as requests have it: the rules for http are stricter than those for ws
		return nil, withoutURL(err)
	}
	w := &web{o: o, url: *u, jar: o.HTTPClient.Jar}
	if w.jar == nil {
		w.jar, _ = cookiejar.New(nil) // it never fails
	}
	return w, nil
}

// preparePolling makes what requests of long-polling need. A session that opens over
// WebSocket does without.
func (w *web) preparePolling() {
	transport := w.o.HTTPClient.Transport
	if transport == nil {
		w.own = ownTransport()
		transport = w.own
	}
	w.polling = &http.Client{Transport: once{transport}, Jar: w.jar, CheckRedirect: w.redirect}
}

// once sends each request once. A http.Transport sends a GET again if its connection ends
// before an answer has come; but the server may have given its answer, with messages in it
// that nobody would miss then. It does so with no request that has a body.
type once struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t once) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		r = r.WithContext(r.Context()) // a copy
		r.Body, r.GetBody = io.NopCloser(strings.NewReader("")), nil
	}
	return t.RoundTripper.RoundTrip(r)
}

// ownTransport returns a transport for a user who brings none.
func ownTransport() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if ok {
		t = t.Clone()
	} else {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	t.MaxResponseHeaderBytes = responseHead
	return t
}

// release lets go of what requests of long-polling needed, when none is under way, and
// returns what closes the connections of our own transport. It closes idle connections of the
// user's transport as well if the session ends with err because the server was silent: what
// lies between may have forgotten them, and each one would cost the next session the time that
// opening may take. The returned function may call the user's code. Called with the Client's
// mu held.
func (w *web) release(err error) (closeIdle func()) {
	own := w.own
	w.polling, w.own = nil, nil
	silent := errors.Is(err, os.ErrDeadlineExceeded) // and not the caller's ctx, which says nothing of the server
	switch {
	case own != nil:
		return own.CloseIdleConnections
	case silent && w.o.HTTPClient.Transport != nil:
		return w.o.HTTPClient.CloseIdleConnections
	}
	return func() {}
}

// target returns the URL of a request. An empty sid opens a session.
func (w *web) target(transport, sid string) string {
	u := w.url
	q := u.Query()
	q.Set("EIO", "4")
	q.Set("transport", transport)
	q.Del("sid")
	if sid != "" {
		q.Set("sid", sid)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// redirect is the CheckRedirect of all requests.
func (w *web) redirect(r *http.Request, via []*http.Request) error {
	ask := w.o.HTTPClient.CheckRedirect
	if ask == nil || r.Method != via[0].Method { // a POST would lose its body
		return http.ErrUseLastResponse
	}
	strange := origin(r.URL) != origin(via[0].URL)
	for _, before := range via { // one that has been elsewhere and comes back, too
		strange = strange || origin(before.URL) != origin(via[0].URL)
	}
	if strange {
		for name := range w.o.Header {
			r.Header.Del(name)
		}
		for _, name := range [...]string{"Authorization", "Cookie", "Referer"} { // Referer has the query, and the sid in it
			r.Header.Del(name)
		}
	}
	return ask(r, via)
}

// origin returns the scheme, host and port of a URL.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" && u.Scheme == "https" {
		port = "443"
	} else if port == "" {
		port = "80"
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// get sends a GET and returns the body of the response, which is text.
func (w *web) get(ctx context.Context, sid string) ([]byte, error) {
	return w.do(ctx, http.MethodGet, sid, nil, w.o.Limits.MaxPayload)
}

// post sends a POST. What the body of the response says has no meaning.
func (w *web) post(ctx context.Context, sid string, body []byte, limit time.Duration) error {
	if t := w.o.HTTPClient.Timeout; t > 0 {
		limit = min(limit, t)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errPostTime)
	defer cancel()
	_, err := w.do(ctx, http.MethodPost, sid, body, excerptBytes)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil
	}
	return err
}

// do sends a request of long-polling and returns the body of the response, of most
// bytes at most.
func (w *web) do(ctx context.Context, method, sid string, body []byte, most int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, w.target(pollingName, sid), bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	maps.Copy(r.Header, w.o.Header)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", packet.V4.Text.ContentType)
	}
	resp, err := w.polling.Do(r)
	if err != nil {
		return nil, fmt.Errorf("engine.io: %s: %w", method, ended(ctx, withoutURL(err)))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		start, _ := readAll(http.MaxBytesReader(nil, resp.Body, excerptBytes), resp.ContentLength)
		return nil, responseError(method, resp.StatusCode, start, wantedOK(resp))
	}
	b, err := readAll(http.MaxBytesReader(nil, resp.Body, most), resp.ContentLength)
	if err != nil {
		err = fmt.Errorf("engine.io: the body of the response to a %s: %w", method, ended(ctx, err))
	}
	return b, err
}

// wantedOK says what is wrong with the status of a response.
func wantedOK(resp *http.Response) string {
	if resp.StatusCode/100 == 3 && resp.Header.Get("Location") != "" {
		return "a redirect, which is followed only if CheckRedirect of DialOptions.HTTPClient is set, and never by another method"
	}
	return "want 200"
}

// handshake returns the options of a WebSocket's handshake.
func (w *web) handshake() handshake.DialOptions {
	client := &http.Client{Transport: w.o.HTTPClient.Transport, Jar: w.jar}
	if w.o.HTTPClient.CheckRedirect != nil {
		client.CheckRedirect = w.redirect
	}
	return handshake.DialOptions{HTTPClient: client, Header: w.o.Header, Deflate: w.o.Deflate}
}

// dial opens a WebSocket. It may take until ctx ends.
func (w *web) dial(ctx context.Context, sid string) (*conn.Conn, error) {
	l := &w.o.Limits
	c, _, err := conn.Dial(ctx, w.target(websocketName, sid), &conn.DialOptions{
		Handshake: w.handshake(),
		Conn:      connOptions(l.MaxPayload, l.QueueBytes, nil),
	})
	if err != nil {
		return nil, refusedUpgrade(ended(ctx, withoutURL(err)))
	}
	return c, nil
}

// ended returns the error of ctx if that has ended, or else err.
func ended(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case ctx.Err() == nil:
		return err
	case cause == errOpenTime, cause == errPostTime:
		return cause
	}
	return ctx.Err()
}

// withoutURL returns what a *url.Error wraps: its URL has the session's id in it, and
// may have what only the server should know.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
