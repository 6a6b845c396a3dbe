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
		if !in.turn.held() {
			in.turn.take()
			in.wait.used = true
			in.use(done)
			in.mu.Unlock()
			// Asked again: the closer may have had the turn since.
			err := l.err()
			if err != nil {
				in.giveUpTurn()
			}
			return err
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
// deliver any more: when open is left, and after a failed write, when what had
// arrived still counts, at the end: settled is reached by that alone then.
func (in *inbound) undeliverable() <-chan struct{} {
	if in.c.life.is(broken) {
		return in.c.life.settled()
	}
	return in.c.life.left()
}

// giveUpTurn ends what takeTurn began.
func (in *inbound) giveUpTurn() {
	in.mu.Lock()
	if in.wakers != nil {
		in.wakers.leave()
	}
	if in.delivering.Load() {
		in.delivering.Store(false)
		in.wait.used = true // another goroutine may be about to go on: see receive_alone.go
	}
	in.turn.giveUp()
	in.mu.Unlock()
}

// inUse reports whether a message is being delivered, or a read has begun since
// this was asked last.
func (in *inbound) inUse() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	used := in.wait.used
	in.wait.used = false
	return used || in.busy()
}

// busy reports whether a message is being delivered: the caller may be in a
// callback of Each.
func (in *inbound) busy() bool { return in.delivering.Load() }
