package conn

import (
	"context"
	"sync"
	"sync/atomic"
)

// outbound is the sending half of a Conn: the one way out. A frame that meets
// nobody goes to the stream as it is. All others are appended to pending, and
// one goroutine at a time, the one with the write token, hands them to the
// stream. The mutex is not held meanwhile, so that others go on appending, and
// what they append goes out together (group commit).
//
// On a stream that can be tried, such as a socket, only the flusher ever blocks
// in a write: a writer tries, and leaves what the stream does not take to the
// flusher. On other streams a writer blocks if its ctx can't end, and else waits
// for the flusher. The reader leaves everything to the flusher: a reader that
// blocks in a write waits for a peer that may be waiting for it.
//
// The flusher is a goroutine that exists only while there is something for it.
type outbound struct {
	c      *Conn
	token  atomic.Uint32 // see out_token.go
	corks  atomic.Int32  // who wants output held back: Corks in the lower 16 bits, Holds above; see out_cork.go
	tries  bool          // the stream can be tried; constant
	serial bool          // frames are made with mu held: they draw masking keys, or refer to one another; constant
	ahead  bool          // the read that delivers has corked; belongs to it

	flushing bool // the flusher has been started and has not ended; guarded by mu, as the next one
	partial  bool // a frame is half appended, with which its message ends: control frames wait for that

	mu sync.Mutex
	*backlog
}

// maxBatch is how many bytes may be pending before a writer waits for room, and
// what leaves at once even if it is corked.
const maxBatch = 64 << 10

func (o *outbound) init(c *Conn) {
	o.c = c
	o.tries = c.stream.CanTryWrite()
	d := o.deflation()
	o.serial = o.masks() || d != nil && d.takeover
}

// admit waits until a message may be appended: no other one is half sent
// (mine: it is this one), and there is room. Called with mu held.
func (o *outbound) admit(ctx context.Context, mine bool) error {
	for {
		var free <-chan struct{}
		switch {
		case !o.c.life.is(open):
			return o.c.life.writeErr()
		case o.message.held() && !mine:
			free = o.message.vacancy()
		case o.pending.len() >= maxBatch && (o.writing() || o.flushing):
			free = o.progress.wait()
		default:
			return nil
		}
		if err := o.wait(ctx, free); err != nil {
			return err
		}
	}
}

// wait waits for free, without mu.
func (o *outbound) wait(ctx context.Context, free <-chan struct{}) error {
	o.unlock()
	defer o.lock()
	select {
	case <-free:
		return nil
	case <-o.c.done(ctx):
		return o.c.contextError("write", ctx)
	}
}

// endMessage gives the message turn up once all of the message is appended, and appends
// those messages that Send queued meanwhile. The caller sends what is pending.
func (o *outbound) endMessage() {
	o.message.giveUp()
	o.pending.unpark()
}

// refuse ends the sending of messages: those that wait for their turn or for
// room find out that the connection has ended.
func (o *outbound) refuse() {
	o.lock()
	o.stopMessages()
	o.push()
	o.unlock()
}

// stopMessages lets nobody begin a message, or go on with one that is half sent. Those of
// Send that wait for its end are never sent.
func (o *outbound) stopMessages() {
	o.progress.fire()
	o.message.giveUp()
}

// over lets go of everything: nothing can be sent any more.
func (o *outbound) over() {
	o.lock()
	o.stopMessages()
	o.pending.forget()
	o.unlock()
}
