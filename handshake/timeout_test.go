package handshake

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// TestHalfHandshakes: a thousand peers that stop in the middle of their request
// are gone at 10 s, while others are served.
func TestHalfHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		failed := make(chan error, 1000)
		var peers sync.WaitGroup
		for i := range 1000 {
			a, b := pipe.NewSize(4 << 10)
			in := sample("")
			peers.Go(func() {
				defer a.Close()
				io.WriteString(a, in[:i%len(in)])
				// Some trickle: each byte is well within any idle timeout.
				for n := i % len(in); i%3 == 0 && n < len(in)-1; n++ {
					<-time.After(time.Second)
					if _, err := io.WriteString(a, in[n:n+1]); err != nil {
						return
					}
				}
				io.Copy(io.Discard, a)
			})
			go func() {
				_, err := AcceptConn(b, nil)
				failed <- err
			}()
		}
		synctest.Wait()
		a, b := pipe.New()
		io.WriteString(a, sample(""))
		if _, err := AcceptConn(b, nil); err != nil {
			t.Error(err)
		}
		a.Close()
		b.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("a whole handshake took %v among halves", took)
		}
		for range 1000 {
			if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("error %v, want %v", err, os.ErrDeadlineExceeded)
			}
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("the last was gone after %v", took)
		}
		peers.Wait()
	})
}

func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		timeout, want time.Duration
	}{
		{0, 10 * time.Second},
		{3 * time.Second, 3 * time.Second},
		{-1, 20 * time.Second}, // when the peer gives up
	} {
		for _, wrap := range []func(net.Conn) net.Conn{
			func(nc net.Conn) net.Conn { return nc },
			func(nc net.Conn) net.Conn { return noDeadlines{nc} },
			func(nc net.Conn) net.Conn { return hastyConn{nc} },
		} {
			synctest.Test(t, func(t *testing.T) {
				a, b := pipe.New()
				start := time.Now()
				time.AfterFunc(20*time.Second, func() { a.Close() })
				b = wrap(b)
				_, err := AcceptConn(b, &Options{Limits: Limits{Timeout: tt.timeout}})
				if took := time.Since(start); err == nil || took != tt.want {
					t.Errorf("timeout %v of a %T: %v after %v, want %v", tt.timeout, b, err, took, tt.want)
				}
				<-time.After(20 * time.Second)
			})
		}
	}
}

// noDeadlines is a connection without deadlines.
type noDeadlines struct{ net.Conn }

// A hastyConn keeps its deadlines, but a second early. A timeout does not depend on those
// of a type that we do not know.
type hastyConn struct{ net.Conn }

func (c hastyConn) SetDeadline(t time.Time) error {
	if !t.IsZero() {
		t = t.Add(-time.Second)
	}
	return c.Conn.SetDeadline(t)
}

// TestNoDeadlines: after the handshake the timeout has no hold on a connection
// without deadlines.
func TestNoDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		io.WriteString(a, sample(""))
		res, err := AcceptConn(noDeadlines{b}, nil)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if _, err := res.Conn.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		a.Close()
		b.Close()
	})
}

// A lateConn's response goes out as the timeout strikes.
type lateConn struct{ noDeadlines }

func (c lateConn) Write(p []byte) (int, error) {
	<-time.After(defaultTimeout)
	synctest.Wait()
	return len(p), nil
}

func TestTimeoutDuringResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer a.Close()
		io.WriteString(a, sample(""))
		if _, err := AcceptConn(lateConn{noDeadlines{b}}, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v, want %v", err, os.ErrDeadlineExceeded)
		}
	})
}

// TestRefusalArrives: the peer that was refused reads the answer although it
// goes on sending, and is not listened to for ever.
func TestRefusalArrives(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flood int // octets that follow, -1: no end
		want  time.Duration
	}{
		{"silent", 0, time.Second},
		{"some octets", 100 << 10, time.Second},
		{"flood", -1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pipe.NewSize(4 << 10)
				start := time.Now()
				go func() {
					io.WriteString(a, without("Upgrade"))
					p := make([]byte, 1<<10)
					for n := 0; tt.flood < 0 || n < tt.flood; n += len(p) {
						if _, err := a.Write(p); err != nil {
							return
						}
					}
				}()
				_, err := AcceptConn(b, nil)
				if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusUpgradeRequired {
					t.Errorf("error %v", err)
				}
				if took := time.Since(start); took != tt.want {
					t.Errorf("took %v, want %v", took, tt.want)
				}
				a.SetReadDeadline(time.Now().Add(time.Second))
				answer, err := io.ReadAll(a)
				if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 426 ")) {
					t.Errorf("the peer got %q, %v", answer, err)
				}
				a.Close()
			})
		})
	}
}

// TestRefusalArrivesFull: the peer is listened to also if its request has filled the memory
// that it was read into.
func TestRefusalArrivesFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer a.Close()
		io.WriteString(a, strings.Replace(filled(readBytes, 2), "Upgrade: websocket", "Upgrade: something", 1))
		h := Opening{p: parsers.New().(*parser)}
		defer h.Release()
		h.p.reset(h.options())
		start := time.Now()
		_, err := h.Accept(b)
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusUpgradeRequired || h.p.n != len(h.p.in) {
			t.Errorf("error %v after %d bytes, want %v after %d", err, h.p.n, http.StatusUpgradeRequired, len(h.p.in))
		}
		if took := time.Since(start); took != lingerTime {
			t.Errorf("took %v, want %v", took, lingerTime)
		}
	})
}

// TestTLSTimeout: half a TLS handshake is half a handshake.
func TestTLSTimeout(t *testing.T) {
	config := tlsConfig(t)
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.New()
		defer a.Close()
		start := time.Now()
		_, err := AcceptConn(tls.Server(b, config.server), nil)
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != defaultTimeout {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// TestTLSTimeoutUnread: a peer that reads nothing after its TLS handshake is not waited for
// once the time is over, though TLS would tell it of the end.
func TestTLSTimeoutUnread(t *testing.T) {
	config := tlsConfig(t)
	config.server.SessionTicketsDisabled = true // they would be unread, too
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.NewSize(10) // less than an alert has
		defer a.Close()
		go tls.Client(a, config.client).Handshake()
		start := time.Now()
		_, err := AcceptConn(tls.Server(b, config.server), nil)
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != defaultTimeout {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// A countedCtx counts what waits for its end, which does not come.
type countedCtx struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int32
}

func (c *countedCtx) Done() <-chan struct{} { return c.done }
func (c *countedCtx) Err() error            { return nil }
func (c *countedCtx) Value(any) any         { return nil }

// AfterFunc is what package context calls.
func (c *countedCtx) AfterFunc(func()) (stop func() bool) {
	c.waiting.Add(1)
	return func() bool { c.waiting.Add(-1); return true }
}

// TestDialLeavesCtx: after Dial nothing waits for the end of ctx, or each call would cost a
// program memory for as long as its ctx lives.
func TestDialLeavesCtx(t *testing.T) {
	for _, answer := range []string{goodAnswer, "HTTP/1.1 404 Not Found\r\n"} {
		for _, timeout := range []time.Duration{0, time.Hour} {
			client := answering(answer + "\r\n")
			client.Timeout = timeout
			ctx := &countedCtx{Context: t.Context(), done: make(chan struct{})}
			res, _, err := Dial(ctx, "ws://example.com/", &DialOptions{HTTPClient: client})
			if err == nil {
				res.Conn.Close()
			}
			if n := ctx.waiting.Load(); n != 0 || (err == nil) != (answer == goodAnswer) {
				t.Errorf("%q, timeout %v: %d wait, %v", answer, timeout, n, err)
			}
		}
	}
}
