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
func (x connContext) Value(key any) any {
	if x.c.values == nil {
		return nil
	}
	v := x.c.values.Value(key)
	if v == nil && key == http.LocalAddrContextKey {
		return x.c.LocalAddr()
	}
	return v
}

// values has those of the context of the request that a connection came with.
type values interface{ Value(key any) any }

// valuesOf returns the values of ctx. One that is as net/http made it is not kept
// for its two, of which the connection knows one: that would cost 8 % of an idle
// connection's memory.
func valuesOf(ctx context.Context) values {
	if s, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && isPlain(ctx, s) {
		return plainValues{s}
	}
	return ctx
}

// isPlain reports whether ctx is as net/http makes it for a request to s. A
// context of package context describes, as a string, all that it is made of.
func isPlain(ctx context.Context, s *http.Server) bool {
	plain := context.WithValue(context.Background(), http.ServerContextKey, s)
	plain = context.WithValue(plain, http.LocalAddrContextKey, ctx.Value(http.LocalAddrContextKey))
	plain, endConn := context.WithCancel(plain)
	defer endConn()
	plain, endRequest := context.WithCancel(plain)
	defer endRequest()
	return fmt.Sprint(ctx) == fmt.Sprint(plain)
}

// plainValues has what net/http puts into every context, but for our address.
type plainValues struct{ server *http.Server }

func (v plainValues) Value(key any) any {
	if key == http.ServerContextKey {
		return v.server
	}
	return nil
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
	x, ok := ctx.(connContext)
	return ok && x.c == c
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
