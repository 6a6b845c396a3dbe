package engineio_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
)

// A pool is a user's transport that counts how often its idle connections are closed.
type pool struct {
	http.RoundTripper
	closed atomic.Int64
}

func (p *pool) CloseIdleConnections() { p.closed.Add(1) }

// When a server is silent the idle connections of the user's transport are closed, since they
// may be dead too: the next session must not wait for them. Otherwise they stay.
func TestClientSilentServer(t *testing.T) {
	for _, tt := range []struct {
		name       string
		server     *fake
		transports []string
		end        func(c *engineio.Client)
		opens      bool
		closed     int64
		limit      time.Duration // of the caller's ctx
	}{
		{"silent on polling", &fake{get: never}, []string{"polling"}, nil, true, 1, 0},
		{"silent on WebSocket", &fake{ws: func(c *conn.Conn, _ *http.Request) { waitForEnd(c) }}, []string{"websocket"}, nil, false, 1, 0},
		{"silent before", &fake{any: func(w http.ResponseWriter, r *http.Request) bool { never(w, r); return true }}, []string{"polling"}, nil, false, 1, 0},
		{"the caller has no time", &fake{any: func(w http.ResponseWriter, r *http.Request) bool { never(w, r); return true }}, []string{"polling"}, nil, false, 0, time.Second},
		{"closed here", &fake{get: never}, []string{"polling"}, (*engineio.Client).Close, true, 0, 0},
		{"refused", &fake{any: func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }}, []string{"polling"}, nil, false, 0, 0},
	} {
		withFake(t, tt.server, func(s *site) {
			p := &pool{RoundTripper: s.http.Transport}
			ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(tt.limit, time.Hour))
			defer cancel()
			c, err := engineio.Dial(ctx, "http://test/engine.io/", func(*engineio.Client) engineio.Receiver { return ignored{} },
				&engineio.DialOptions{Transports: tt.transports, HTTPClient: &http.Client{Transport: p}})
			if (err == nil) != tt.opens {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if err == nil {
				if tt.end != nil {
					tt.end(c)
				}
				<-c.Done()
				err = c.Err()
			}
			if silent := errors.Is(err, os.ErrDeadlineExceeded); silent != (tt.closed > 0) || p.closed.Load() != tt.closed {
				t.Errorf("%s: %v; idle connections were closed %d times, want %d", tt.name, err, p.closed.Load(), tt.closed)
			}
			time.Sleep(time.Minute)
		})
	}
}

// ignored is a Receiver that does nothing.
type ignored struct{}

func (ignored) Message([]byte, bool)   {}
func (ignored) Closed(engineio.Reason) {}
