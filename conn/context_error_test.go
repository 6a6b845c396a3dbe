package conn_test

import (
	"context"
	"testing"
	"time"
)

// Read returns the error of its ctx, over every stream.
func TestReadContextError(t *testing.T) {
	allOdds(t, nil, 1<<10, nil, func(b *bubble) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _, err := b.c.Read(ctx)
		wantError(b.T, err, context.DeadlineExceeded)
		b.noLaterThan(2 * time.Second)
	})
}
