package handshake

import (
	"bufio"
	"bytes"
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
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/octetwise"
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
	return string(appendAccept(nil, [keyLen]byte([]byte(key))))
}

// goodAnswer is a 101 without the empty line at its end.
const goodAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"

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

// TestDialAnswers is RFC 6455, section 4.1, on the server's response.
func TestDialAnswers(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(goodAnswer, old, new, 1) + "\r\n" }
	chat := &DialOptions{Subprotocols: []string{"a", "b"}}
	fields := func(n int) string { return goodAnswer + strings.Repeat("X: y\r\n", n-3) + "\r\n" }
	for _, tt := range []struct {
		name    string
		options *DialOptions
		answer  string
		ok      bool
	}{
		{"good", nil, goodAnswer + "\r\n", true},
		{"letters of any case", nil, strings.NewReplacer("Upgrade", "UPGRADE", "websocket", "WebSocket", "Connection", "connection").Replace(goodAnswer) + "\r\n", true},
		{"Connection is a list", nil, replace("Connection: Upgrade", "Connection: keep-alive,upgrade"), true},
		{"no Upgrade", nil, replace("Upgrade: websocket\r\n", ""), false},
		{"other Upgrade", nil, replace("websocket", "h2c"), false},
		{"Upgrade is a list", nil, replace("websocket", "websocket, h2c"), false},
		{"Upgrade twice", nil, replace("Connection", "Upgrade: websocket\r\nConnection"), false},
		{"no Connection", nil, replace("Connection: Upgrade\r\n", ""), false},
		{"other Connection", nil, replace("Connection: Upgrade", "Connection: close"), false},
		{"no Accept", nil, replace("Sec-WebSocket-Accept: ACCEPT\r\n", ""), false},
		{"wrong Accept", nil, replace("ACCEPT", sampleAccept), false},
		{"Accept with more", nil, replace("ACCEPT", "ACCEPTx"), false},
		{"Accept twice", nil, replace("Connection", "Sec-WebSocket-Accept: ACCEPT\r\nConnection"), false},
		{"subprotocol", chat, goodAnswer + "Sec-WebSocket-Protocol: b\r\n\r\n", true},
		{"subprotocol not offered", chat, goodAnswer + "Sec-WebSocket-Protocol: c\r\n\r\n", false},
		{"subprotocol in other letters", chat, goodAnswer + "Sec-WebSocket-Protocol: B\r\n\r\n", false},
		{"subprotocol list", chat, goodAnswer + "Sec-WebSocket-Protocol: a, b\r\n\r\n", false},
		{"subprotocol twice", chat, goodAnswer + "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n", false},
		{"subprotocol empty", chat, goodAnswer + "Sec-WebSocket-Protocol:\r\n\r\n", false},
		{"subprotocol, none offered", nil, goodAnswer + "Sec-WebSocket-Protocol: a\r\n\r\n", false},
		{"extension not offered", nil, goodAnswer + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", false},
		{"extension unknown", &DialOptions{Deflate: new(DeflateOptions)}, goodAnswer + "Sec-WebSocket-Extensions: foo\r\n\r\n", false},
		{"100 fields", nil, fields(100), true},
		{"200", nil, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
		{"no HTTP", nil, "SSH-2.0-x\r\n", false},
		{"nothing", nil, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o DialOptions
			if tt.options != nil {
				o = *tt.options
			}
			o.HTTPClient = answering(tt.answer)
			res, resp, err := Dial(t.Context(), "ws://example.com/", &o)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				if resp.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") == "" {
					t.Errorf("response %+v, result %+v", resp, res)
				}
				if want := resp.Header.Get("Sec-WebSocket-Protocol"); res.Subprotocol != want {
					t.Errorf("subprotocol %q, want %q", res.Subprotocol, want)
				}
				res.Conn.Close()
				return
			}
			if e, ok := errors.AsType[*DialError](err); ok != (resp != nil) || ok && e.Status != resp.StatusCode {
				t.Errorf("error %v, response %+v", err, resp)
			}
		})
	}
}

// TestDialGlued: octets behind the 101 are kept, however they arrive.
func TestDialGlued(t *testing.T) {
	const frames = "\x81\x05Hello\x89\x00"
	full := strings.ReplaceAll(goodAnswer, "ACCEPT", sampleAccept) + "\r\n" + frames // in length
	for cut := range len(full) + 1 {
		for _, cutter := range []func(net.Conn) net.Conn{func(nc net.Conn) net.Conn { return nc }, octetwise.New} {
			client := scripted(func(nc net.Conn, r *http.Request) {
				defer nc.Close()
				nc = cutter(nc)
				out := strings.ReplaceAll(full, sampleAccept, acceptOf(r))
				io.WriteString(nc, out[:cut])
				io.WriteString(nc, out[cut:])
			})
			res, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			rest, err := io.ReadAll(res.Conn)
			if got := string(res.Buffered) + string(rest); got != frames || err != nil {
				t.Errorf("cut at %d: %q, %v behind the response, want %q", cut, got, err, frames)
			}
			res.Conn.Close()
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

// TestDialRefused: the error tells the status, and with the response comes the
// start of its body.
func TestDialRefused(t *testing.T) {
	for _, size := range []int{0, 10, 1023, 1024, 1025, 1 << 20} {
		body := strings.Repeat("b", size)
		client := answering(fmt.Sprintf("HTTP/1.1 403 Forbidden\r\nX: y\r\nContent-Length: %d\r\n\r\n%s", size, body))
		res, resp, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
		e, ok := errors.AsType[*DialError](err)
		if res != nil || !ok || e.Status != 403 || resp.StatusCode != 403 || resp.Header.Get("X") != "y" {
			t.Fatalf("body of %d octets: %v, %v, %v", size, res, resp, err)
		}
		if want := "websocket: dial: 403 Forbidden: the server did not switch protocols"; e.Error() != want {
			t.Errorf("error %q, want %q", e, want)
		}
		want := body[:min(size, 1024)]
		got, err := io.ReadAll(resp.Body)
		if string(got) != want || string(e.Body) != want || err != nil {
			t.Errorf("body of %d octets: got %d and %d, %v", size, len(got), len(e.Body), err)
		}
	}
}

// TestDialSlowBody: a body that trickles holds nobody up.
func TestDialSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := scripted(func(nc net.Conn, _ *http.Request) {
			defer nc.Close()
			io.WriteString(nc, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nsome")
			io.Copy(io.Discard, nc)
		})
		start := time.Now()
		_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
		e, ok := errors.AsType[*DialError](err)
		if took := time.Since(start); !ok || string(e.Body) != "some" || took != refusalTime {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// endless repeats a text for ever.
type endless struct {
	text string
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[e.n%len(e.text)]
		e.n++
	}
	return len(p), nil
}

// TestDialEndlessHead: a response head without end costs under 1 MiB.
func TestDialEndlessHead(t *testing.T) {
	for _, text := range []string{"X: y\r\n", "x"} {
		sent := make(chan int64, 1)
		client := scripted(func(nc net.Conn, r *http.Request) {
			defer nc.Close()
			io.WriteString(nc, strings.ReplaceAll(goodAnswer, "ACCEPT", acceptOf(r)))
			n, _ := io.Copy(nc, &endless{text: text})
			sent <- n
		})
		// Octets are taken from a pipe that holds little.
		tr := client.Transport.(*http.Transport)
		dial := tr.DialContext
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			a, b := net.Pipe()
			nc, err := dial(ctx, network, addr)
			go func() {
				defer nc.Close()
				defer b.Close()
				go io.Copy(nc, b)
				io.Copy(b, nc)
			}()
			return a, err
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "65536") {
			t.Errorf("error %v", err)
		}
		<-sent
		// The pipe itself holds 1 MiB.
		if cost := after.TotalAlloc - before.TotalAlloc; cost > 4<<20 {
			t.Errorf("%d octets allocated", cost)
		}
	}
}

// TestDialFields: our own transport takes 100 fields, a given one what it takes.
func TestDialFields(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := Accept(w, r, &Options{Header: http.Header{"X": slices.Repeat([]string{"y"}, 98)}})
		if err != nil {
			t.Error(err)
			return
		}
		res.Conn.Close()
	}))
	defer s.Close()
	res, resp, err := Dial(t.Context(), s.URL, nil)
	if e, ok := errors.AsType[*DialError](err); res != nil || resp == nil || !ok || e.Status != http.StatusSwitchingProtocols {
		t.Errorf("101 fields: %v, %v", res, err)
	}
	res, _, err = Dial(t.Context(), s.URL, &DialOptions{HTTPClient: s.Client()})
	if err != nil {
		t.Fatalf("101 fields, own client: %v", err)
	}
	res.Conn.Close()
}

// TestDialTimeout: the client's timeout and ctx end the handshake, and only it.
func TestDialTimeout(t *testing.T) {
	const second = time.Second
	for _, tt := range []struct {
		name         string
		timeout, ctx time.Duration
		answer       time.Duration
		want         time.Duration // when Dial fails; 0: it does not
	}{
		{"timeout", second, 0, time.Hour, second},
		{"ctx", 0, second, time.Hour, second},
		{"the earlier", 3 * second, 2 * second, time.Hour, 2 * second},
		{"in time", 2 * second, 3 * second, second, 0},
		{"our own transport's", 0, 0, time.Hour, responseHeaderTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := scripted(func(nc net.Conn, r *http.Request) {
					defer nc.Close()
					gone := make(chan struct{})
					got := make(chan byte, 1)
					go func() {
						defer close(gone)
						b := make([]byte, 1)
						for {
							if _, err := nc.Read(b); err != nil {
								return
							}
							got <- b[0]
						}
					}()
					select {
					case <-gone:
						return
					case <-time.After(tt.answer):
					}
					io.WriteString(nc, strings.ReplaceAll(goodAnswer+"\r\n", "ACCEPT", acceptOf(r)))
					b := []byte{<-got}
					<-time.After(time.Hour)
					nc.Write(b)
					<-gone
				})
				client.Timeout = tt.timeout
				ctx := t.Context()
				if tt.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.ctx)
					defer cancel()
				}
				start := time.Now()
				res, _, err := Dial(ctx, "ws://example.com/", &DialOptions{HTTPClient: client})
				if tt.want > 0 {
					if took := time.Since(start); err == nil || took != tt.want {
						t.Errorf("%v after %v, want %v", err, took, tt.want)
					}
					if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) {
						t.Errorf("error %v hides %v", err, ctxErr)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := res.Conn.Write([]byte("x")); err != nil {
					t.Error(err)
				}
				b := make([]byte, 1)
				if _, err := res.Conn.Read(b); err != nil || b[0] != 'x' {
					t.Errorf("an hour later: %q, %v", b, err)
				}
				res.Conn.Close()
			})
		})
	}
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

// TestNewTransport: ours is a copy that speaks HTTP/1.1 alone.
func TestNewTransport(t *testing.T) {
	base := &http.Transport{MaxConnsPerHost: 3, ForceAttemptHTTP2: true}
	got := newTransport(base)
	if got == base || got.MaxConnsPerHost != 3 || got.Protocols.HTTP2() || got.MaxResponseHeaderBytes != 64<<10 {
		t.Errorf("copy is %+v", got)
	}
	if base.Protocols != nil || base.MaxResponseHeaderBytes != 0 {
		t.Errorf("original became %+v", base)
	}
	if got := newTransport(failingTripper{t}); got.Proxy == nil || got.MaxResponseHeaderBytes != 64<<10 {
		t.Errorf("without a base %+v", got)
	}
}

// tripper is a function as an http.RoundTripper.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// stranger answers requests itself, with the body given.
func stranger(body io.ReadCloser, trace net.Conn) *http.Client {
	return &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		if trace != nil {
			httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{Conn: trace})
		}
		return &http.Response{
			StatusCode: http.StatusSwitchingProtocols,
			Header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
				"Sec-Websocket-Accept": {acceptOf(asSent(r))}},
			Body: body,
		}, nil
	})}
}

// asSent returns the request as a server reads it.
func asSent(r *http.Request) *http.Request {
	var b bytes.Buffer
	r.Write(&b)
	sent, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		return r
	}
	return sent
}

// A plainBody is a body that can be written to, and no more.
type plainBody struct{ io.ReadWriteCloser }

// TestDialStranger: a RoundTripper that tells no connection, or one without
// deadlines, gives a connection without deadlines.
func TestDialStranger(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		body                 func(nc net.Conn) io.ReadCloser
		trace                func(nc net.Conn) net.Conn
		local, remote        string
		closeWrite, deadline bool
	}{
		{
			"unknown", func(nc net.Conn) io.ReadCloser { return plainBody{nc} }, func(net.Conn) net.Conn { return nil },
			"", "example.com:81", false, false,
		},
		{
			"without deadlines", func(nc net.Conn) io.ReadCloser { return nc.(io.ReadCloser) },
			func(nc net.Conn) net.Conn { return noDeadlines{nc} },
			"a", "b", true, false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pipe.New()
			defer b.Close()
			o := &DialOptions{HTTPClient: stranger(tt.body(a), tt.trace(a))}
			res, _, err := Dial(t.Context(), "ws://example.com:81/", o)
			if err != nil {
				t.Fatal(err)
			}
			nc := res.Conn
			if l, r := nc.LocalAddr(), nc.RemoteAddr(); l.String() != tt.local || r.String() != tt.remote || l.Network() == "" {
				t.Errorf("addresses %q and %q", l, r)
			}
			for _, err := range []error{nc.SetDeadline(past), nc.SetReadDeadline(past), nc.SetWriteDeadline(past)} {
				if !errors.Is(err, os.ErrNoDeadline) {
					t.Errorf("deadline: %v", err)
				}
			}
			io.WriteString(nc, "there")
			io.WriteString(b, "back")
			for _, end := range []struct {
				r    io.Reader
				want string
			}{{b, "there"}, {nc, "back"}} {
				got := make([]byte, len(end.want))
				if _, err := io.ReadFull(end.r, got); err != nil || string(got) != end.want {
					t.Errorf("%q, %v, want %q", got, err, end.want)
				}
			}
			if err := nc.(interface{ CloseWrite() error }).CloseWrite(); (err == nil) != tt.closeWrite {
				t.Errorf("CloseWrite: %v", err)
			}
			if err := nc.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDialNoConnection: a response that gives no connection away.
func TestDialNoConnection(t *testing.T) {
	o := &DialOptions{HTTPClient: stranger(io.NopCloser(strings.NewReader("x")), nil)}
	_, resp, err := Dial(t.Context(), "ws://example.com/", o)
	if e, ok := errors.AsType[*DialError](err); !ok || e.Status != http.StatusSwitchingProtocols || resp == nil {
		t.Errorf("%v, %v", resp, err)
	}
}

// deafConn takes deadlines and does not heed them.
type deafConn struct{ net.Conn }

func (deafConn) SetDeadline(time.Time) error     { return nil }
func (deafConn) SetReadDeadline(time.Time) error { return nil }

// TestDialDeaf: ctx ends the wait for a connection that does not heed deadlines.
func TestDialDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer b.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, _, err := Dial(ctx, "ws://example.com/", &DialOptions{HTTPClient: stranger(deafConn{a}, deafConn{a})})
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if _, err := b.Write([]byte("x")); err == nil {
			t.Error("connection left open")
		}
	})
}

// TestDrain: what reading the buffer may come upon.
func TestDrain(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	for _, tt := range []struct {
		name string
		in   io.Reader
		want string
		err  error
	}{
		{"nothing", iotest.ErrReader(os.ErrDeadlineExceeded), "", nil},
		{"something", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(os.ErrDeadlineExceeded)), "x", nil},
		{"more than one read", io.MultiReader(strings.NewReader(long), iotest.ErrReader(os.ErrDeadlineExceeded)), long, nil},
		{"something, then the end", strings.NewReader("x"), "x", nil},
		{"the end", strings.NewReader(""), "", io.EOF},
		{"an error", iotest.ErrReader(errConn), "", errConn},
	} {
		got, err := drain(tt.in)
		if string(got) != tt.want || err != tt.err {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}
