package handshake

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// tlsEcho starts a server that agrees on one of the application protocols, and
// sends what each client offers. It sends back what it gets.
func tlsEcho(t *testing.T, protos ...string) (addr string, offers <-chan []string) {
	t.Helper()
	config := tlsConfig(t).server
	config.NextProtos = protos
	offered := make(chan []string, 10)
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered <- hello.SupportedProtos
		return nil, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				res, err := AcceptConn(tls.Server(nc, config), nil)
				if err != nil {
					return // the client finds out
				}
				defer res.Conn.Close()
				io.Copy(res.Conn, res.Conn)
			}()
		}
	}()
	return l.Addr().String(), offered
}

// insecure returns TLS settings for a server of tlsEcho.
func insecure(protos ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protos}
}

// onlyProtocols returns the set of those that set adds.
func onlyProtocols(set func(p *http.Protocols)) *http.Protocols {
	p := new(http.Protocols)
	set(p)
	return p
}

// TestDialApplicationProtocol: what TLS offers is what the user's settings have,
// but for h2, or else HTTP/1.1; and HTTP/1.1 is spoken, whatever the transport
// speaks with others.
func TestDialApplicationProtocol(t *testing.T) {
	httpProxy := httptest.NewServer(new(proxy))
	defer httpProxy.Close()
	proxyURL, err := url.Parse(httpProxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	dialTLS := func(network, addr string) (net.Conn, error) { return tls.Dial(network, addr, insecure("x-chat")) }
	for _, tt := range []struct {
		name      string
		transport *http.Transport
		want      []string
	}{
		{"none", &http.Transport{TLSClientConfig: insecure()}, []string{"http/1.1"}},
		{"one", &http.Transport{TLSClientConfig: insecure("x-chat")}, []string{"x-chat"}},
		{"several", &http.Transport{TLSClientConfig: insecure("x-chat", "h2", "http/1.1")}, []string{"x-chat", "http/1.1"}},
		{"h2", &http.Transport{TLSClientConfig: insecure("h2")}, []string{"http/1.1"}},
		{"HTTP/2 forced", &http.Transport{TLSClientConfig: insecure(), ForceAttemptHTTP2: true}, []string{"http/1.1"}},
		{"HTTP/2 alone", &http.Transport{TLSClientConfig: insecure(), Protocols: onlyProtocols(func(p *http.Protocols) { p.SetHTTP2(true) })}, []string{"http/1.1"}},
		{"ours", newTransport(&http.Transport{TLSClientConfig: insecure()}), []string{"http/1.1"}},
		{"ours, one", newTransport(&http.Transport{TLSClientConfig: insecure("x-chat")}), []string{"x-chat"}},
		{"dialer", &http.Transport{TLSClientConfig: insecure("x-chat"), DialContext: new(net.Dialer).DialContext}, []string{"x-chat"}},
		{"old dialer", &http.Transport{TLSClientConfig: insecure("x-chat"), Dial: new(net.Dialer).Dial}, []string{"x-chat"}}, //lint:ignore SA1019 it is in use
		{"proxy", &http.Transport{TLSClientConfig: insecure("x-chat"), Proxy: http.ProxyURL(proxyURL)}, []string{"x-chat"}},
		{"proxy, none", &http.Transport{TLSClientConfig: insecure(), Proxy: http.ProxyURL(proxyURL)}, []string{"http/1.1"}},
		{"old TLS dialer", &http.Transport{DialTLS: dialTLS}, []string{"x-chat"}}, //lint:ignore SA1019 it is in use
		{
			"TLS dialer, HTTP/2 alone",
			&http.Transport{DialTLSContext: (&tls.Dialer{Config: insecure("x-chat")}).DialContext, Protocols: onlyProtocols(func(p *http.Protocols) { p.SetHTTP2(true) })},
			[]string{"x-chat"},
		},
		{"TLS dialer", &http.Transport{DialTLSContext: (&tls.Dialer{Config: insecure("x-chat")}).DialContext}, []string{"x-chat"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr, offers := tlsEcho(t, "h2", "x-chat", "http/1.1")
			for range 2 { // the second finds what the first has left in the transport
				res, resp, err := Dial(t.Context(), "wss://"+addr, &DialOptions{HTTPClient: &http.Client{Transport: tt.transport}})
				if err != nil {
					t.Fatal(err)
				}
				if got := <-offers; !slices.Equal(got, tt.want) {
					t.Errorf("offered %q, want %q", got, tt.want)
				}
				if resp.TLS == nil || resp.TLS.NegotiatedProtocol != tt.want[0] {
					t.Errorf("TLS state %+v", resp.TLS)
				}
				got := make([]byte, 5)
				io.WriteString(res.Conn, "hello")
				if _, err := io.ReadFull(res.Conn, got); err != nil || string(got) != "hello" {
					t.Errorf("%q, %v", got, err)
				}
				if _, ok := res.Conn.(*tls.Conn); !ok {
					t.Errorf("connection is a %T", res.Conn)
				}
				res.Conn.Close()
			}
		})
	}
}

// TestDialServerName: the certificate is that of the name in the TLS settings if they
// have one, whatever host the URL has.
func TestDialServerName(t *testing.T) {
	config := tlsConfig(t) // of example.com
	client, tr := deafClient(func(nc net.Conn) { serveEcho(tls.Server(nc, config.server)) })
	tr.TLSClientConfig = config.client
	res, resp, err := Dial(t.Context(), "wss://other.example/", &DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	res.Conn.Close()
	if resp.TLS.ServerName != "example.com" {
		t.Errorf("asked for %q, want example.com", resp.TLS.ServerName)
	}
}

// TestDialIdle: a request that net/http can send as it is goes through the transport itself,
// which keeps the connection of one that was refused and uses it again.
func TestDialIdle(t *testing.T) {
	config := tlsConfig(t)
	for _, tt := range []struct {
		name, url string
		transport func(serve func(nc net.Conn)) *http.Transport
	}{
		{"ws", "ws://example.com/", inMemory},
		{"ws, HTTP/1.1 named", "ws://example.com/", func(serve func(nc net.Conn)) *http.Transport {
			tr := inMemory(serve)
			tr.Protocols = onlyProtocols(func(p *http.Protocols) { p.SetHTTP1(true) })
			return tr
		}},
		{"wss, SOCKS", "wss://example.com/", func(serve func(nc net.Conn)) *http.Transport {
			tr := throughSOCKS(func(nc net.Conn) { serve(tls.Server(nc, config.server)) })
			tr.TLSClientConfig = config.client
			return tr
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := tt.transport(func(nc net.Conn) {
					defer nc.Close()
					for in := bufio.NewReader(nc); ; {
						if _, err := http.ReadRequest(in); err != nil {
							return
						}
						io.WriteString(nc, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
					}
				})
				defer tr.CloseIdleConnections()
				var reused []bool
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					GotConn: func(i httptrace.GotConnInfo) { reused = append(reused, i.Reused) },
				})
				for range 2 {
					_, _, err := Dial(ctx, tt.url, &DialOptions{HTTPClient: &http.Client{Transport: tr}})
					if _, ok := errors.AsType[*DialError](err); !ok {
						t.Fatal(err)
					}
					synctest.Wait() // until the connection is kept
				}
				if !slices.Equal(reused, []bool{false, true}) {
					t.Errorf("reused: %v, want false, then true", reused)
				}
			})
		})
	}
}

// inMemory returns a transport whose connections lead, in memory, to serve.
func inMemory(serve func(nc net.Conn)) *http.Transport {
	return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		a, b := pipe.New()
		go serve(b)
		return a, nil
	}}
}

// TestDialUnencryptedHTTP2: nor is HTTP/2 spoken without TLS.
func TestDialUnencryptedHTTP2(t *testing.T) {
	s := httptest.NewServer(echo(t, nil))
	defer s.Close()
	tr := &http.Transport{Protocols: onlyProtocols(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })}
	res, _, err := Dial(t.Context(), s.URL, &DialOptions{HTTPClient: &http.Client{Transport: tr}})
	if err != nil {
		t.Fatal(err)
	}
	res.Conn.Close()
	if tr.Protocols.HTTP1() {
		t.Error("the transport was modified")
	}
}

// TestDialAgreesOnH2: where a TLS dialer of the user's agrees on h2 the error
// says so, whatever net/http makes of it.
func TestDialAgreesOnH2(t *testing.T) {
	s := httptest.NewUnstartedServer(echo(t, nil))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	dialer := &tls.Dialer{Config: insecure("h2", "http/1.1")}
	for _, tt := range []struct {
		name string
		t    http.RoundTripper
	}{
		{"taken for HTTP/1.1", &http.Transport{DialTLSContext: dialer.DialContext}},
		{"spoken", &http.Transport{DialTLSContext: dialer.DialContext, ForceAttemptHTTP2: true}},
		{"HTTP/2 alone, in the user's way", &http.Transport{
			DialTLSContext: dialer.DialContext,
			Protocols:      onlyProtocols(func(p *http.Protocols) { p.SetHTTP2(true) }),
			TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{"h2": func(string, *tls.Conn) http.RoundTripper {
				return tripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("it was spoken") })
			}},
		}},
		{"wrapped", tripper((&http.Transport{DialTLSContext: dialer.DialContext}).RoundTrip)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Dial(t.Context(), s.URL, &DialOptions{HTTPClient: &http.Client{Transport: tt.t}})
			const want = `; TLS agreed on "h2", want HTTP/1.1: DialTLSContext should leave "h2" out of NextProtos`
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("error %v, want the end %q", err, want)
			}
		})
	}
	// A transport that speaks HTTP/2 and lets the request through.
	client := &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 501, Proto: "HTTP/2.0", ProtoMajor: 2, Body: http.NoBody}, nil
	})}
	_, _, err := Dial(t.Context(), s.URL, &DialOptions{HTTPClient: client})
	if want := "websocket: dial: 501 Not Implemented: the response came over HTTP/2.0, want HTTP/1.1: the transport must not agree on h2"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %v", err, want)
	}
}

// TestDialTLSTimeout: a server that does not do its part of the TLS handshake
// holds up no one for longer than the transport says, nor than ctx does.
func TestDialTLSTimeout(t *testing.T) {
	for _, tt := range []struct {
		name       string
		limit, ctx time.Duration
		want       time.Duration
		err        error
	}{
		{"the transport's", time.Second, time.Hour, time.Second, os.ErrDeadlineExceeded},
		{"ctx", time.Minute, time.Second, time.Second, context.DeadlineExceeded},
		{"none", 0, time.Minute, time.Minute, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.ctx)
				defer cancel()
				a, b := pipe.New()
				defer b.Close()
				tr := &http.Transport{
					TLSHandshakeTimeout: tt.limit,
					DialContext:         func(context.Context, string, string) (net.Conn, error) { return deafConn{a}, nil },
				}
				start := time.Now()
				_, _, err := Dial(ctx, "wss://example.com/", &DialOptions{HTTPClient: &http.Client{Transport: tr}})
				if took := time.Since(start); !errors.Is(err, tt.err) || took != tt.want {
					t.Errorf("%v after %v, want %v after %v", err, took, tt.err, tt.want)
				}
				io.Copy(io.Discard, b) // ends when the connection does
			})
		})
	}
}

// TestDialTLSTimeoutEnds: the transport's limit of the TLS handshake has no hold on the
// answer that follows it.
func TestDialTLSTimeoutEnds(t *testing.T) {
	config := tlsConfig(t)
	synctest.Test(t, func(t *testing.T) {
		client, tr := deafClient(func(nc net.Conn) {
			secure := tls.Server(nc, config.server)
			if err := secure.Handshake(); err != nil {
				t.Error(err)
			}
			<-time.After(10 * time.Second)
			serveEcho(secure)
		})
		tr.TLSClientConfig, tr.TLSHandshakeTimeout = config.client, time.Second
		res, _, err := Dial(t.Context(), "wss://example.com/", &DialOptions{HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		res.Conn.Close()
	})
}

// TestDialEndsDialing: the end of ctx ends the dialing, where net/http would leave
// it to itself.
func TestDialEndsDialing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, _, err := Dial(ctx, "wss://example.com/", &DialOptions{HTTPClient: &http.Client{Transport: tr}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if err := <-ended; err == nil || time.Since(start) != time.Second {
			t.Errorf("dialing ended with %v after %v", err, time.Since(start))
		}
	})
}

// TestDialEndsWithCause: dialing that the end of the request ends says why the request
// ended, whether net/http or we hear of it first.
func TestDialEndsWithCause(t *testing.T) {
	gone := errors.New("gone")
	synctest.Test(t, func(t *testing.T) {
		late, cancelLate := context.WithTimeout(t.Context(), time.Second)
		defer cancelLate()
		left, leave := context.WithCancelCause(t.Context())
		defer time.AfterFunc(time.Second, func() { leave(gone) }).Stop()
		for ctx, want := range map[context.Context]error{late: context.DeadlineExceeded, left: gone} {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", nil)
			a := newAttempt(new(http.Transport), r, func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}, true)
			if _, err := a.connect(t.Context(), "tcp", "example.com:443"); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
	})
}

// TestDialEndsDialCtx: the ctx of a dialer ends with the dialing, and with it what the dialer has
// started for as long as the ctx lives.
func TestDialEndsDialCtx(t *testing.T) {
	errDial := errors.New("no way")
	for _, want := range []error{nil, errDial} {
		r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
		var dialing context.Context
		a := newAttempt(new(http.Transport), r, func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialing = ctx
			return newMemConn(""), want
		}, true)
		if _, err := a.connect(t.Context(), "tcp", "example.com:443"); err != want {
			t.Errorf("error %v, want %v", err, want)
		}
		if dialing.Err() == nil {
			t.Errorf("dialed with error %v: ctx goes on", want)
		}
	}
}

// An early context tells those who asked it by AfterFunc of its end, and all others a second later.
type earlyContext struct {
	context.Context
	err   error
	after []func()
	done  chan struct{}
}

func (c *earlyContext) Done() <-chan struct{} { return c.done }
func (c *earlyContext) Err() error            { return c.err }

func (c *earlyContext) AfterFunc(f func()) (stop func() bool) {
	c.after = append(c.after, f)
	return func() bool { return false }
}

func (c *earlyContext) end(err error) {
	c.err = err
	for _, f := range c.after {
		f()
	}
	<-time.After(time.Second)
	close(c.done)
}

// TestTLSEndsWithCause: so does a TLS handshake, though its connection is closed before net/http
// hears of the end.
func TestTLSEndsWithCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := &earlyContext{Context: t.Context(), done: make(chan struct{})}
		a, b := pipe.New()
		defer b.Close()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", nil)
		failed := make(chan error, 1)
		attempt := newAttempt(new(http.Transport), r, func(context.Context, string, string) (net.Conn, error) { return a, nil }, true)
		go func() {
			_, err := attempt.roundTrip()
			failed <- err
		}()
		synctest.Wait()
		gone := errors.New("gone")
		ctx.end(gone)
		if err := <-failed; !errors.Is(err, gone) {
			t.Errorf("%v, want %v", err, gone)
		}
	})
}

// TestTLSEndsLast: a TLS handshake ends with its request, though net/http hears of the end first
// and would leave the handshake to itself.
func TestTLSEndsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := &earlyContext{Context: t.Context(), done: make(chan struct{})}
		a, b := pipe.New()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", nil)
		attempt := newAttempt(new(http.Transport), r, func(context.Context, string, string) (net.Conn, error) { return a, nil }, true)
		gone := errors.New("gone")
		time.AfterFunc(time.Second, func() {
			ctx.err = gone
			close(ctx.done)
		})
		if _, err := attempt.roundTrip(); !errors.Is(err, gone) {
			t.Errorf("%v, want %v", err, gone)
		}
		b.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := io.Copy(io.Discard, b); err != nil {
			t.Errorf("the connection is open: %v", err)
			b.Close()
		}
	})
}

// TestAnswerAtTheEnd: an answer that comes as the request ends is an answer and no error too,
// which net/http would take for an error alone, and leave the connection open.
func TestAnswerAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := &earlyContext{Context: t.Context(), done: make(chan struct{})}
		a, b := pipe.New()
		go func() {
			http.ReadRequest(bufio.NewReader(b))
			ctx.err = context.Canceled
			io.WriteString(b, goodAnswer+"\r\n")
		}()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://example.com/", nil)
		resp, err := newAttempt(new(http.Transport), r, func(context.Context, string, string) (net.Conn, error) { return a, nil }, false).roundTrip()
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
}

// TestDialTLSTrace: the user's trace sees the TLS handshake once, and what was
// agreed on.
func TestDialTLSTrace(t *testing.T) {
	addr, _ := tlsEcho(t, "http/1.1")
	starts, dones := 0, 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		TLSHandshakeStart: func() { starts++ },
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			if dones++; err != nil || s.NegotiatedProtocol != "http/1.1" {
				t.Errorf("%+v, %v", s, err)
			}
		},
	})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: insecure(), TLSHandshakeTimeout: time.Minute}}
	res, _, err := Dial(ctx, "wss://"+addr, &DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	res.Conn.Close()
	if starts != 1 || dones != 1 {
		t.Errorf("%d starts, %d dones", starts, dones)
	}
}

// TestDialFails: an error of a dialer comes out, of every kind of transport.
func TestDialFails(t *testing.T) {
	errDial := errors.New("no way")
	for name, tr := range map[string]*http.Transport{
		"dialer":     {DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errDial }},
		"old dialer": {Dial: func(string, string) (net.Conn, error) { return nil, errDial }},
	} {
		for _, u := range []string{"ws://127.0.0.1:1/", "wss://127.0.0.1:1/"} {
			if _, _, err := Dial(t.Context(), u, &DialOptions{HTTPClient: &http.Client{Transport: tr}}); !errors.Is(err, errDial) {
				t.Errorf("%s, %s: %v", name, u, err)
			}
		}
	}
}

// TestWrappedProxy: a transport that is wrapped hands a request for ws to its
// HTTP proxy. A proxy that lets it through gives a connection; where one does
// not the error tells where the request went, and what would help.
func TestWrappedProxy(t *testing.T) {
	config := tlsConfig(t)
	const hint = `; the request went to "proxy.example.com:80", not to "example.com:81": an HTTP proxy is asked for a connection to a ws server, by CONNECT, only if HTTPClient.Transport is an *http.Transport and not one that wraps it`
	answer := func(text string) func(net.Conn, *bufio.Reader, *http.Request) {
		return func(nc net.Conn, _ *bufio.Reader, r *http.Request) {
			io.WriteString(nc, strings.ReplaceAll(text, "ACCEPT", acceptOf(r)))
		}
	}
	for _, tt := range []struct {
		name   string
		behave func(net.Conn, *bufio.Reader, *http.Request)
		url    string
		want   string // the end of the error, "" for none
	}{
		{"answers as plain HTTP", answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "ws://example.com:81/", hint},
		{"refuses", answer("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), "ws://example.com:81/", hint},
		{"ends", answer(""), "ws://example.com:81/", hint},
		{"redirects", answer("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"), "ws://example.com:81/", "no further" + hint},
		{"lets it through", answer(goodAnswer + "\r\n"), "ws://example.com:81/", ""},
		{"is the server", answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "ws://proxy.example.com/", "404 Not Found: the server did not switch protocols, want 101"},
		{"name in another script", answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "ws://b\u00fccher.example/", "404 Not Found: the server did not switch protocols, want 101"},
		{"wss", func(nc net.Conn, _ *bufio.Reader, r *http.Request) {
			if r.Method != http.MethodConnect {
				t.Errorf("proxy asked with %s", r.Method)
			}
			io.WriteString(nc, "HTTP/1.1 403 Forbidden\r\n\r\n")
		}, "wss://example.com:81/", "Forbidden"},
		{"wss, the server refuses", func(nc net.Conn, _ *bufio.Reader, r *http.Request) {
			io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n")
			serveNotFound(tls.Server(nc, config.server))
		}, "wss://example.com:81/", "404 Not Found: the server did not switch protocols, want 101"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, tr := proxied("http://proxy.example.com", tt.behave)
			tr.TLSClientConfig = config.client
			client.Transport = tripper(tr.RoundTrip)
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("no further") }
			res, _, err := Dial(t.Context(), tt.url, &DialOptions{HTTPClient: client})
			if err == nil {
				res.Conn.Close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("error %v, want the end %q", err, tt.want)
			}
		})
	}
}
