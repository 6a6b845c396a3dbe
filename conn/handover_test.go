package conn_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/wstest"
)

// A Read whose ctx ends loses no octet, wherever in a message it is, though it
// is a Reader that goes on.
func TestReaderBehindCancelledRead(t *testing.T) {
	const want, behind = "one, two, three: Grüße", "four"
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			octets := wire(conn.RoleServer, s, []string{want})
			for cut := range octets {
				synctest.Test(t, func(t *testing.T) {
					c, p := wstest.PipePeer(t, conn.RoleServer, &wstest.PipeOptions{Deflate: deflate})
					defer c.CloseNow()
					p.SendBytes(octets[:cut])
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					if _, _, err := c.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err)
					}
					p.SendBytes(octets[cut:])
					p.Send(wstest.Text(behind))
					wantStreamed(t, c, want)
					wantStreamed(t, c, behind)
				})
			}
		})
	}
}

// wantStreamed fails the test unless the next message, read through a Reader, is
// want.
func wantStreamed(t *testing.T, c *conn.Conn, want string) {
	t.Helper()
	_, r, err := c.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != want || err != nil {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}
