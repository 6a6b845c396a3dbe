package handshake

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// A deafConn takes deadlines and ignores them, like a common wrapper of ssh
// channels.
type deafConn struct{ net.Conn }

func (deafConn) SetDeadline(time.Time) error      { return nil }
func (deafConn) SetReadDeadline(time.Time) error  { return nil }
func (deafConn) SetWriteDeadline(time.Time) error { return nil }

// deafClient returns a client whose connections ignore deadlines and lead, in
// memory, to serve.
func deafClient(serve func(nc net.Conn)) (*http.Client, *http.Transport) {
	tr := newTransport(http.DefaultTransport)
	tr.Proxy = nil
	tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
		a, b := pipe.New()
		go serve(b)
		return deafConn{a}, nil
	}
	return &http.Client{Transport: tr}, tr
}

// serveEcho answers a handshake and sends some bytes glued to the answer, then
// what comes back.
func serveEcho(nc net.Conn) {
	defer nc.Close()
	r, err := http.ReadRequest(bufio.NewReader(nc))
	if err != nil {
		return
	}
	io.WriteString(nc, strings.ReplaceAll(goodAnswer, "ACCEPT", acceptOf(r))+"\r\nglued ")
	io.Copy(nc, nc)
}

// serveNotFound refuses a request.
func serveNotFound(nc net.Conn) {
	defer nc.Close()
	if _, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
		io.WriteString(nc, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	}
}

// TestDialDeaf: over a stream that ignores deadlines Dial takes 100 ms, whatever
// lies in between, and the connection that it gives has read deadlines.
func TestDialDeaf(t *testing.T) {
	config := tlsConfig(t)
	for _, tt := range []struct {
		name, url string
		serve     func(nc net.Conn)
		set       func(tr *http.Transport)
	}{
		{"plain", "ws://example.com/", serveEcho, func(*http.Transport) {}},
		{
			"TLS", "wss://example.com/",
			func(nc net.Conn) { serveEcho(tls.Server(nc, config.server)) },
			func(tr *http.Transport) { tr.TLSClientConfig = config.client },
		},
		{
			"proxy", "ws://example.com/",
			func(nc net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(nc)); err != nil {
					nc.Close()
					return
				}
				io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n")
				serveEcho(nc)
			},
			func(tr *http.Transport) {
				tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example.com"})
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, tr := deafClient(tt.serve)
				tt.set(tr)
				start := time.Now()
				res, _, err := Dial(t.Context(), tt.url, &DialOptions{HTTPClient: client})
				if took := time.Since(start); err != nil || took != 100*time.Millisecond {
					t.Fatalf("%v after %v", err, took)
				}
				defer res.Conn.Close()
				if l, r := res.Conn.LocalAddr().String(), res.Conn.RemoteAddr().String(); l != "a" || r != "b" {
					t.Errorf("addresses %q and %q", l, r)
				}
				r := io.MultiReader(strings.NewReader(string(res.Buffered)), res.Conn)
				for _, say := range []string{"", "hello ", "again "} {
					io.WriteString(res.Conn, say)
					want := say
					if say == "" {
						want = "glued "
					}
					got := make([]byte, len(want))
					if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
						t.Errorf("%q, %v, want %q", got, err, want)
					}
				}
				start = time.Now()
				res.Conn.SetReadDeadline(start.Add(time.Minute))
				if _, err := res.Conn.Read(make([]byte, 1)); !isTimeout(err) || time.Since(start) != time.Minute {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				if err := res.Conn.SetWriteDeadline(start); !errors.Is(err, os.ErrNoDeadline) {
					t.Errorf("write deadline: %v", err)
				}
				res.Conn.SetReadDeadline(time.Time{})
				io.WriteString(res.Conn, "late")
				got := make([]byte, 4)
				if _, err := io.ReadFull(res.Conn, got); err != nil || string(got) != "late" {
					t.Errorf("after the deadline: %q, %v", got, err)
				}
			})
		})
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// TestDialDeafCtx: ctx ends the look for what is buffered, and the connection.
func TestDialDeafCtx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		client, _ := deafClient(func(nc net.Conn) {
			serveEcho(nc)
			close(gone)
		})
		ctx, cancel := context.WithTimeout(t.Context(), drainTime/2)
		defer cancel()
		start := time.Now()
		_, _, err := Dial(ctx, "ws://example.com/", &DialOptions{HTTPClient: client})
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != drainTime/2 {
			t.Errorf("%v after %v", err, took)
		}
		<-gone
	})
}

// TestDialDeafFlood: a server that never stops sending holds up no one, and
// nothing of what it sends is lost; a read deadline ends the reading of it.
func TestDialDeafFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := deafClient(func(nc net.Conn) {
			defer nc.Close()
			r, err := http.ReadRequest(bufio.NewReader(nc))
			if err != nil {
				return
			}
			io.WriteString(nc, strings.ReplaceAll(goodAnswer, "ACCEPT", acceptOf(r))+"\r\n")
			io.Copy(nc, &endless{text: "0123456789"})
		})
		start := time.Now()
		res, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
		if took := time.Since(start); err != nil || took > time.Second {
			t.Fatalf("%v after %v", err, took)
		}
		defer res.Conn.Close()
		if n := len(res.Buffered); n > 2*drainBytes {
			t.Errorf("%d bytes buffered", n)
		}
		got := make([]byte, 1<<20)
		if _, err := io.ReadFull(io.MultiReader(strings.NewReader(string(res.Buffered)), res.Conn), got); err != nil {
			t.Fatal(err)
		}
		for i, c := range got {
			if c != byte('0'+i%10) {
				t.Fatalf("byte %d is %q", i, c)
			}
		}
		res.Conn.SetReadDeadline(past)
		if n, err := res.Conn.Read(got); !isTimeout(err) {
			t.Errorf("read past the deadline: %d bytes, %v", n, err)
		}
	})
}

// TestAcceptDeaf: a handshake over a stream that ignores deadlines is over when
// its time is, whichever side of it the peer neglects.
func TestAcceptDeaf(t *testing.T) {
	config := tlsConfig(t)
	const glut = 100 // bytes of room, less than any answer has
	raw := func(nc net.Conn) error { _, err := AcceptConn(nc, nil); return err }
	for _, tt := range []struct {
		name   string
		send   string
		accept func(nc net.Conn) error
		want   time.Duration
		status int // of the refusal, 0 for none
	}{
		{"silent peer", "", raw, defaultTimeout, 0},
		{"half a request", "GET / HTTP/1.1\r\nHost: example", raw, defaultTimeout, 0},
		{"answer not read", sample(""), raw, defaultTimeout, 0},
		{"refusal not read", without("Upgrade"), raw, defaultTimeout, http.StatusUpgradeRequired},
		{"half a TLS handshake", "\x16\x03\x01", func(nc net.Conn) error { return raw(tls.Server(nc, config.server)) }, defaultTimeout, 0},
		{"answer not read, after Hijack", "", func(nc net.Conn) error {
			_, err := Accept(newHijackRecorder(nc), readRequest(t, sample("")), nil)
			return err
		}, defaultTimeout, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pipe.NewSize(glut)
				defer a.Close()
				go io.WriteString(a, tt.send)
				start := time.Now()
				err := tt.accept(deafConn{b})
				e, refused := errors.AsType[*Error](err)
				if refused != (tt.status != 0) || refused && e.Status != tt.status || !refused && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("error %v", err)
				}
				if took := time.Since(start); took != tt.want {
					t.Errorf("took %v, want %v", took, tt.want)
				}
				if _, err := a.Write([]byte("x")); err == nil {
					t.Error("connection left open")
				}
			})
		})
	}
}

// TestLingerDeaf: nor is a peer that was refused listened to for ever there.
func TestLingerDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer a.Close()
		io.WriteString(a, without("Upgrade"))
		start := time.Now()
		_, err := AcceptConn(deafConn{b}, nil)
		if _, ok := errors.AsType[*Error](err); !ok || time.Since(start) != lingerTime {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestRefusalBodyDeaf: a transport whose bodies ignore the end of the request's
// ctx, and that they were closed, does not hold up the refusal.
func TestRefusalBodyDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		defer w.Close()
		go io.WriteString(w, "some")
		client := &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: http.Header{}, Body: io.NopCloser(r)}, nil
		})}
		start := time.Now()
		_, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
		e, ok := errors.AsType[*DialError](err)
		if took := time.Since(start); !ok || string(e.Body) != "some" || took != refusalTime {
			t.Errorf("%v after %v", err, took)
		}
	})
}
