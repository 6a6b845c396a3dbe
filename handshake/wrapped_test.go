package handshake

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A watchedBody is the body of a response with a span around it, as
// instrumentation has one: it notes each error but io.EOF up to the end, which
// is the first io.EOF or Close.
type watchedBody struct {
	io.ReadWriteCloser
	mu     sync.Mutex
	errors []error
	ended  bool
	closed int
}

func (b *watchedBody) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil || b.ended:
	case err == io.EOF:
		b.ended = true
	default:
		b.errors = append(b.errors, err)
	}
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadWriteCloser.Read(p)
	b.note(err)
	return n, err
}

func (b *watchedBody) Close() error {
	b.mu.Lock()
	b.ended = true
	b.closed++
	b.mu.Unlock()
	return b.ReadWriteCloser.Close()
}

// watching returns client with each body wrapped, which it sends.
func watching(client *http.Client) (*http.Client, <-chan *watchedBody) {
	base := client.Transport
	bodies := make(chan *watchedBody, 1)
	c := *client
	c.Transport = tripper(func(r *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		w, ok := resp.Body.(io.ReadWriteCloser)
		if !ok {
			w = struct {
				io.ReadCloser
				io.Writer
			}{resp.Body, nil}
		}
		b := &watchedBody{ReadWriteCloser: w}
		resp.Body = b
		bodies <- b
		return resp, nil
	})
	return &c, bodies
}

// TestDialWrapped: a body that the transport wraps sees all bytes of the
// connection and its end, and no read of it fails on purpose, not even at a
// deadline.
func TestDialWrapped(t *testing.T) {
	const glued = "glued"
	for _, tt := range []struct {
		name string
		talk func(t *testing.T, nc net.Conn, peer io.Closer)
	}{
		{"we close", func(t *testing.T, nc net.Conn, _ io.Closer) {
			nc.Close()
			if err := nc.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second Close = %v", err)
			}
		}},
		{"the peer closes", func(t *testing.T, nc net.Conn, peer io.Closer) {
			peer.Close()
			if n, err := nc.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("read %d, %v", n, err)
			}
			nc.Close()
		}},
		{"we close while a read waits", func(t *testing.T, nc net.Conn, _ io.Closer) {
			read := make(chan error)
			go func() {
				_, err := nc.Read(make([]byte, 1))
				read <- err
			}()
			synctest.Wait()
			nc.Close()
			if err := <-read; err != net.ErrClosed {
				t.Errorf("read: %v", err)
			}
		}},
		{"a read deadline passes", func(t *testing.T, nc net.Conn, _ io.Closer) {
			for range 3 {
				nc.SetReadDeadline(time.Now().Add(time.Second))
				if _, err := nc.Read(make([]byte, 1)); !isTimeout(err) {
					t.Errorf("read: %v", err)
				}
			}
			nc.SetReadDeadline(time.Time{})
			io.WriteString(nc, "more")
			got := make([]byte, 4)
			if _, err := io.ReadFull(nc, got); err != nil || string(got) != "more" {
				t.Errorf("%q, %v", got, err)
			}
			nc.Close()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var peer net.Conn
				client, bodies := watching(scripted(func(nc net.Conn, r *http.Request) {
					defer nc.Close()
					peer = nc
					io.WriteString(nc, strings.ReplaceAll(goodAnswer, "ACCEPT", acceptOf(r))+"\r\n"+glued)
					io.Copy(nc, nc)
				}))
				res, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client})
				if err != nil {
					t.Fatal(err)
				}
				body := <-bodies
				io.WriteString(res.Conn, " and echoed")
				want := glued + " and echoed"
				got := make([]byte, len(want))
				r := io.MultiReader(strings.NewReader(string(res.Buffered)), res.Conn)
				if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
					t.Errorf("%q, %v, want %q", got, err, want)
				}
				tt.talk(t, res.Conn, peer)
				synctest.Wait()
				body.mu.Lock()
				defer body.mu.Unlock()
				if len(body.errors) > 0 || !body.ended || body.closed != 1 {
					t.Errorf("errors %v, ended %v, closed %d times", body.errors, body.ended, body.closed)
				}
			})
		})
	}
}

// TestDialWrappedRefusal: the body of a response that opens no connection is
// closed too, whatever is wrong with the response.
func TestDialWrappedRefusal(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nsome",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("x", 2000),
		strings.Replace(goodAnswer, "ACCEPT", sampleAccept, 1) + "\r\n",
	} {
		client, bodies := watching(answering(answer))
		if _, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: client}); err == nil {
			t.Fatal("accepted")
		}
		if b := <-bodies; len(b.errors) > 0 || b.closed != 1 {
			t.Errorf("%q: errors %v, closed %d times", answer[:12], b.errors, b.closed)
		}
	}
}

// TestDialAddsField: a RoundTripper that leaves the body as it is does not stand
// between us and the connection.
func TestDialAddsField(t *testing.T) {
	s := httptest.NewServer(echo(t, nil))
	defer s.Close()
	base := s.Client().Transport
	client := &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer token")
		return base.RoundTrip(r)
	})}
	res, _, err := Dial(t.Context(), s.URL, &DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Conn.Close()
	if _, ok := res.Conn.(*net.TCPConn); !ok {
		t.Errorf("connection is a %T", res.Conn)
	}
}

// TestDialOtherContext: where a RoundTripper sends the request with a context of its own, so
// that nothing tells us the connection, the body is the stream.
func TestDialOtherContext(t *testing.T) {
	s := httptest.NewServer(echo(t, nil))
	defer s.Close()
	base := s.Client().Transport
	client := &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		return base.RoundTrip(r.WithContext(context.Background()))
	})}
	res, _, err := Dial(t.Context(), s.URL, &DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Conn.Close()
	io.WriteString(res.Conn, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(res.Conn, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestDialOtherConn: where the connection that httptrace told last is not the
// one that the body reads from, as when a RoundTripper sends a request twice
// and takes the faster answer, the body is the stream.
func TestDialOtherConn(t *testing.T) {
	s := httptest.NewServer(echo(t, nil))
	defer s.Close()
	base := s.Client().Transport
	client := &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		first, err := base.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		second, err := base.RoundTrip(r)
		if err == nil {
			t.Cleanup(func() { second.Body.Close() })
		}
		return first, err
	})}
	res, _, err := Dial(t.Context(), s.URL, &DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Conn.Close()
	io.WriteString(res.Conn, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(res.Conn, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if err := res.Conn.SetWriteDeadline(past); err != os.ErrNoDeadline {
		t.Errorf("write deadline: %v", err)
	}
	if l, r := res.Conn.LocalAddr().String(), res.Conn.RemoteAddr().String(); l != "" || r != s.Listener.Addr().String() {
		t.Errorf("addresses %q and %q, of a connection that is not ours", l, r)
	}
}
