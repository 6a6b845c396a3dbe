package conn

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// A connContext is a context.Context that ends when its connection does, and has
// the values of the upgrade request. It costs nothing: it is the connection.
type connContext struct{ c *Conn }

var _ context.Context = connContext{}

// Deadline implements context.Context: there is none.
func (connContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (x connContext) Done() <-chan struct{} { return x.c.life.left() }

// Err implements context.Context.
func (x connContext) Err() error {
	if x.c.life.is(open) {
		return nil
	}
	return context.Canceled
}

// Value implements context.Context.
func (x connContext) Value(key any) (v any) {
	if t := x.c.terms; t != nil && t.values != nil {
		v = t.values.Value(key)
	}
	if v == nil && key == http.LocalAddrContextKey {
		return x.c.LocalAddr()
	}
	return v
}

// AfterFunc lets package context watch for the end without a goroutine.
func (x connContext) AfterFunc(f func()) (stop func() bool) { return x.c.life.after(f) }

// done returns what tells that ctx ends while the connection lives: nil for one
// that can't end or is the connection's own, which costs no channel then.
func (c *Conn) done(ctx context.Context) <-chan struct{} {
	if c.owns(ctx) {
		return nil
	}
	return ctx.Done()
}

// owns reports whether ctx is the connection's own, which ends with it: what the
// connection has ended with says more than that.
func (c *Conn) owns(ctx context.Context) bool {
	x, _ := ctx.(connContext)
	return x.c == c
}

// contextError returns the error of a ctx that has ended, nil for one that has
// not.
func (c *Conn) contextError(op string, ctx context.Context) error {
	if c.owns(ctx) {
		return nil
	}
	return contextError(op, ctx)
}

func contextError(op string, ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("websocket: %s: %w", op, err)
	}
	return nil
}
