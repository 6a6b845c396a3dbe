package handshake

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// A proxy passes connections on: CONNECT, and requests with a target in
// absolute form.
type proxy struct {
	mu   sync.Mutex
	seen []string // first word and host of each request
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	out, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer out.Close()
	in, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer in.Close()
	if r.Method == http.MethodConnect {
		io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
	} else {
		b := bufio.NewWriter(out)
		r.Header.Del("Proxy-Authorization")
		io.WriteString(b, "GET "+r.URL.RequestURI()+" HTTP/1.1\r\nHost: "+r.Host+"\r\n")
		r.Header.Write(b)
		io.WriteString(b, "\r\n")
		b.Flush()
	}
	go func() {
		io.Copy(out, rw)
		out.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(in, out)
}

// TestProxy goes to a ws and a wss server by way of a proxy, which has TLS or not.
func TestProxy(t *testing.T) {
	t.Run("http", func(t *testing.T) { testProxy(t, httptest.NewServer) })
	t.Run("https", func(t *testing.T) { testProxy(t, httptest.NewTLSServer) })
}

func testProxy(t *testing.T, serve func(http.Handler) *httptest.Server) {
	handler := echo(t, nil)
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	p := new(proxy)
	ps := serve(p)
	defer ps.Close()
	through, err := url.Parse(strings.Replace(ps.URL, "://", "://user:secret@", 1))
	if err != nil {
		t.Fatal(err)
	}
	tr := newTransport(secure.Client().Transport)
	tr.Proxy = http.ProxyURL(through)
	for _, u := range []string{plain.URL, secure.URL} {
		res, _, err := Dial(t.Context(), strings.Replace(u, "http", "ws", 1), &DialOptions{HTTPClient: &http.Client{Transport: tr}})
		if err != nil {
			t.Fatalf("%s: %v", u, err)
		}
		got := make([]byte, 5)
		io.WriteString(res.Conn, "hello")
		if _, err := io.ReadFull(res.Conn, got); err != nil || string(got) != "hello" {
			t.Errorf("%s: %q, %v", u, got, err)
		}
		res.Conn.Close()
	}
	const auth = " Basic dXNlcjpzZWNyZXQ="
	want := []string{"CONNECT " + plain.Listener.Addr().String() + auth, "CONNECT " + secure.Listener.Addr().String() + auth}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.seen, want) {
		t.Errorf("proxy saw %q, want %q", p.seen, want)
	}
}

// proxied returns a client whose proxy, in memory, is behave, which gets the
// request that was read.
func proxied(proxyURL string, behave func(nc net.Conn, in *bufio.Reader, r *http.Request)) (*http.Client, *http.Transport) {
	c := scripted(nil)
	tr := c.Transport.(*http.Transport)
	tr.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxyURL) }
	tr.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
		if addr != "proxy.example.com:80" {
			return nil, errors.New("dialed " + addr)
		}
		a, b := pipe.New()
		go func() {
			in := bufio.NewReader(b)
			if r, err := http.ReadRequest(in); err == nil {
				behave(b, in, r)
			}
			b.Close()
		}()
		return a, nil
	}
	return c, tr
}

// TestProxyRequest is CONNECT as it is sent (RFC 9110, section 9.3.6), with the header
// that the transport has for it or gets for it, and the handshake after it; any 2xx
// opens the way.
func TestProxyRequest(t *testing.T) {
	header := http.Header{"X-Team": {"red"}}
	for _, tt := range []struct {
		name, answer string
		set          func(tr *http.Transport)
	}{
		{"header", "204 Go on", func(tr *http.Transport) { tr.ProxyConnectHeader = header }},
		{"function", "299 Go on", func(tr *http.Transport) {
			tr.ProxyConnectHeader = http.Header{"X-Team": {"blue"}}
			tr.GetProxyConnectHeader = func(_ context.Context, proxy *url.URL, addr string) (http.Header, error) {
				if proxy.Host != "proxy.example.com" || addr != "[::1]:80" {
					t.Errorf("asked for a header for %v, %q", proxy, addr)
				}
				return header, nil
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen := make(chan []string, 2)
			client, tr := proxied("http://user:secret@proxy.example.com", func(nc net.Conn, in *bufio.Reader, r *http.Request) {
				seen <- []string{r.Method, r.RequestURI, r.Host, r.Header.Get("X-Team"), r.Header.Get("Upgrade")}
				io.WriteString(nc, "HTTP/1.1 "+tt.answer+"\r\n\r\n")
				if r, err := http.ReadRequest(in); err == nil {
					seen <- []string{r.Method, r.RequestURI, r.Host, r.Header.Get("X-Team"), r.Header.Get("Upgrade")}
					io.WriteString(nc, strings.ReplaceAll(goodAnswer, "ACCEPT", acceptOf(r))+"\r\n")
				}
			})
			tt.set(tr)
			res, _, err := Dial(t.Context(), "ws://[::1]/path", &DialOptions{HTTPClient: client})
			if err != nil {
				t.Fatal(err)
			}
			res.Conn.Close()
			for _, want := range [][]string{
				{"CONNECT", "[::1]:80", "[::1]:80", "red", ""},
				{"GET", "/path", "[::1]", "", "websocket"},
			} {
				if got := <-seen; !slices.Equal(got, want) {
					t.Errorf("sent %q, want %q", got, want)
				}
			}
			if header.Get("Proxy-Authorization") != "" || tr.DisableKeepAlives != true {
				t.Error("the transport was modified")
			}
		})
	}
}

// TestProxyDials: where a proxy is connected to, and how, for each kind of URL, be the
// dialers of the old kind, without a ctx, or not.
func TestProxyDials(t *testing.T) {
	errDial := errors.New("no way")
	for _, tt := range []struct{ proxy, target, want string }{
		{"http://proxy.example.com", "ws://example.com/", "tcp proxy.example.com:80"},
		{"http://proxy.example.com:3128", "wss://example.com/", "tcp proxy.example.com:3128"},
		{"http://[::1]", "ws://example.com/", "tcp [::1]:80"},
		{"https://proxy.example.com", "ws://example.com/", "TLS tcp proxy.example.com:443"},
		{"https://proxy.example.com:8443", "wss://example.com/", "TLS tcp proxy.example.com:8443"},
	} {
		var got string
		dial := func(network, addr string) (net.Conn, error) {
			got = network + " " + addr
			return nil, errDial
		}
		dialTLS := func(network, addr string) (net.Conn, error) {
			got = "TLS " + network + " " + addr
			return nil, errDial
		}
		for name, tr := range map[string]*http.Transport{
			"new dialers": {
				DialContext:    func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) },
				DialTLSContext: func(_ context.Context, network, addr string) (net.Conn, error) { return dialTLS(network, addr) },
			},
			"old dialers": {Dial: dial, DialTLS: dialTLS},
		} {
			got = ""
			tr.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(tt.proxy) }
			_, _, err := Dial(t.Context(), tt.target, &DialOptions{HTTPClient: &http.Client{Transport: tr}})
			if got != tt.want || !errors.Is(err, errDial) {
				t.Errorf("%s, %s by way of %s: dialed %q, want %q; %v", name, tt.target, tt.proxy, got, tt.want, err)
			}
		}
	}
}

// TestProxyTLS: a proxy with TLS is offered HTTP/1.1 and asked for by its own
// name, whatever the settings are.
func TestProxyTLS(t *testing.T) {
	hellos := make(chan *tls.ClientHelloInfo, 10)
	ps := httptest.NewUnstartedServer(new(proxy))
	ps.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		hellos <- hello
		return nil, nil
	}}
	ps.StartTLS()
	defer ps.Close()
	server := httptest.NewServer(echo(t, nil))
	defer server.Close()
	for _, config := range []*tls.Config{nil, ps.Client().Transport.(*http.Transport).TLSClientConfig, insecure("h2", "x-chat")} {
		tr := &http.Transport{TLSClientConfig: config, Proxy: func(*http.Request) (*url.URL, error) {
			return url.Parse(strings.Replace(ps.URL, "127.0.0.1", "localhost", 1))
		}}
		res, _, err := Dial(t.Context(), server.URL, &DialOptions{HTTPClient: &http.Client{Transport: tr}})
		if err == nil {
			res.Conn.Close()
		} else if config != nil && config.InsecureSkipVerify {
			t.Error(err)
		}
		if hello := <-hellos; hello.ServerName != "localhost" || !slices.Equal(hello.SupportedProtos, []string{"http/1.1"}) {
			t.Errorf("proxy was asked for %q, protocols %q", hello.ServerName, hello.SupportedProtos)
		}
	}
}

// throughSOCKS returns a transport that goes to example.com by way of a SOCKS proxy, and
// by that, in memory, to serve.
func throughSOCKS(serve func(nc net.Conn)) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "socks5", Host: "proxy.example.com"}),
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			if addr != "proxy.example.com:1080" {
				return nil, errors.New("dialed " + addr)
			}
			a, b := pipe.New()
			go func() {
				io.CopyN(io.Discard, b, 3) // RFC 1928, section 3
				io.WriteString(b, "\x05\x00")
				io.CopyN(io.Discard, b, 4+1+int64(len("example.com"))+2) // section 4
				io.WriteString(b, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
				serve(b)
			}()
			return a, nil
		},
	}
}

// TestSOCKS: a SOCKS proxy connects to ws and wss servers; that is net/http's to do. The
// answer of a server that refuses is not taken for the proxy's.
func TestSOCKS(t *testing.T) {
	config := tlsConfig(t)
	for _, tt := range []struct {
		url   string
		serve func(nc net.Conn)
		want  string // the error, "" for none
	}{
		{"ws://example.com/", serveEcho, ""},
		{"wss://example.com/", func(nc net.Conn) { serveEcho(tls.Server(nc, config.server)) }, ""},
		{"ws://example.com/", serveNotFound, "websocket: dial: 404 Not Found: the server did not switch protocols, want 101"},
	} {
		tr := throughSOCKS(tt.serve)
		tr.TLSClientConfig = config.client
		res, _, err := Dial(t.Context(), tt.url, &DialOptions{HTTPClient: &http.Client{Transport: tr}})
		if err == nil {
			res.Conn.Close()
		}
		if err == nil && tt.want != "" || err != nil && err.Error() != tt.want {
			t.Errorf("%s: error %v, want %q", tt.url, err, tt.want)
		}
	}
}

// TestProxyRefuses: what a proxy does wrong fails the call, soon, with an error
// that says so.
func TestProxyRefuses(t *testing.T) {
	answer := func(text string) func(net.Conn, *bufio.Reader, *http.Request) {
		return func(nc net.Conn, _ *bufio.Reader, _ *http.Request) { io.WriteString(nc, text) }
	}
	silent := func(nc net.Conn, in *bufio.Reader, _ *http.Request) { in.ReadByte() }
	for _, tt := range []struct {
		name, url string
		behave    func(net.Conn, *bufio.Reader, *http.Request)
		set       func(*http.Transport)
		want      string
	}{
		{"wants a password", "http://proxy.example.com", answer("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"), nil, `proxy: CONNECT example.com:80 was answered with "407 Proxy Authentication Required", want 2xx, Proxy-Authenticate is "Basic"`},
		{"is no proxy", "http://proxy.example.com:80", answer("hello\r\n\r\n"), nil, "proxy: malformed"},
		{"ends", "http://proxy.example.com", answer(""), nil, "proxy: unexpected EOF"},
		{"says more", "http://proxy.example.com", answer("HTTP/1.1 200 OK\r\n\r\nmore"), nil, "proxy: 4 bytes after the answer to CONNECT example.com:80, want none"},
		{"never ends", "http://proxy.example.com", answer("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 64<<10) + "\r\n\r\n"), nil, "proxy: unexpected EOF"},
		{"is silent", "http://proxy.example.com", silent, nil, "proxy: context deadline exceeded"},
		{"is not there any more", "http://proxy.example.com", answer(""), func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				a, b := pipe.New()
				b.Close()
				return a, nil
			}
		}, "proxy: write"},
		{"is not there", "http://elsewhere.example.com", nil, nil, "proxy: dialed elsewhere.example.com:80"},
		{"is not there, with TLS", "https://elsewhere.example.com", nil, nil, "proxy: dialed elsewhere.example.com:443"},
		{"has a dialer that does nothing", "http://proxy.example.com", nil, func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, nil }
		}, "proxy: the dialer has returned neither a connection nor an error"},
		{"has one for TLS that does nothing", "https://proxy.example.com", nil, func(tr *http.Transport) {
			tr.DialTLSContext = func(context.Context, string, string) (net.Conn, error) { return nil, nil }
		}, "proxy: the dialer has returned neither a connection nor an error"},
		{"has no TLS", "https://proxy.example.com:80", answer("HTTP/1.1 200 OK\r\n\r\n"), nil, "proxy: "},
		{"is not wanted", "http://proxy.example.com", answer("HTTP/1.1 200 OK\r\n\r\n"), func(tr *http.Transport) {
			tr.OnProxyConnectResponse = func(context.Context, *url.URL, *http.Request, *http.Response) error {
				return errors.New("not this one")
			}
		}, "proxy: not this one"},
		{"is wanted, and refuses", "http://proxy.example.com", answer("HTTP/1.1 403 Forbidden\r\n\r\n"), func(tr *http.Transport) {
			tr.OnProxyConnectResponse = func(context.Context, *url.URL, *http.Request, *http.Response) error { return nil }
		}, `proxy: CONNECT example.com:80 was answered with "403 Forbidden", want 2xx`},
		{"gets no header", "http://proxy.example.com", silent, func(tr *http.Transport) {
			tr.GetProxyConnectHeader = func(context.Context, *url.URL, string) (http.Header, error) {
				return nil, errors.New("no header")
			}
		}, "proxy: no header"},
		{"has no URL", "http://%zz", nil, nil, "invalid URL escape"},
		{"has a URL and an error", "", nil, func(tr *http.Transport) {
			tr.Proxy = func(*http.Request) (*url.URL, error) {
				return &url.URL{Scheme: "http", Host: "proxy.example.com"}, errors.New("not today")
			}
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("dialed") }
		}, "not today"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, tr := proxied(tt.url, tt.behave)
				if tt.set != nil {
					tt.set(tr)
				}
				start := time.Now()
				_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				if took := time.Since(start); took > responseHeaderTime {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestProxyCancelled: ctx ends the wait for a proxy, and the connection to it.
func TestProxyCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		client, _ := proxied("http://proxy.example.com", func(_ net.Conn, in *bufio.Reader, _ *http.Request) {
			_, err := in.ReadByte()
			ended <- err
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := Dial(ctx, "ws://example.com/", &DialOptions{HTTPClient: client}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if err := <-ended; err != io.EOF {
			t.Errorf("the proxy saw %v", err)
		}
	})
}

// TestCookies: the jar's cookies are sent, and those of the 101 kept.
func TestCookies(t *testing.T) {
	cookies := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookies <- r.Header.Get("Cookie")
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "2"})
		res, err := Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		res.Conn.Close()
	}))
	defer s.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: "1"}})
	for _, want := range []string{"session=1", "session=2"} {
		res, _, err := Dial(t.Context(), strings.Replace(s.URL, "http", "ws", 1), &DialOptions{HTTPClient: &http.Client{Jar: jar}})
		if err != nil {
			t.Fatal(err)
		}
		res.Conn.Close()
		if got := <-cookies; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
}

// TestUserInfo: a user in the URL becomes Basic authentication, as in net/http.
func TestUserInfo(t *testing.T) {
	auth := make(chan string, 1)
	client := scripted(func(nc net.Conn, r *http.Request) {
		user, password, _ := r.BasicAuth()
		auth <- user + " " + password
		nc.Close()
	})
	Dial(t.Context(), "ws://user:secret@example.com/", &DialOptions{HTTPClient: client})
	if got := <-auth; got != "user secret" {
		t.Errorf("server saw %q", got)
	}
}
