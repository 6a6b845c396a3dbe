package conn

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// A deadline that has passed and is moved is no deadline: what it was can't end
// what comes after.
func TestDeadlineMoved(t *testing.T) {
	for i := range 20_000 {
		d := newDeadline()
		d.set(time.Now().Add(time.Duration(i%50) * 200))
		for range i % 7 {
			runtime.Gosched()
		}
		d.set(time.Time{})
		ctx, err := d.context()
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			runtime.Gosched()
		}
		if ctx.Err() != nil {
			t.Fatalf("round %d: a deadline that was taken back has ended a call: %v", i, context.Cause(ctx))
		}
	}
}
