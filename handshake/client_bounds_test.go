package handshake

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
		{"the shortest timeout", 1, 0, time.Hour, 1},
		{"ctx", 0, second, time.Hour, second},
		{"the earlier", 3 * second, 2 * second, time.Hour, 2 * second},
		{"in time", 2 * second, 3 * second, second, 0},
		{"our own transport's", 0, 0, time.Hour, 30 * second},
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

// TestDialOwnBounds: the transport of those who bring none bounds the head of the response.
func TestDialOwnBounds(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", responseHeadBytes))
	}))
	defer s.Close()
	for _, o := range []*DialOptions{nil, {HTTPClient: new(http.Client)}} {
		if _, resp, err := Dial(t.Context(), s.URL, o); err == nil || resp != nil {
			t.Errorf("response %v, error %v", resp != nil, err)
		}
	}
}

// TestNewTransport: ours is a copy that speaks HTTP/1.1 alone.
func TestNewTransport(t *testing.T) {
	base := &http.Transport{MaxConnsPerHost: 3, ForceAttemptHTTP2: true}
	got := newTransport(base)
	if got == base || got.MaxConnsPerHost != 3 || !got.Protocols.HTTP1() || got.Protocols.HTTP2() || got.MaxResponseHeaderBytes != 64<<10 {
		t.Errorf("copy is %+v", got)
	}
	if base.Protocols != nil || base.MaxResponseHeaderBytes != 0 {
		t.Errorf("original became %+v", base)
	}
	if got := newTransport(failingTripper{t}); got.Proxy == nil || got.MaxResponseHeaderBytes != 64<<10 {
		t.Errorf("without a base %+v", got)
	}
}
