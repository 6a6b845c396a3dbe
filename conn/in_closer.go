package conn

import (
	"context"

	"github.com/parleyws/parley/conn/internal/message"
)

// finish is the closer: a goroutine of the connection's own that does, once it
// has ended for the application, what is left to do for the stream. It waits
// for the turn to read, reads up to the peer's Close frame if we have closed,
// then to the stream's end, and lets go of everything when what was written
// before is out. Its bounds are Limits.CloseTimeout from our Close frame on, and
// Limits.WriteTimeout before.
func (in *inbound) finish() {
	if !in.takeTurnAtLast() {
		return
	}
	defer in.giveUpTurn()
	l := &in.c.life
	for l.is(closing) || l.is(broken) {
		in.next(context.Background(), message.Stream) // nothing is kept, and so nothing is too long
	}
	in.parser.Release()
	in.drain()
	in.c.end(finished, errClosed)
}

// takeTurnAtLast waits for the turn to read, for good, and reports whether there
// is something left to do with it.
func (in *inbound) takeTurnAtLast() bool {
	for {
		in.mu.Lock()
		if !in.turn.held() {
			in.turn.take()
			in.wait.last = true
			in.use(nil)
			in.mu.Unlock()
			return true
		}
		free := in.turn.vacancy()
		in.mu.Unlock()
		select {
		case <-free:
		case <-in.c.life.gone():
			return false
		}
	}
}

// drain reads to the end of the stream while what is pending goes out. A server
// gives up after a second of silence with all of it out, a client, which waits
// for the server to end the stream (RFC 6455, section 7.1.1), after
// Limits.CloseTimeout.
func (in *inbound) drain() {
	c := in.c
	patience := drainTime
	if !c.life.serving {
		patience = c.settings.CloseTimeout
	}
	unsent := func() bool { idle, since := c.out.isIdle(); return !idle || since < patience }
	for left := patience; c.life.is(closed); {
		if ended := c.stream.Discard(left, unsent); ended {
			c.out.idle()
			return
		}
		left = patience // until all is out, and from then on
		if idle, since := c.out.isIdle(); idle {
			if left -= since; left <= 0 {
				return
			}
		}
	}
}
