package handshake

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/parleyws/parley/internal/pipe"
)

// scripted returns a client whose connections lead, in memory, to serve. The
// function gets the request that was read; the connection is its to close.
func scripted(serve func(nc net.Conn, r *http.Request)) *http.Client {
	t := newTransport(http.DefaultTransport)
	t.Proxy = nil
	t.DialContext = func(context.Context, string, string) (net.Conn, error) {
		a, b := pipe.New()
		go func() {
			r, err := http.ReadRequest(bufio.NewReader(b))
			if err != nil {
				b.Close()
				return
			}
			serve(b, r)
		}()
		return a, nil
	}
	return &http.Client{Transport: t}
}

// answering returns a client whose server answers with the text, in which
// "ACCEPT" stands for what answers the key, and then closes.
func answering(text string) *http.Client {
	return scripted(func(nc net.Conn, r *http.Request) {
		defer nc.Close()
		io.WriteString(nc, strings.ReplaceAll(text, "ACCEPT", acceptOf(r)))
	})
}

// acceptOf returns what answers the request's key.
func acceptOf(r *http.Request) string {
	key := r.Header.Get("Sec-WebSocket-Key")
	if !validKey([]byte(key)) {
		return "no key"
	}
	var in acceptInput
	in.set([]byte(key))
	return string(in.append(nil))
}

// TestDialRequest is what goes over the wire (RFC 6455, section 4.1).
func TestDialRequest(t *testing.T) {
	lines := make(chan []string, 1)
	tr := newTransport(http.DefaultTransport)
	tr.DialContext = func(_ context.Context, _, addr string) (net.Conn, error) {
		if addr != "server.example.com:80" {
			t.Errorf("dialed %q", addr)
		}
		a, b := pipe.New()
		go func() {
			defer b.Close()
			var got []string
			in := bufio.NewScanner(b)
			for in.Scan() && in.Text() != "" {
				got = append(got, in.Text())
			}
			lines <- got
		}()
		return a, nil
	}
	o := &DialOptions{
		HTTPClient:   &http.Client{Transport: tr},
		Header:       http.Header{"Origin": {"http://example.com"}, "User-Agent": {""}},
		Subprotocols: []string{"chat", "superchat"},
		Deflate:      new(DeflateOptions),
	}
	before := o.Header.Clone()
	if _, _, err := Dial(t.Context(), "ws://server.example.com/chat?room=1", o); err == nil {
		t.Error("no error without an answer")
	}
	if !maps.EqualFunc(o.Header, before, slices.Equal) {
		t.Errorf("options' header became %v", o.Header)
	}
	got := <-lines
	var key string
	for i, line := range got {
		if k, ok := strings.CutPrefix(line, "Sec-WebSocket-Key: "); ok {
			key, got[i] = k, "Sec-WebSocket-Key: KEY"
		}
	}
	if !validKey([]byte(key)) {
		t.Errorf("key %q", key)
	}
	if got[0] != "GET /chat?room=1 HTTP/1.1" || got[1] != "Host: server.example.com" {
		t.Errorf("request begins %q", got[:2])
	}
	slices.Sort(got[2:])
	want := []string{
		"Connection: Upgrade",
		"Origin: http://example.com",
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
		"Sec-WebSocket-Key: KEY",
		"Sec-WebSocket-Protocol: chat, superchat",
		"Sec-WebSocket-Version: 13",
		"Upgrade: websocket",
	}
	if !slices.Equal(got[2:], want) {
		t.Errorf("fields %q, want %q", got[2:], want)
	}
}

// TestDialRequestVersion: a RoundTripper sees a request of HTTP/1.1.
func TestDialRequestVersion(t *testing.T) {
	client := &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet || r.Proto != "HTTP/1.1" || !r.ProtoAtLeast(1, 1) || r.ProtoAtLeast(1, 2) {
			t.Errorf("%s of %s, %d.%d", r.Method, r.Proto, r.ProtoMajor, r.ProtoMinor)
		}
		return nil, errConn
	})}
	if _, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client}); !errors.Is(err, errConn) {
		t.Error(err)
	}
}

// TestDialTarget: what a URL can't have is escaped in the target of the request.
func TestDialTarget(t *testing.T) {
	for _, tt := range []struct{ url, target string }{
		{"", "/"},
		{"?", "/?"},
		{"/a b?c=d e", "/a%20b?c=d%20e"},
		{"? ", "/?%20"},
		{"/?name=J\u00FCrgen&x=%20+%C3%BC", "/?name=J%C3%BCrgen&x=%20+%C3%BC"},
		{"/?a=\"<b>\"&c=[d]|{e}'/?:@!$()*,;~", "/?a=%22%3Cb%3E%22&c=[d]|{e}'/?:@!$()*,;~"},
		{"/?\x80\xFF", "/?%80%FF"},
	} {
		var target string
		client := &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			target = r.URL.RequestURI()
			return nil, errConn
		})}
		Dial(t.Context(), "ws://example.com"+tt.url, &DialOptions{HTTPClient: client})
		if target != tt.target {
			t.Errorf("%q: target %q, want %q", tt.url, target, tt.target)
		}
	}
}

// TestDialHost: the Host field is the user's.
func TestDialHost(t *testing.T) {
	hosts := make(chan string, 1)
	client := scripted(func(nc net.Conn, r *http.Request) {
		hosts <- r.Host
		nc.Close()
	})
	Dial(t.Context(), "ws://127.0.0.1:1/", &DialOptions{HTTPClient: client, Host: "example.org:81"})
	if got := <-hosts; got != "example.org:81" {
		t.Errorf("Host: %s", got)
	}
}

// failingTripper fails the test when a request gets to it.
type failingTripper struct{ t *testing.T }

func (f failingTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	f.t.Errorf("request was sent: %s %v", r.URL, r.Header)
	return nil, errors.New("not for sending")
}

// TestDialBadOptions: what can't be meant is an error, and nothing is sent.
func TestDialBadOptions(t *testing.T) {
	client := &http.Client{Transport: failingTripper{t}}
	const good = "ws://example.com/"
	for _, url := range []string{
		"", "example.com", "/path", "ws:", "ws://", "ws:///path", "ftp://example.com/", "WS//x", "wsx://example.com",
		"ws://example.com/#fragment", "ws://example.com/#", "ws://example.com/a\r\nX: y", "ws://example.com/\x00", "ws://example.com/?a\nb",
		"ws://exa\rmple.com/", "ws://example.com:port/", "ws://[::1/", "ws://example.com/%zz", "\x7Fws://example.com",
	} {
		if _, _, err := Dial(t.Context(), url, &DialOptions{HTTPClient: client}); err == nil || !strings.HasPrefix(err.Error(), "websocket: dial: ") {
			t.Errorf("url %q: %v", url, err)
		}
	}
	var options []DialOptions
	for _, h := range badHeaders {
		options = append(options, DialOptions{Header: h})
	}
	for _, p := range [][]string{{""}, {"a b"}, {"a\r\nX: y"}, {"a\x00"}, {"a, b"}, {"a", "b", "a"}} {
		options = append(options, DialOptions{Subprotocols: p})
	}
	for _, h := range []string{"a\r\nX: y", "a\x00", "a b", "a/b", "user@a", "a:b"} {
		options = append(options, DialOptions{Host: h})
	}
	options = append(options, DialOptions{Deflate: &DeflateOptions{ClientMaxWindowBits: 16}})
	for _, o := range options {
		o.HTTPClient = client
		if _, _, err := Dial(t.Context(), good, &o); err == nil {
			t.Errorf("options %+v: no error", o)
		}
	}
}

// TestDialTCP: what comes out is the connection itself, and nothing of the
// handshake has a hold on it.
func TestDialTCP(t *testing.T) {
	handler := echo(t, nil)
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	for _, tt := range []struct {
		url    string
		client *http.Client
		secure bool
	}{
		{strings.Replace(plain.URL, "http", "ws", 1), nil, false},
		{strings.Replace(plain.URL, "http", "WS", 1), new(http.Client), false},
		{plain.URL, &http.Client{Transport: http.DefaultTransport}, false},
		{strings.Replace(secure.URL, "https", "wss", 1), secure.Client(), true},
		{secure.URL, secure.Client(), true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		res, _, err := Dial(ctx, tt.url, &DialOptions{HTTPClient: tt.client})
		if err != nil {
			t.Fatalf("%s: %v", tt.url, err)
		}
		cancel()
		nc := res.Conn
		if tt.secure {
			nc = nc.(*tls.Conn).NetConn()
		}
		if _, ok := nc.(*net.TCPConn); !ok {
			t.Errorf("%s: connection is a %T", tt.url, res.Conn)
		}
		for range 3 {
			got := make([]byte, 5)
			if _, err := io.WriteString(res.Conn, "hello"); err != nil {
				t.Errorf("%s: %v", tt.url, err)
			}
			if _, err := io.ReadFull(res.Conn, got); err != nil || string(got) != "hello" {
				t.Errorf("%s: %q, %v", tt.url, got, err)
			}
		}
		res.Conn.SetReadDeadline(past)
		if _, err := res.Conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: a deadline in the past gives %v", tt.url, err)
		}
		res.Conn.Close()
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestDialRedirect: redirects are followed only if asked to.
func TestDialRedirect(t *testing.T) {
	type hop struct{ host, path, auth, key string }
	hops := make(chan hop, 10)
	client := scripted(func(nc net.Conn, r *http.Request) {
		defer nc.Close()
		hops <- hop{r.Host, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Sec-WebSocket-Key")}
		switch r.URL.Path {
		case "/a":
			io.WriteString(nc, "HTTP/1.1 307 Temporary Redirect\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
		case "/b":
			io.WriteString(nc, "HTTP/1.1 301 Moved Permanently\r\nLocation: ws://other.example/c\r\nContent-Length: 0\r\n\r\n")
		default:
			io.WriteString(nc, strings.ReplaceAll(goodAnswer+"\r\n", "ACCEPT", acceptOf(r)))
			io.Copy(nc, nc)
		}
	})
	o := &DialOptions{HTTPClient: client, Header: http.Header{"Authorization": {"secret"}}}
	_, resp, err := Dial(t.Context(), "ws://example.com/a", o)
	if e, ok := errors.AsType[*DialError](err); !ok || e.Status != 307 || resp.Header.Get("Location") != "/b" {
		t.Fatalf("%v, %+v", err, resp)
	}
	if first := <-hops; len(hops) > 0 || first.path != "/a" {
		t.Errorf("%d more requests", len(hops))
	}

	var seen []string
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		seen = append(seen, r.URL.String())
		return nil
	}
	res, _, err := Dial(t.Context(), "ws://example.com/a", o)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"http://example.com/b", "http://other.example/c"}; !slices.Equal(seen, want) {
		t.Errorf("CheckRedirect saw %q, want %q", seen, want)
	}
	a, b, c := <-hops, <-hops, <-hops
	if a.auth != "secret" || b.auth != "secret" || c != (hop{"other.example", "/c", "", a.key}) {
		t.Errorf("hops %v, %v, %v", a, b, c)
	}
	// What came out is the last connection.
	io.WriteString(res.Conn, "x")
	if n, err := io.ReadFull(res.Conn, make([]byte, 1)); n != 1 {
		t.Error(err)
	}
	res.Conn.Close()

	errStop := errors.New("no further")
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return errStop }
	if _, _, err := Dial(t.Context(), "ws://example.com/a", o); !errors.Is(err, errStop) {
		t.Errorf("error %v, want %v", err, errStop)
	}
}

// TestDialTrace: the user's trace goes on working beside ours.
func TestDialTrace(t *testing.T) {
	var events []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { events = append(events, fmt.Sprintf("conn %v", info.Conn != nil)) },
		GotFirstResponseByte: func() { events = append(events, "response") },
	})
	res, _, err := Dial(ctx, "ws://example.com/", &DialOptions{HTTPClient: answering(goodAnswer + "\r\n")})
	if err != nil {
		t.Fatal(err)
	}
	res.Conn.Close()
	if want := []string{"conn true", "response"}; !slices.Equal(events, want) {
		t.Errorf("events %q, want %q", events, want)
	}
}
