package conn

import (
	"context"
	"fmt"

	"github.com/parleyws/parley/conn/internal/message"
)

// A turn lets one goroutine at a time do something for as long as it takes.
// Its fields are guarded by the mutex of what it belongs to.
type turn struct {
	held bool
	free chan struct{} // closed when it is given up; nil: nobody waits
}

// vacancy returns a channel that is closed when the turn is given up.
func (t *turn) vacancy() <-chan struct{} {
	if t.free == nil {
		t.free = make(chan struct{})
	}
	return t.free
}

func (t *turn) giveUp() {
	t.held = false
	if t.free != nil {
		close(t.free)
		t.free = nil
	}
}

// takeTurn waits for the turn to read. It fails when the connection is over
// or ctx ends.
func (in *inbound) takeTurn(ctx context.Context) error {
	if err := contextError("read", ctx); err != nil {
		return err
	}
	done := in.c.done(ctx)
	in.mu.Lock()
	for in.turn.held {
		free := in.turn.vacancy()
		in.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return contextError("read", ctx)
		}
		in.mu.Lock()
	}
	in.turn.held = true
	in.use(done)
	in.mu.Unlock()
	if in.c.end.is(over) {
		in.giveUpTurn()
		return in.c.end.err()
	}
	return nil
}

func (in *inbound) giveUpTurn() {
	in.mu.Lock()
	in.turn.giveUp()
	in.mu.Unlock()
}

// finishTurn gives the turn up. If the connection is being closed by us the
// closing handshake is completed first: nobody else may come to do it.
func (in *inbound) finishTurn() {
	if in.c.out.closed() {
		in.complete()
	}
	in.mu.Lock()
	in.arm.leave()
	in.turn.giveUp()
	in.mu.Unlock()
}

// complete reads until the connection is over.
func (in *inbound) complete() {
	for !in.c.end.is(over) {
		in.next(context.Background(), message.Whole)
	}
}

// finish sees to it that the closing handshake is completed after a local
// Close: by the goroutine that waits in a read, or by this one. It returns
// false when one is busy with a message, which will do it later.
func (in *inbound) finish() bool {
	in.mu.Lock()
	if in.turn.held {
		defer in.mu.Unlock()
		return in.wait.on
	}
	in.turn.held = true
	in.mu.Unlock()
	in.complete()
	in.giveUpTurn()
	return true
}

// contextError returns the error of a ctx that has ended, nil for one that
// has not.
func contextError(op string, ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("websocket: %s: %w", op, err)
	}
	return nil
}
