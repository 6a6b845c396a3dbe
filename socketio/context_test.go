package socketio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/parleyws/parley/socketio"
)

// The ctx of a handler ends with the socket, with its cause, whatever of it is asked first, and
// so do those that are made of it, and the channel that Done has returned before; until then it
// has no end.
func TestContext(t *testing.T) {
	ask := map[string]func(ctx context.Context){
		"nothing": func(context.Context) {},
		"Done":    func(ctx context.Context) { ctx.Done() },
		"Err":     func(ctx context.Context) { ctx.Err() },
		"Value":   func(ctx context.Context) { ctx.Value("x") },
		"Cause":   func(ctx context.Context) { context.Cause(ctx) },
	}
	for name, first := range ask {
		inBubble(t, nil, func(s *site) {
			got := make(chan context.Context, 1)
			s.io.OnConnect(func(n *socketio.Socket) {
				socketio.On(n, "ask", func(ctx context.Context, _ string) error {
					first(ctx)
					got <- ctx
					return nil
				})
			})
			r := s.client()
			r.send(`2["ask","x"]`)
			ctx := <-got
			if _, ok := ctx.Deadline(); ok || ctx.Err() != nil || context.Cause(ctx) != nil {
				t.Errorf("%s: the ctx of a socket that is connected: %v, %v", name, ctx.Err(), context.Cause(ctx))
			}
			done := ctx.Done()
			child, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			r.c.CloseNow()
			<-done
			<-ctx.Done()
			<-child.Done()
			for _, ctx := range []context.Context{ctx, child} {
				if _, ok := errors.AsType[*socketio.DisconnectError](context.Cause(ctx)); !ok || ctx.Err() != context.Canceled {
					t.Errorf("%s: ended with %v, %v", name, ctx.Err(), context.Cause(ctx))
				}
			}
		})
	}
}
