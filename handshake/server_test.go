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
}

// TestResponseWriterHeaderAsNetHTTP: what middleware has set on a ResponseWriter
// goes out with a 101 as it does with a 200 of net/http's, whatever it is.
func TestResponseWriterHeaderAsNetHTTP(t *testing.T) {
	set := http.Header{
		http.TrailerPrefix + "X-Checksum": {"sum"},
		"X-Break":                         {"a\r\nb: c", "a\nb", "\r\n", "a\rb", " \r\n a\t"},
		"X-Octets":                        {"\xE4\x00\x1B\x7F", "\u00E4\t."},
		"X-Empty":                         {""},
		"X-None":                          nil,
		"x-lower":                         {"1"},
		"X Y":                             {"1"},
		"X:":                              {"1"},
		"X\r\nY":                          {"1"},
		"":                                {"1"},
		"\u00E4":                          {"1"},
		"Content-Type":                    {"text/plain"},
		"Set-Cookie":                      {"a=b", "c=d"},
	}
	fields := func(h http.Handler) []string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			maps.Copy(w.Header(), set)
			w.Header()["Date"] = nil
			h.ServeHTTP(w, r)
		}))
		defer s.Close()
		nc, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		io.WriteString(nc, sample(""))
		var lines []string
		in := bufio.NewReader(nc)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == "\r\n" {
				break
			}
			lines = append(lines, line)
		}
		return lines[1:]
	}
	got := fields(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if res, err := Accept(w, r, nil); err != nil {
			t.Error(err)
		} else {
			res.Conn.Close()
		}
	}))
	ours := []string{"Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Sec-WebSocket-Accept: " + sampleAccept + "\r\n"}
	if !slices.Equal(got[:len(ours)], ours) {
		t.Errorf("response begins %q", got)
	}
	got = got[len(ours):]
	want := slices.DeleteFunc(fields(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})), func(line string) bool {
		return strings.HasPrefix(line, "Transfer-Encoding:") || strings.HasPrefix(line, "Connection:") || strings.HasPrefix(line, "Content-Length:")
	})
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("fields %q, want %q", got, want)
	}
	if len(want) != 12 {
		t.Errorf("net/http sends %q", want)
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
		if _, err := Accept(w, r, unbounded); err != nil {
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

// TestServer sends a request with a frame glued after it to a real server, at
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

// TestBuffered: what net/http has read after the request comes whole, and if that is
// nothing, Buffered is nil.
func TestBuffered(t *testing.T) {
	w := newHijackRecorder(newMemConn(""))
	w.buffered = "some octets"
	res, err := Accept(w, readRequest(t, sample("")), nil)
	if err != nil || string(res.Buffered) != w.buffered {
		t.Errorf("%v, %+v", err, res)
	}
	res, err = Accept(newHijackRecorder(newMemConn("")), readRequest(t, sample("")), nil)
	if err != nil || res.Buffered != nil {
		t.Errorf("nothing was read: %v, %+v", err, res)
	}
}

// TestRefusalEndsConnection: after a refusal no second request is served.
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
