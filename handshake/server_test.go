package handshake

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRequirements is RFC 6455, section 4.2.1, item by item, on both paths.
func TestRequirements(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(sample(""), old, new, 1) }
	for _, tt := range []struct {
		name   string
		in     string
		status int // 0: accepted
	}{
		{"good", sample(""), 0},
		{"method", replace("GET", "PUT"), 405},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), 400},
		{"Content-Length", sample("Content-Length: 3\r\n") + "abc", 400},
		{"Content-Length: 0", sample("Content-Length: 0\r\n"), 0},
		{"chunked", sample("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n", 400},
		{"empty Host", replace("Host: example.com", "Host:"), 400},

		{"no Upgrade", without("Upgrade"), 426},
		{"empty Upgrade", replace("Upgrade: websocket", "Upgrade:"), 426},
		{"other Upgrade", replace("Upgrade: websocket", "Upgrade: h2c"), 426},
		{"Upgrade with a version", replace("Upgrade: websocket", "Upgrade: websocket/13"), 426},
		{"Upgrade with more letters", replace("Upgrade: websocket", "Upgrade: websockets"), 426},
		{"Upgrade of another script", replace("Upgrade: websocket", "Upgrade: web\u017Focket"), 426}, // long s folds to s in Unicode
		{"no Connection", without("Connection"), 426},
		{"other Connection", replace("Connection: Upgrade", "Connection: keep-alive"), 426},
		{"Connection with more letters", replace("Connection: Upgrade", "Connection: Upgrades, an-upgrade"), 426},

		{"no version", without("Sec-WebSocket-Version"), 426},
		{"version 8", replace("Version: 13", "Version: 8"), 426},
		{"version 14", replace("Version: 13", "Version: 14"), 426},
		{"version 013", replace("Version: 13", "Version: 013"), 426},
		{"version list", replace("Version: 13", "Version: 13, 8"), 426},
		{"version twice, equal", sample("Sec-WebSocket-Version: 13\r\n"), 400},
		{"version twice, different", sample("Sec-WebSocket-Version: 8\r\n"), 400},
		{"version twice, 13 last", strings.Replace(sample("sec-websocket-version: 13\r\n"), "Version: 13", "Version: 8", 1), 400},

		{"no key", without("Sec-WebSocket-Key"), 400},
		{"empty key", replace(sampleKey, ""), 400},
		{"short key", replace(sampleKey, "dGhlIHNhbXBsZSBub25j"), 400},
		{"long key", replace(sampleKey, "dGhlIHNhbXBsZSBub25jZSE="), 400},
		{"key with a space", replace(sampleKey, "dGhlIHNhbXBs ZSBub25jZQ=="), 400},
		{"key twice, equal", sample("Sec-WebSocket-Key: " + sampleKey + "\r\n"), 400},
		{"key twice, different", sample("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\n"), 400},

		{"origin twice, equal", sample("Origin: http://example.com\r\nOrigin: http://example.com\r\n"), 400},
		{"origin twice, different", sample("Origin: http://example.com\r\nOrigin: http://evil.example\r\n"), 400},

		{"subprotocol is no token", sample("Sec-WebSocket-Protocol: a b\r\n"), 400},
		{"subprotocol quoted", sample("Sec-WebSocket-Protocol: \"a\"\r\n"), 400},
		{"subprotocols empty", sample("Sec-WebSocket-Protocol:\r\n"), 400},
		{"subprotocols all empty", sample("Sec-WebSocket-Protocol: , ,\r\n"), 400},
		{"subprotocols with empty elements", sample("Sec-WebSocket-Protocol: , a,, b\r\n"), 0},
		{"extension malformed", sample("Sec-WebSocket-Extensions: foo bar\r\n"), 400},
		{"extension unknown", sample("Sec-WebSocket-Extensions: foo; bar=1\r\n"), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			acceptBoth(t, tt.in, nil, func(t *testing.T, path string, res *Result, c *memConn, err error) {
				if tt.status == 0 {
					if err != nil || res.Conn != net.Conn(c) || !strings.Contains(c.out.String(), sampleAccept) {
						t.Errorf("%s: %v, response %q", path, err, c.out.String())
					}
					return
				}
				resp := wantRefusal(t, path, c, err, tt.status)
				for name, want := range map[string]bool{
					"Allow":                 tt.status == 405,
					"Upgrade":               tt.status == 426,
					"Sec-Websocket-Version": tt.status == 426 && strings.Contains(err.Error(), "Version"),
				} {
					if got := resp.Header.Get(name) != ""; got != want {
						t.Errorf("%s: refusal with %d has %s: %q", path, tt.status, name, resp.Header.Get(name))
					}
				}
			})
		})
	}
}

// TestKeyOnWire answers keys of every length, on both paths.
func TestKeyOnWire(t *testing.T) {
	for n := range 65 {
		key := strings.Repeat("A", n) + "=="
		acceptBoth(t, strings.Replace(sample(""), sampleKey, key, 1), nil,
			func(t *testing.T, path string, _ *Result, c *memConn, err error) {
				if n == 22 {
					if err != nil {
						t.Errorf("%s: key %q: %v", path, key, err)
					}
					return
				}
				wantRefusal(t, path, c, err, http.StatusBadRequest)
			})
	}
}

func TestSubprotocols(t *testing.T) {
	for _, tt := range []struct {
		ours    []string
		offered string
		want    string
	}{
		{nil, "", ""},
		{nil, "Sec-WebSocket-Protocol: a\r\n", ""},
		{[]string{"a"}, "", ""},
		{[]string{"a"}, "Sec-WebSocket-Protocol: a\r\n", "a"},
		{[]string{"a", "b"}, "Sec-WebSocket-Protocol: b, a\r\n", "a"},
		{[]string{"b", "a"}, "Sec-WebSocket-Protocol: a,b\r\n", "b"},
		{[]string{"a", "b", "c"}, "Sec-WebSocket-Protocol: c\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: b\r\n", "b"},
		{[]string{"a"}, "Sec-WebSocket-Protocol: A\r\n", ""},
		{[]string{"a"}, "Sec-WebSocket-Protocol: aa, ab, ba\r\n", ""},
		{[]string{"a"}, "Sec-WebSocket-Protocol: a, a\r\n", "a"},
		{[]string{"chat.v1+json"}, "Sec-WebSocket-Protocol: chat.v1+json\r\n", "chat.v1+json"},
	} {
		acceptBoth(t, sample(tt.offered), &Options{Subprotocols: tt.ours},
			func(t *testing.T, path string, res *Result, c *memConn, err error) {
				if err != nil || res.Subprotocol != tt.want {
					t.Errorf("%s: ours %q, offered %q: %v, %+v, want %q", path, tt.ours, tt.offered, err, res, tt.want)
					return
				}
				resp, _ := c.response(t)
				want := []string{tt.want}
				if tt.want == "" {
					want = nil
				}
				if got := resp.Header.Values("Sec-WebSocket-Protocol"); !slices.Equal(got, want) {
					t.Errorf("%s: response has the subprotocols %q, want %q", path, got, want)
				}
			})
	}
}

func TestAcceptDeflate(t *testing.T) {
	in := sample("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
	o := &Options{Deflate: &DeflateOptions{ClientMaxWindowBits: 9}}
	acceptBoth(t, in, o, func(t *testing.T, path string, res *Result, c *memConn, err error) {
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if want := (Deflate{true, true, 15, 9}); *res.Deflate != want {
			t.Errorf("%s: terms %+v, want %+v", path, *res.Deflate, want)
		}
		resp, _ := c.response(t)
		const want = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=9"
		if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != want {
			t.Errorf("%s: answer %q, want %q", path, got, want)
		}
	})
}

// TestResponseHeader: the user's fields go out behind ours, in a fixed order.
func TestResponseHeader(t *testing.T) {
	o := &Options{
		Header: http.Header{"X-B": {"1", "2"}, "X-A": {"\ttab"}},
		Before: func(*http.Request) (http.Header, error) {
			return http.Header{"Set-Cookie": {"a=b"}}, nil
		},
	}
	acceptBoth(t, sample(""), o, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
		want := "Sec-WebSocket-Accept: " + sampleAccept + "\r\nX-A: \ttab\r\nX-B: 1\r\nX-B: 2\r\nSet-Cookie: a=b\r\n\r\n"
		if err != nil || !strings.HasSuffix(c.out.String(), want) {
			t.Errorf("%s: %v, response %q, want the end %q", path, err, c.out.String(), want)
		}
	})
}

// badHeaders are what no field may be.
var badHeaders = []http.Header{
	{"X": {"a\r\nY: b"}}, {"X": {"a\nb"}}, {"X": {"a\rb"}}, {"X": {"a\x00b"}}, {"X": {"good", "\x7F"}},
	{"X\r\nY": {"a"}}, {"X:": {"a"}}, {"X Y": {"a"}}, {"": {"a"}}, {"X\x00": {"a"}}, {"\u00E4": {"a"}},
	{"Upgrade": {"h2c"}}, {"connection": {"close"}}, {"Sec-WebSocket-Accept": {"x"}}, {"Sec-Websocket-Protocol": {"x"}},
	{"sec-websocket-extensions": {"x"}}, {"Content-Length": {"1"}}, {"Transfer-Encoding": {"chunked"}}, {"Host": {"x"}},
}

// TestBadOptions: options that can't be meant are refused with 500, and nothing
// of them is sent.
func TestBadOptions(t *testing.T) {
	var options []*Options
	for _, h := range badHeaders {
		options = append(options,
			&Options{Header: h},
			&Options{Before: func(*http.Request) (http.Header, error) { return h, nil }},
			&Options{Before: func(*http.Request) (http.Header, error) { return nil, &Error{Status: 401, Header: h} }})
	}
	for _, p := range [][]string{{""}, {"a b"}, {"a\r\nb"}, {"a,b"}, {"a\x00"}, {"a", "a"}, {"\u00E4"}} {
		options = append(options, &Options{Subprotocols: p})
	}
	options = append(options, &Options{Deflate: &DeflateOptions{ServerMaxWindowBits: 7}})
	for _, status := range []int{0, -1, 101, 200, 600, 1000} {
		options = append(options, &Options{Before: func(*http.Request) (http.Header, error) { return nil, &Error{Status: status} }})
	}
	for _, o := range options {
		acceptBoth(t, sample(""), o, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
			out := bytes.ToLower(bytes.Clone(c.out.Bytes()))
			wantRefusal(t, path, c, err, http.StatusInternalServerError)
			if bytes.Contains(out, []byte("x:")) || bytes.Contains(out, []byte("h2c")) || bytes.Contains(out, []byte("y:")) {
				t.Errorf("%s: options %+v: response %q", path, o, out)
			}
		})
	}
}

// TestBefore: a hook's refusal goes out as it says; other errors stay here.
func TestBefore(t *testing.T) {
	errSecret := errors.New("secret")
	for _, tt := range []struct {
		err    error
		status int
		body   string
		header string
	}{
		{&Error{Status: 401, Reason: "who?", Header: http.Header{"Www-Authenticate": {"Basic"}}, Err: errSecret}, 401, "who?\n", "Basic"},
		{&Error{Status: 429}, 429, "Too Many Requests\n", ""},
		{errSecret, 403, "Forbidden\n", ""},
		{errors.Join(errSecret, &Error{Status: 503, Err: errSecret}), 503, "Service Unavailable\n", ""},
	} {
		o := &Options{Before: func(*http.Request) (http.Header, error) { return nil, tt.err }}
		acceptBoth(t, sample(""), o, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
			if strings.Contains(c.out.String(), "secret") {
				t.Errorf("%s: response %q", path, c.out.String())
			}
			body := c.out.String()[strings.Index(c.out.String(), "\r\n\r\n")+4:]
			resp := wantRefusal(t, path, c, err, tt.status)
			if body != tt.body || resp.Header.Get("WWW-Authenticate") != tt.header {
				t.Errorf("%s: %v gave %q, %v", path, tt.err, body, resp.Header)
			}
			if tt.status != 429 && !errors.Is(err, errSecret) {
				t.Errorf("%s: %v lost its cause", path, err)
			}
		})
	}
}

// TestBeforeIsLast: the hook sees no request that is refused anyway.
func TestBeforeIsLast(t *testing.T) {
	o := &Options{Before: func(*http.Request) (http.Header, error) {
		t.Error("hook was called")
		return nil, nil
	}}
	for _, in := range []string{without("Upgrade"), without("Sec-WebSocket-Key"), sample("Origin: http://evil.example\r\n")} {
		acceptBoth(t, in, o, func(*testing.T, string, *Result, *memConn, error) {})
	}
}

// TestErrorText: the status, the reason and the cause.
func TestErrorText(t *testing.T) {
	e := &Error{Status: 401, Reason: "no token", Err: errors.New("database is away")}
	if got, want := e.Error(), "websocket: accept: 401 Unauthorized: no token: database is away"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestResponseWriterHeader: what middleware has set goes out, but for what is
// ours to say.
func TestResponseWriterHeader(t *testing.T) {
	c := newMemConn("")
	w := newHijackRecorder(c)
	w.Header().Set("Set-Cookie", "a=b")
	w.Header().Set("Connection", "keep-alive")
	w.Header().Set("Content-Length", "7")
	w.Header().Set("Sec-WebSocket-Protocol", "x")
	if _, err := Accept(w, readRequest(t, sample("")), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := c.out.String(), "Sec-WebSocket-Accept: "+sampleAccept+"\r\nSet-Cookie: a=b\r\n\r\n"; !strings.HasSuffix(got, want) {
		t.Errorf("response %q, want the end %q", got, want)
	}
	for _, bad := range []http.Header{{"X": {"a\r\nY: b"}}, {"X Y": {"a"}}} {
		c := newMemConn("")
		w := newHijackRecorder(c)
		maps.Copy(w.Header(), bad)
		_, err := Accept(w, readRequest(t, sample("")), nil)
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusInternalServerError || c.out.Len() > 0 {
			t.Errorf("header %q: %v, %q written", bad, err, c.out.String())
		}
	}
}

// TestTarget: of a request that did not come over the wire, its URL.
func TestTarget(t *testing.T) {
	r := readRequest(t, sample(""))
	r.RequestURI = ""
	res, err := Accept(newHijackRecorder(newMemConn("")), r, nil)
	if err != nil || res.Target != "/chat?x=1" {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestNotHijackable: writers that don't give the connection away.
func TestNotHijackable(t *testing.T) {
	w := httptest.NewRecorder()
	_, err := Accept(w, readRequest(t, sample("")), nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusNotImplemented || w.Code != http.StatusNotImplemented {
		t.Errorf("error %v, status %d", err, w.Code)
	}
	if !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("error %v hides its cause", err)
	}
}

func TestAcceptResponseFails(t *testing.T) {
	c := newMemConn("")
	c.closed = true
	if _, err := Accept(newHijackRecorder(c), readRequest(t, sample("")), nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want %v", err, net.ErrClosed)
	}
}

// TestAcceptAllocs: beyond what taking the connection over costs, one.
func TestAcceptAllocs(t *testing.T) {
	r := readRequest(t, benchRequest)
	c := &replay{}
	var w http.ResponseWriter = fixedHijack{c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), make(http.Header)}
	got := testing.AllocsPerRun(100, func() {
		if _, err := Accept(w, r, nil); err != nil {
			t.Fatal(err)
		}
	})
	if got > 1 && !raceEnabled {
		t.Errorf("%v allocations, want 1", got)
	}
}

// A fixedHijack gives the same connection each time.
type fixedHijack struct {
	nc     net.Conn
	rw     *bufio.ReadWriter
	header http.Header
}

func (w fixedHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.nc, w.rw, nil }
func (w fixedHijack) Header() http.Header                          { return w.header }
func (w fixedHijack) Write(p []byte) (int, error)                  { return len(p), nil }
func (w fixedHijack) WriteHeader(int)                              {}

// echo serves connections that Accept opened: it sends back what comes.
func echo(t *testing.T, o *Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := Accept(w, r, o)
		if err != nil {
			return
		}
		defer res.Conn.Close()
		if _, err := res.Conn.Write(res.Buffered); err != nil {
			t.Error(err)
		}
		io.Copy(res.Conn, res.Conn)
	})
}

// wrapped hides all of a ResponseWriter but for Unwrap.
type wrapped struct{ w http.ResponseWriter }

func (w wrapped) Header() http.Header         { return w.w.Header() }
func (w wrapped) Write(p []byte) (int, error) { return w.w.Write(p) }
func (w wrapped) WriteHeader(status int)      { w.w.WriteHeader(status) }
func (w wrapped) Unwrap() http.ResponseWriter { return w.w }

// TestServer sends a request with a frame glued behind it to a real server, at
// every split, through a wrapped ResponseWriter, with deadlines that must not
// outlive the handshake.
func TestServer(t *testing.T) {
	h := echo(t, nil)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour))
		h.ServeHTTP(wrapped{wrapped{w}}, r)
	}))
	s.Start()
	defer s.Close()
	const frame = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
	in := sample("") + frame
	for cut := range len(in) + 1 {
		nc, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(nc, in[:cut])
		io.WriteString(nc, in[cut:])
		r := bufio.NewReader(nc)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("cut at %d: %v, %+v", cut, err, resp)
		}
		got := make([]byte, len(frame))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != frame {
			t.Fatalf("cut at %d: got %q, %v", cut, got, err)
		}
		nc.Close()
	}
}

// TestBuffered: what net/http has read behind the request comes whole.
func TestBuffered(t *testing.T) {
	w := newHijackRecorder(newMemConn(""))
	w.buffered = "some octets"
	res, err := Accept(w, readRequest(t, sample("")), nil)
	if err != nil || string(res.Buffered) != w.buffered {
		t.Errorf("%v, %+v", err, res)
	}
}

// TestRefusalEndsConnection: behind a refusal no second request is served.
func TestRefusalEndsConnection(t *testing.T) {
	served := 0
	h := echo(t, nil)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served++
		h.ServeHTTP(w, r)
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw := make(chan error, 1)
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_, err = AcceptConn(nc, nil)
			raw <- err
		}
	}()
	defer l.Close()
	refused := []string{without("Upgrade"), without("Sec-WebSocket-Version"), without("Sec-WebSocket-Key"),
		sample("Origin: http://evil.example\r\n"), strings.Replace(sample(""), "GET", "DELETE", 1),
		sample("Content-Length: 3\r\n") + "abc", sample("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"}
	for _, in := range refused {
		for _, addr := range []net.Addr{s.Listener.Addr(), l.Addr()} {
			nc, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(nc, in+sample(""))
			out, err := io.ReadAll(nc)
			if err != nil || bytes.Count(out, []byte("HTTP/1.1 ")) != 1 || bytes.HasPrefix(out, []byte("HTTP/1.1 101")) {
				t.Errorf("%q and a good request: %v, %q", in, err, out)
			}
			nc.Close()
		}
		if e, ok := errors.AsType[*Error](<-raw); !ok {
			t.Errorf("%q: %v", in, e)
		}
	}
	s.Close()
	if served != len(refused) {
		t.Errorf("%d requests served, want %d", served, len(refused))
	}
}

// TestHTTP2: without extended CONNECT there is no way to open a WebSocket
// connection over HTTP/2 (RFC 8441). The other requests of the connection live.
func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := Accept(w, r, nil); err == nil {
			t.Error("accepted over HTTP/2")
		}
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	conns := map[string]bool{}
	client := s.Client()
	dialed := client.Transport.(*http.Transport)
	dialed.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := tls.Dialer{Config: dialed.TLSClientConfig}
		nc, err := d.DialContext(ctx, network, addr)
		if err == nil {
			conns[nc.LocalAddr().String()] = true
		}
		return nc, err
	}
	dialed.TLSClientConfig.NextProtos = []string{"h2"}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusNotImplemented {
			t.Errorf("%s: status %s over %s", method, resp.Status, resp.Proto)
		}
		if resp.Header.Get("Upgrade") != "" || resp.Header.Get("Connection") != "" {
			t.Errorf("%s: header %v", method, resp.Header)
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections, want 1", len(conns))
	}
}
