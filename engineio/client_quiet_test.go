package engineio_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/frame"
)

// A server that falls silent after a message and some pings is given up like one that never pings.
func TestClientSilentLater(t *testing.T) {
	server := &fake{ws: func(c *conn.Conn, _ *http.Request) {
		c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
		c.Write(context.Background(), conn.Text, []byte("4hello"))
		for range 3 {
			time.Sleep(25 * time.Second)
			c.Write(context.Background(), conn.Text, []byte("2"))
		}
		waitForEnd(c)
	}}
	withFake(t, server, func(s *site) {
		start := time.Now()
		r := s.mustConnect(websocketOnly)
		r.want("hello")
		r.wantEnd(engineio.PingTimeout)
		if d := time.Since(start); d != 120*time.Second {
			t.Errorf("ended after %v, want 45 s after the last ping", d)
		}
	})
}

// A message that is handled for longer than the server may be silent does not cost the session.
func TestClientSlowReceiver(t *testing.T) {
	server := &fake{ws: func(c *conn.Conn, _ *http.Request) {
		c.Write(context.Background(), conn.Text, []byte("0"+goodOpen))
		c.Write(context.Background(), conn.Text, []byte("4slow"))
		time.Sleep(time.Hour)
		c.Write(context.Background(), conn.Text, []byte("2"))
		c.Write(context.Background(), conn.Text, []byte("4next"))
		waitForEnd(c)
	}}
	withFake(t, server, func(s *site) {
		r, err := s.connectTo(s.t.Context(), clientURL, websocketOnly, func(_ *taker, got string) {
			if got == "slow" {
				time.Sleep(time.Hour + time.Second) // and no clock rings then
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		r.want("slow")
		r.want("next")
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// The cookies are those of the user's jar, if there is one.
func TestClientJar(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := &fake{any: func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Cookie"))
		return false
	}}
	withFake(t, server, func(s *site) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		jar.SetCookies(&url.URL{Scheme: "http", Host: "example.com"}, []*http.Cookie{{Name: "k", Value: "v"}})
		r := s.mustConnect(&engineio.DialOptions{Transports: []string{"polling"}, HTTPClient: &http.Client{Transport: s.http.Transport, Jar: jar}})
		r.c.Close()
		<-r.c.Done()
		mu.Lock()
		defer mu.Unlock()
		if len(got) == 0 || strings.Join(got, "") != strings.Repeat("k=v", len(got)) {
			t.Errorf("cookies %q", got)
		}
	})
}

// A POST says what its body is. A GET has no body.
func TestClientContentType(t *testing.T) {
	var mu sync.Mutex
	got := map[string]bool{}
	server := &fake{any: func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		got[r.Method+" "+r.Header.Get("Content-Type")] = true
		return false
	}}
	withFake(t, server, func(s *site) {
		r := s.mustConnect(pollingOnly)
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
		mu.Lock()
		defer mu.Unlock()
		if len(got) != 2 || !got["GET "] || !got["POST text/plain; charset=UTF-8"] {
			t.Errorf("requests %v", got)
		}
	})
}

// A lender is a user's transport that counts the bodies that are not closed.
type lender struct {
	http.RoundTripper
	got, open atomic.Int64
}

func (l *lender) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		l.got.Add(1)
		l.open.Add(1)
		resp.Body = &lent{ReadCloser: resp.Body, open: &l.open}
	}
	return resp, err
}

// A lent body is one of a lender.
type lent struct {
	io.ReadCloser
	open *atomic.Int64
	once sync.Once
}

func (b *lent) Close() error {
	b.once.Do(func() { b.open.Add(-1) })
	return b.ReadCloser.Close()
}

// Each body that the user's transport returns is closed, as it may rely on: of a response with
// packets, of one that has more to say, and of an error.
func TestClientClosesBodies(t *testing.T) {
	gets := 0
	server := &fake{
		get: func(w http.ResponseWriter, r *http.Request) {
			if gets++; gets == 1 {
				respond(200, "4hello")(w, r)
				return
			}
			time.Sleep(time.Second)
			respond(502, html)(w, r)
		},
		post: respond(200, strings.Repeat("x", 1<<20)),
	}
	withFake(t, server, func(s *site) {
		l := &lender{RoundTripper: s.http.Transport}
		r := s.mustConnect(&engineio.DialOptions{Transports: []string{"polling"}, HTTPClient: &http.Client{Transport: l}})
		r.want("hello")
		r.c.Send(text("a"))
		r.wantEnd(engineio.TransportError)
		if got, open := l.got.Load(), l.open.Load(); got != 4 || open != 0 {
			t.Errorf("%d of %d bodies are not closed, want 0 of 4", open, got)
		}
	})
}

// A poster is a user's transport that keeps the ctx of each POST.
type poster struct {
	http.RoundTripper
	posts []context.Context
}

func (p *poster) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		p.posts = append(p.posts, r.Context())
	}
	return p.RoundTripper.RoundTrip(r)
}

// The ctx of a POST ends with it: nothing of an answered POST stays for the rest of the time that
// it might have taken.
func TestClientEndsContexts(t *testing.T) {
	withFake(t, new(fake), func(s *site) {
		p := &poster{RoundTripper: s.http.Transport}
		r := s.mustConnect(&engineio.DialOptions{Transports: []string{"polling"}, HTTPClient: &http.Client{Transport: p}})
		for range 3 {
			r.c.Send(text("a"))
			synctest.Wait()
		}
		for i, ctx := range p.posts {
			if ctx.Err() == nil {
				t.Errorf("the ctx of POST %d has not ended", i)
			}
		}
		if len(p.posts) != 3 {
			t.Errorf("%d POSTs, want 3", len(p.posts))
		}
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
	})
}

// A client without a transport of the user's leaves the idle connections of others alone, also
// when its server is silent.
func TestClientSilentLeavesOthers(t *testing.T) {
	p := &pool{RoundTripper: http.DefaultTransport}
	defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
	http.DefaultTransport = p
	l, err := net.Listen("tcp", "127.0.0.1:0") // where nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := &engineio.DialOptions{Transports: []string{"websocket"}, Limits: engineio.DialLimits{OpenTimeout: time.Millisecond}}
	_, err = engineio.Dial(t.Context(), "http://"+l.Addr().String(), func(*engineio.Client) engineio.Receiver { return ignored{} }, o)
	if n := p.closed.Load(); !errors.Is(err, os.ErrDeadlineExceeded) || n != 0 {
		t.Errorf("%v; idle connections of the default transport were closed %d times", err, n)
	}
}

// A session whose open has returned no receiver is closed at once.
func TestClientWithoutReceiver(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		o := &engineio.DialOptions{Transports: []string{"websocket"}, HTTPClient: s.http}
		_, err := engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { return nil }, o)
		if err == nil {
			t.Error("no error")
		}
		s.wantEnd(engineio.TransportClose)
	})
}

// No message is delivered after Close, not even one in the answer to the GET that goes on while
// what was queued is posted.
func TestClientMessageAfterClose(t *testing.T) {
	answered := false
	server := &fake{post: never, get: func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		respond(200, "4late")(w, r)
		answered = true
	}}
	withFake(t, server, func(s *site) {
		r := s.mustConnect(pollingOnly)
		synctest.Wait() // the GET is under way
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
		if got := len(r.messages); got != 0 || !answered {
			t.Errorf("%d messages after Close; the GET was answered: %t", got, answered)
		}
	})
}

// A noted connection notes that it was closed.
type noted struct {
	net.Conn
	closed *atomic.Bool
}

func (n noted) Close() error {
	defer n.closed.Store(true)
	return n.Conn.Close()
}

// noteClose has s note that a connection of its clients was closed.
func noteClose(s *site, closed *atomic.Bool) {
	dial := s.http.Transport.(*http.Transport).DialContext
	s.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			return noted{c, closed}, err
		},
	}}
}

// acceptRaw accepts a WebSocket and returns its stream.
func acceptRaw(t *testing.T, w http.ResponseWriter, r *http.Request) net.Conn {
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		panic(http.ErrAbortHandler)
	}
	io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		acceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
	return nc
}

// endLate is for fakes: it sends a first message on a WebSocket, unless that is empty, and when so
// many bytes have come it sends a Close frame, and ends the stream a second later.
func endLate(t *testing.T, w http.ResponseWriter, r *http.Request, first string, bytes int64) {
	nc := acceptRaw(t, w, r)
	defer nc.Close()
	if first != "" {
		nc.Write(append(frame.Header{Fin: true, Opcode: frame.Text, Length: int64(len(first))}.Append(nil), first...))
	}
	io.CopyN(io.Discard, nc, bytes)
	nc.Write(append(frame.Header{Fin: true, Opcode: frame.Close, Length: 2}.Append(nil), 0x03, 0xE8))
	time.Sleep(time.Second)
}

// Done tells that the connection is closed, also of a session that open has closed, and whose
// server takes its time to end the stream.
func TestClientDoneWhenClosed(t *testing.T) {
	server := &fake{any: func(w http.ResponseWriter, r *http.Request) bool {
		endLate(t, w, r, "0"+goodOpen, 2+4+2) // a Close frame with its mask and a code
		return true
	}}
	withFake(t, server, func(s *site) {
		var closed atomic.Bool
		noteClose(s, &closed)
		o := &engineio.DialOptions{Transports: []string{"websocket"}, HTTPClient: s.http}
		start := time.Now()
		c, err := engineio.Dial(s.t.Context(), clientURL, func(c *engineio.Client) engineio.Receiver {
			c.Close()
			return ignored{}
		}, o)
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if d := time.Since(start); !closed.Load() || d != time.Second {
			t.Errorf("done after %v; the connection is closed: %t", d, closed.Load())
		}
	})
}

// Neither is a client done as long as it has a WebSocket that it has only probed.
func TestClientDoneWhenProbeClosed(t *testing.T) {
	server := &fake{any: func(w http.ResponseWriter, r *http.Request) bool {
		probes := r.Header.Get("Upgrade") != ""
		if probes {
			endLate(t, w, r, "", int64(2+4+len("2probe")))
		}
		return probes
	}}
	withFake(t, server, func(s *site) {
		r := s.mustConnect(nil)
		synctest.Wait()
		start := time.Now()
		r.c.Close()
		r.wantEnd(engineio.ForcedClose)
		if d := time.Since(start); d != time.Second {
			t.Errorf("done after %v, want one second", d)
		}
	})
}

// Dial leaves no connection behind if the server ends the WebSocket without an open packet, but
// waits for the end of the stream no longer than its ctx allows.
func TestDialWebSocketEnded(t *testing.T) {
	for _, octets := range []string{
		"\x88\x02\x03\xE8",          // a Close frame
		"\x81\x81\x00\x00\x00\x004", // a masked frame (RFC 6455, section 5.1)
	} {
		for limit, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: 5 * time.Second} {
			server := &fake{any: func(w http.ResponseWriter, r *http.Request) bool {
				nc := acceptRaw(t, w, r)
				defer nc.Close()
				io.WriteString(nc, octets)
				time.Sleep(time.Minute)
				return true
			}}
			withFake(t, server, func(s *site) {
				var closed atomic.Bool
				noteClose(s, &closed)
				ctx, cancel := context.WithTimeout(s.t.Context(), limit)
				defer cancel()
				start := time.Now()
				_, err := s.connectTo(ctx, clientURL, websocketOnly, nil)
				if d := time.Since(start); err == nil || errors.Is(err, context.DeadlineExceeded) || d != want || closed.Load() != (want < limit) {
					t.Errorf("after %q, with a limit of %v: %v after %v; the connection is closed: %t", octets, limit, err, d, closed.Load())
				}
				if time.Sleep(time.Minute); !closed.Load() {
					t.Errorf("after %q, with a limit of %v, the connection stays open", octets, limit)
				}
			})
		}
	}
}

// Done tells that open has returned and that the receiver knows of the end, also where open
// closes the session and goes on long after that has gone.
func TestClientDoneAfterOpen(t *testing.T) {
	for _, kind := range kinds[:2] {
		inBubble(t, nil, func(s *site) {
			r := &taker{t: s.t, ends: make(chan engineio.Reason, 1)}
			o := &engineio.DialOptions{Transports: kind.o.Transports, HTTPClient: s.http}
			_, err := engineio.Dial(s.t.Context(), clientURL, func(c *engineio.Client) engineio.Receiver {
				r.c = c
				c.Close()
				select {
				case <-c.Done():
					t.Errorf("%s: done while open runs", kind.name)
				case <-time.After(time.Minute):
				}
				return r
			}, o)
			if err != nil {
				t.Fatal(err)
			}
			r.wantEnd(engineio.ForcedClose)
		})
	}
}

// A client that has ended is free: its clock does not hold it until the server would have been
// silent for too long.
func TestClientFreed(t *testing.T) {
	o := &engineio.Options{Limits: engineio.Limits{PingInterval: 10 * time.Hour}}
	for _, kind := range kinds[:2] {
		inBubble(t, o, func(s *site) {
			c := endedClient(s, kind.o)
			time.Sleep(time.Hour) // the runtime itself holds a timer that was stopped, while others go before it
			for range 10 {        // a pool holds what is in it for two turns
				if runtime.GC(); c.Value() == nil {
					return
				}
			}
			t.Errorf("%s: the client is kept", kind.name)
		})
	}
}

// endedClient returns a client that is done, and that nothing of the test's refers to.
//
//go:noinline
func endedClient(s *site, o *engineio.DialOptions) weak.Pointer[engineio.Client] {
	c, err := engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { return ignored{} },
		&engineio.DialOptions{HTTPClient: s.http, Transports: o.Transports})
	if err != nil {
		s.t.Fatal(err)
	}
	c.Close()
	<-c.Done()
	return weak.Make(c)
}

// A client that has ended keeps nothing of a transport of its own, though the user keeps the
// client.
func TestClientFreesTransport(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		c, dialer := ownTransportClient(s)
		c.Close()
		<-c.Done()
		for i := 0; i < 10 && dialer.Value() != nil; i++ {
			time.Sleep(time.Hour) // for the connections to end, and for timers that were stopped
			runtime.GC()
		}
		if dialer.Value() != nil {
			t.Error("the transport is kept")
		}
		runtime.KeepAlive(c)
	})
}

// ownTransportClient returns a client with a transport of its own, and what that dials with,
// to which nothing of the test's refers.
//
//go:noinline
func ownTransportClient(s *site) (*engineio.Client, weak.Pointer[siteDialer]) {
	defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
	d := &siteDialer{s}
	http.DefaultTransport = &http.Transport{DialContext: d.dial}
	c, err := engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver { return ignored{} }, pollingOnly)
	if err != nil {
		s.t.Fatal(err)
	}
	return c, weak.Make(d)
}

// A siteDialer dials a site's server.
type siteDialer struct{ s *site }

func (d *siteDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return d.s.listener.DialContext(ctx, network, address)
}

// A client that has ended keeps no message that it could not send, though the user keeps the client:
// neither when the time after Close is over, nor when a POST fails in it, nor when the server closes.
func TestClientDropsQueue(t *testing.T) {
	for name, server := range map[string]*fake{
		"no answer": {post: never},
		"refused": {post: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			respond(502, html)(w, r)
		}},
		"closed by the server": {post: never, get: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Millisecond)
			respond(200, "1")(w, r)
		}},
	} {
		withFake(t, server, func(s *site) {
			r := s.mustConnect(pollingOnly)
			r.c.Send(text("a"))
			synctest.Wait() // it is on its way
			queued := sendQueued(s.t, r.c)
			time.Sleep(time.Second)
			r.c.Close()
			<-r.c.Done()
			for range 10 {
				if runtime.GC(); queued.Value() == nil {
					break
				}
			}
			if queued.Value() != nil {
				t.Errorf("%s: the message is kept", name)
			}
			runtime.KeepAlive(r)
		})
	}
}

// sendQueued sends a message that nothing of the test's refers to.
//
//go:noinline
func sendQueued(t *testing.T, c *engineio.Client) weak.Pointer[engineio.Message] {
	m := text("queued")
	if err := c.Send(m); err != nil {
		t.Error(err)
	}
	return weak.Make(m)
}
