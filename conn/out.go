package conn

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/conn/internal/stream"
	"github.com/parleyws/parley/handshake"
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
	c       *Conn
	deflate *deflation       // nil: off
	try     stream.TryWriter // the stream; nil: it can't be tried
	token   atomic.Uint32    // see out_token.go
	corks   atomic.Int32     // who wants output held back: Corks in the lower 16 bits, Holds above; see out_cork.go
	serial  bool             // frames are made with mu held: they draw masking keys, or refer to one another
	ahead   bool             // the read that delivers has corked; belongs to it
	onFull  Overflow

	flushing bool // the flusher has been started and has not ended; guarded by mu, as the next two
	partial  bool // a frame is half appended: control frames wait for its end
	single   bool // the message that is half sent ends with that frame

	masker *rand.ChaCha8 // of a client's masking keys; guarded by mu

	mu       sync.Mutex
	pending  pending
	rest     *batch // what the stream did not take of a batch: the flusher has the token then
	message  turn   // of a message that is sent in several steps
	progress signal // fired when a batch has gone out, and at the end
	written  int64  // position in pending up to which our own bytes have gone out
}

// maxBatch is how many bytes may be pending before a writer waits for room, and
// what leaves at once even if it is corked.
const maxBatch = 64 << 10

func (o *outbound) init(c *Conn, role Role, agreed *handshake.Deflate, s *settings) {
	o.c = c
	if role == RoleClient {
		o.masker = newMasker()
	}
	o.deflate = newDeflation(role, agreed, s.compression)
	o.try = c.stream.TryWriter()
	o.serial = o.masker != nil || o.deflate != nil && o.deflate.takeover
	o.onFull = s.overflow
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
	defer o.mu.Lock()
	select {
	case <-free:
		return nil
	case <-o.c.done(ctx):
		return o.c.contextError("write", ctx)
	}
}

// endMessage gives the message turn up and lets those messages go that Send
// queued meanwhile.
func (o *outbound) endMessage() {
	o.message.giveUp()
	o.pending.unpark()
	o.push()
}

// refuse ends the sending of messages: those that wait for their turn or for
// room find out that the connection has ended.
func (o *outbound) refuse() {
	o.mu.Lock()
	o.stopMessages()
	o.push()
	o.unlock()
}

// stopMessages lets nobody begin a message. Those of Send that wait for the end
// of a message which nobody will end are dropped.
func (o *outbound) stopMessages() {
	if !o.single {
		o.pending.dropParked()
	}
	o.progress.fire()
	o.message.giveUp()
}

// over lets go of everything: nothing can be sent any more.
func (o *outbound) over() {
	o.mu.Lock()
	o.stopMessages()
	o.pending.forget()
	o.unlock()
}
