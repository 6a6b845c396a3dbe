package conn

import (
	"context"
	"time"
)

// A connContext is a context.Context that ends with its connection. It costs
// nothing: it is the connection.
type connContext struct{ c *Conn }

var _ context.Context = connContext{}

// Deadline implements context.Context: there is none.
func (connContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (x connContext) Done() <-chan struct{} { return x.c.end.done() }

// Err implements context.Context.
func (x connContext) Err() error {
	if x.c.end.is(over) {
		return context.Canceled
	}
	return nil
}

// done returns what tells that ctx ends while the connection lives: nil for one
// that can't end or is the connection's own, which costs no channel then.
func (c *Conn) done(ctx context.Context) <-chan struct{} {
	if x, ok := ctx.(connContext); ok && x.c == c {
		return nil
	}
	return ctx.Done()
}

// Value implements context.Context: there are none.
func (connContext) Value(any) any { return nil }

// AfterFunc lets package context watch for the end without a goroutine.
func (x connContext) AfterFunc(f func()) (stop func() bool) { return x.c.end.after(f) }
