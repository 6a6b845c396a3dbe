package conn_test

import (
	"context"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/wstest"
)

// A read whose ctx ends while it discards what a Reader has left gives the others their turn, and
// they discard the rest.
func TestDiscardEnds(t *testing.T) {
	inBubbles(t, conn.Limits{}, func(b *bubble) {
		b.p.Send(wstest.Text("a").More())
		if _, _, err := b.c.Reader(b.Context()); err != nil {
			b.Fatal(err)
		}
		for range 2 {
			ctx, cancel := context.WithTimeout(b.Context(), time.Second)
			defer cancel()
			_, _, err := b.c.Read(ctx)
			wantError(b.T, err, context.DeadlineExceeded)
		}
		b.at(2 * time.Second)
		b.p.Send(wstest.Cont("b").More(), wstest.Cont("c"), wstest.Text("d"))
		if _, got, err := b.c.Read(b.Context()); err != nil || string(got) != "d" {
			b.Errorf("Read = %q, %v", got, err)
		}
	})
}
