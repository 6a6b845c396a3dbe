package conn_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/parleyws/parley/conn"
)

// Labels that a handler sets by pprof.Do are those of its call, and of no other: not of the
// next message, nor of another connection that the same worker of a loop serves.
func TestLabelsEndWithTheCall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var number int
	t.Cleanup(serveRaw(&conn.Server{
		Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}},
		Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			return func(m conn.Message) (err error) {
				if got := labelsHere(); got != "" {
					t.Errorf("message %d has the labels %s from before", number, got)
				}
				if number++; number%2 == 0 {
					return c.Write(ctx, m.Type, m.Payload)
				}
				pprof.Do(ctx, pprof.Labels("message", "odd"), func(ctx context.Context) {
					if got := labelsHere(); got != `{"message":"odd"}` {
						t.Errorf("message %d has the labels %s", number, got)
					}
					err = c.Write(ctx, m.Type, m.Payload)
				})
				return err
			}
		},
	}, l))
	callers := openMany(t, l, 5)
	for n := range 100 { // one at a time
		c := callers[n%len(callers)]
		if c.echo(); c.err != nil {
			t.Fatal(c.err)
		}
	}
}

// Labels that somebody sets around ServeHTTP, who may have made a loop begin, or one more
// worker run, are not those of its workers: other connections would have them, for good.
func TestLabelsAreNotInherited(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no loop takes sockets on this system")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &conn.Server{
		Options: &conn.AcceptOptions{Conn: conn.Options{Loop: &conn.Loop{}}},
		Handle: func(ctx context.Context, c *conn.Conn, _ *http.Request) func(conn.Message) error {
			return func(m conn.Message) error {
				return c.Write(ctx, m.Type, append([]byte(labelsHere()), m.Payload...))
			}
		},
	}
	t.Cleanup(serveBehind(s, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pprof.Do(r.Context(), pprof.Labels("request", "first"), func(context.Context) { s.ServeHTTP(w, r) })
	})))
	for _, c := range openMany(t, l, 3) {
		if c.echo(); c.err != nil {
			t.Error(c.err)
		}
	}
}

// labelsHere returns the labels of the goroutine that calls it, as a profile shows them; ""
// if it has none. One goroutine may call it at a time.
//
//go:noinline
func labelsHere() string {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for group := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(group, "conn_test.labelsHere+") {
			continue
		}
		for line := range strings.SplitSeq(group, "\n") {
			if labels, ok := strings.CutPrefix(line, "# labels: "); ok {
				return labels
			}
		}
	}
	return ""
}
