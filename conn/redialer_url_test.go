package conn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A tripper answers each request by a function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through returns options whose requests go through rt.
func through(rt http.RoundTripper) *conn.DialOptions {
	return &conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: &http.Client{Transport: rt}}}
}

// TestRedialerChecks: what can't be meant is an error of Run, which names the field
// and the value, and nothing is dialed.
func TestRedialerChecks(t *testing.T) {
	const url = "ws://example.com/"
	dial := func(context.Context) (*conn.Conn, error) {
		t.Error("dialed")
		return nil, conn.ErrStop
	}
	for want, r := range map[string]conn.Redialer{
		"Redialer.FirstDelay is -1ns, want more than 0, or 0 for the default": {Dial: dial, FirstDelay: -1},
		"Redialer.MaxDelay is -1ns, want more than 0, or 0 for the default":   {Dial: dial, MaxDelay: -1},
		"Redialer.FirstDelay is 2s, want no more than MaxDelay, 1s":           {Dial: dial, FirstDelay: 2 * time.Second, MaxDelay: time.Second},
		"Redialer.FirstDelay is 2ns, want no more than MaxDelay, 1ns":         {Dial: dial, FirstDelay: 2, MaxDelay: 1},
		"Redialer.Jitter is 1.5, want at most 1":                              {Dial: dial, Jitter: 1.5},
		"Redialer.Jitter is NaN, want at most 1":                              {Dial: dial, Jitter: math.NaN()},
		"Redialer.URL and Options are of no use with Dial":                    {Dial: dial, URL: url},
		"Redialer.URL and Options are of no use with Dial ":                   {Dial: dial, Options: &conn.DialOptions{}},
		`scheme "" is none of ws, wss, http, https`:                           {},
		`scheme "ftp" is none of ws, wss, http, https`:                        {URL: "ftp://example.com/"},
		`DialOptions.Host: "a b" is not a host`:                               {URL: url, Options: &conn.DialOptions{Handshake: handshake.DialOptions{Host: "a b"}}},
		"conn.Options.Compression.Codec: a conn_test.uncomparable can't be compared, and what it makes is kept by it": {
			URL: url, Options: &conn.DialOptions{Conn: conn.Options{Compression: conn.Compression{Codec: uncomparable{}}}},
		},
	} {
		r.OnRedial = func(*conn.Redial) { t.Error("told of what is no failure") }
		err := r.Run(t.Context(), unserved(t))
		got := strings.TrimPrefix(strings.TrimPrefix(fmt.Sprint(err), "websocket: "), "redial: ")
		if want = strings.TrimSpace(want); err == nil || got != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestRedialerRefusals: a refusal that will not change ends Run, and every other
// failure is followed by another attempt.
func TestRedialerRefusals(t *testing.T) {
	again := map[int]bool{399: true, 404: true, 408: true, 421: true, 425: true, 429: true, 499: false}
	for status := 200; status < 600; status++ {
		if status%100 > 31 {
			continue
		}
		again[status] = again[status] || status/100 != 4
	}
	for status := range 600 {
		again, ok := again[status]
		if !ok {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			start, told := time.Now(), 0
			r := conn.Redialer{
				URL:    "ws://example.com/",
				Jitter: -1,
				Options: through(tripper(func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("no"))}, nil
				})),
				OnRedial: func(d *conn.Redial) {
					told++
					if d.Stop == again {
						t.Errorf("status %d: Stop is %v", status, d.Stop)
					}
					d.Stop = d.Stop || told == 3
				},
			}
			err := r.Run(t.Context(), unserved(t))
			if e, ok := errors.AsType[*handshake.DialError](err); !ok || e.Status != status {
				t.Errorf("status %d: %v", status, err)
			}
			want := time.Duration(0)
			if again {
				want = 3 * time.Second
			}
			if got := time.Since(start); got != want {
				t.Errorf("status %d: Run has ended after %v, want %v", status, got, want)
			}
			r.OnRedial = nil // the rule is the same
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if ended := errors.Is(r.Run(ctx, unserved(t)), context.DeadlineExceeded); ended != again {
				t.Errorf("status %d without OnRedial: Run has gone on: %v", status, ended)
			}
		})
	}
}

// TestRedialerFinalIgnored: OnRedial may go on after a refusal that is final by
// itself, and an error of serve is never final, whatever it wraps.
func TestRedialerFinalIgnored(t *testing.T) {
	refusal := fmt.Errorf("serve: %w", &handshake.DialError{Status: http.StatusForbidden})
	redial(t, func(t *testing.T, rt *redialTest) {
		rt.fail = func(context.Context) error {
			if len(rt.dials) <= 2 {
				return refusal
			}
			return nil
		}
		var stops []bool
		rt.r.OnRedial = func(d *conn.Redial) {
			stops = append(stops, d.Stop)
			d.Stop = false
		}
		err := rt.r.Run(t.Context(), func(context.Context, *conn.Conn) error {
			if len(rt.conns) == 1 {
				return refusal
			}
			return nil
		})
		if want := []bool{true, true, false}; err != nil || !reflect.DeepEqual(stops, want) {
			t.Errorf("Stop was %v, want %v; Run: %v", stops, want, err)
		}
		rt.wantDials(0, time.Second, 3*time.Second, 7*time.Second)
	})
}

// TestRedialerServer: a client comes back to a Server that is restarted, through
// net/http at both ends, and its first attempt may fail.
func TestRedialerServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var listener atomic.Pointer[pipe.Listener] // nil: the server is down
		run := func(d time.Duration) {
			server := &conn.Server{Serve: func(ctx context.Context, c *conn.Conn, _ *http.Request) error {
				return each(c, ctx, func(m conn.Message) error { return c.Write(ctx, m.Type, m.Payload) })
			}}
			web, l := &http.Server{Handler: server}, pipe.Listen()
			go web.Serve(l)
			listener.Store(l)
			<-time.After(d)
			listener.Store(nil)
			web.Close()
			if err := server.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
		go func() {
			<-time.After(2 * time.Second)
			run(time.Minute)
			<-time.After(10 * time.Second)
			run(time.Minute)
		}()
		r := conn.Redialer{
			URL:    "ws://example.com/",
			Jitter: -1,
			Options: through(&http.Transport{
				DisableKeepAlives: true,
				DialContext: func(ctx context.Context, network, addr string) (nc net.Conn, err error) {
					if l := listener.Load(); l != nil {
						return l.DialContext(ctx, network, addr)
					}
					return nil, errNoNetwork
				},
			}),
		}
		var served []time.Duration
		err := r.Run(t.Context(), func(ctx context.Context, c *conn.Conn) error {
			served = append(served, time.Since(start))
			if err := c.Write(ctx, conn.Text, []byte("hello")); err != nil {
				return err
			}
			_, p, err := c.Read(ctx)
			if err != nil || string(p) != "hello" {
				t.Errorf("got %q, %v", p, err)
			}
			if len(served) == 2 {
				return nil
			}
			_, _, err = c.Read(ctx)
			wantClosed(t, err, frame.StatusGoingAway)
			return err
		})
		// Down until 2 s: dials at 0, 1 and 3 s. Down from 62 to 72 s: at 63, 65, 69
		// and 74 s.
		if want := []time.Duration{3 * time.Second, 74 * time.Second}; err != nil || !reflect.DeepEqual(served, want) {
			t.Errorf("served at %v, want %v; Run: %v", served, want, err)
		}
		<-time.After(time.Minute) // the server ends
	})
}

// The ctx of an attempt ends with it, and keeps nothing for as long as the connection is served.
func TestRedialerEndsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempt context.Context
		r := conn.Redialer{Dial: func(ctx context.Context) (*conn.Conn, error) {
			attempt = ctx
			ours, theirs := pipe.New()
			t.Cleanup(func() { theirs.Close() })
			return conn.New(&handshake.Result{Conn: ours}, conn.RoleClient, nil)
		}}
		wantError(t, r.Run(t.Context(), func(ctx context.Context, c *conn.Conn) error {
			if attempt.Err() != context.Canceled || ctx.Err() != nil {
				t.Errorf("while the connection is served the ctx of Dial says %v, and its own %v", attempt.Err(), ctx.Err())
			}
			c.CloseNow()
			return conn.ErrStop
		}), conn.ErrStop)
	})
}
