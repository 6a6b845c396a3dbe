package conn_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
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
