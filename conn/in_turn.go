package conn

import "context"

// takeTurn waits for the turn to read. It fails when nothing will be delivered
// any more, or when ctx ends.
func (in *inbound) takeTurn(ctx context.Context) error {
	l := &in.c.life
	done := in.c.done(ctx)
	for {
		if err := l.err(); err != nil {
			return err
		}
		if err := in.c.contextError("read", ctx); err != nil {
			return err
		}
		in.mu.Lock()
		if !in.turn.held {
			in.turn.held = true
			in.use(done)
			in.mu.Unlock()
			return nil
		}
		free := in.turn.vacancy()
		in.mu.Unlock()
		select {
		case <-free:
		case <-done:
		case <-in.undeliverable():
		}
	}
}

// undeliverable returns a channel that is closed when there may be nothing to
// deliver any more.
func (in *inbound) undeliverable() <-chan struct{} {
	if in.c.life.is(open) {
		return in.c.life.left()
	}
	return in.c.life.gone()
}

// giveUpTurn ends what takeTurn began.
func (in *inbound) giveUpTurn() {
	in.mu.Lock()
	in.arm.leave()
	in.turn.giveUp()
	in.mu.Unlock()
}

// busy reports whether a goroutine has the turn and does not wait for bytes:
// it may be in a callback, which may be the caller's own.
func (in *inbound) busy() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.turn.held && !in.wait.on
}
