package conn_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// TestRedialerLeavesContext: Run watches its ctx for the connection that is served, and not for
// those before, each of which would cost a program memory for as long as it runs.
func TestRedialerLeavesContext(t *testing.T) {
	redial(t, func(t *testing.T, rt *redialTest) {
		ctx := tallied{context.Background(), make(chan struct{}), new(atomic.Int32)}
		rt.stopAfter(3)
		err := rt.r.Run(ctx, func(context.Context, *conn.Conn) error {
			if n := ctx.watch.Load(); n != 1 {
				t.Errorf("connection %d: ctx is watched %d times, want once", len(rt.conns), n)
			}
			return errEnough
		})
		wantError(t, err, errEnough)
		if n := ctx.watch.Load(); n != 0 || len(rt.conns) != 3 {
			t.Errorf("after %d connections ctx is watched %d times", len(rt.conns), n)
		}
	})
}

// TestRedialerLastWord: what serve returns when it has seen the end of Run's ctx says how the
// connection is closed, unless it is closed already: with 1001 after an error, which is probably
// that end, and with 1000 after nil.
func TestRedialerLastWord(t *testing.T) {
	for _, c := range []struct {
		err  error
		code frame.StatusCode
	}{
		{nil, frame.StatusNormalClosure},
		{conn.ErrStop, frame.StatusNormalClosure},
		{&conn.CloseError{Code: 4001}, 4001},
		{context.Canceled, frame.StatusGoingAway},
		{errEnough, frame.StatusGoingAway},
	} {
		redial(t, func(t *testing.T, rt *redialTest) {
			parent, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx := tallied{parent, make(chan struct{}), new(atomic.Int32)} // which calls nobody
			err := rt.r.Run(ctx, func(context.Context, *conn.Conn) error {
				cancel()
				close(ctx.done)
				return c.err
			})
			rt.wantCode(c.code)
			if want := c.err; want == nil || want == conn.ErrStop {
				if err != want {
					t.Errorf("%v: Run = %v", c.err, err)
				}
			} else {
				wantError(t, err, context.Canceled)
			}
		})
	}
}
