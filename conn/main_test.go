package conn_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/leakcheck"
)

var inLoop = flag.Bool("loop", false, "have a loop serve the connections")

func TestMain(m *testing.M) {
	flag.Parse()
	if *inLoop {
		conn.UseLoop()
	}
	leakcheck.Main(m)
}

// each is c.Each. With -loop the loop calls f, unless ctx may end.
func each(c *conn.Conn, ctx context.Context, f func(conn.Message) error) error {
	return eachBy(c, ctx, *inLoop, f)
}

func eachBy(c *conn.Conn, ctx context.Context, loop bool, f func(conn.Message) error) error {
	if !loop || ctx.Done() != nil && ctx != conn.ServeContext(c) {
		return c.Each(ctx, f)
	}
	ended := make(chan error, 1)
	conn.Receive(c, f, func(err error) { ended <- err })
	return <-ended
}

// bothRoles runs f with the role that the Conn under test plays.
func bothRoles(t *testing.T, f func(t *testing.T, role conn.Role)) {
	t.Run("server", func(t *testing.T) { f(t, conn.RoleServer) })
	t.Run("client", func(t *testing.T) { f(t, conn.RoleClient) })
}

// A way is one of the ways to read a message.
type way struct {
	name string
	read func(*conn.Conn) (conn.MessageType, []byte, error)
}

var errEnough = errors.New("enough")

var ways = []way{
	{"Read", func(c *conn.Conn) (conn.MessageType, []byte, error) { return c.Read(context.Background()) }},
	{"Each", func(c *conn.Conn) (op conn.MessageType, p []byte, err error) {
		err = each(c, context.Background(), func(m conn.Message) error {
			op, p = m.Type, append([]byte{}, m.Payload...)
			return errEnough
		})
		if err == errEnough {
			err = nil
		}
		return op, p, err
	}},
	{"Reader", func(c *conn.Conn) (conn.MessageType, []byte, error) {
		op, r, err := c.Reader(context.Background())
		if err != nil {
			return op, nil, err
		}
		p, err := io.ReadAll(r)
		return op, p, err
	}},
}

// allWays runs f with each way to read a message.
func allWays(t *testing.T, f func(t *testing.T, w way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { f(t, w) })
	}
}

// wantCode fails the test unless err says that the peer broke a rule and was
// told so with code.
func wantCode(t *testing.T, err error, code frame.StatusCode) {
	t.Helper()
	if e, ok := errors.AsType[*frame.Error](err); !ok || e.Code != code {
		t.Errorf("got %v, want a *frame.Error with %v", err, code)
	}
}

// wantClosed fails the test unless err says that the peer closed with code.
func wantClosed(t *testing.T, err error, code frame.StatusCode) {
	t.Helper()
	if e, ok := errors.AsType[*conn.CloseError](err); !ok || e.Code != code {
		t.Errorf("got %v, want a *conn.CloseError with %v", err, code)
	}
}

// wantError fails the test unless err is target.
func wantError(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v, want %v", err, target)
	}
}

// limits returns the options with l.
func limits(l conn.Limits) *conn.Options { return &conn.Options{Limits: l} }

// wantClosedHere fails the test unless err says that we have closed.
func wantClosedHere(t *testing.T, err error) {
	t.Helper()
	wantError(t, err, net.ErrClosed)
}

// isContextError reports whether err says that a ctx has ended.
func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// must returns v of a call that can't fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
