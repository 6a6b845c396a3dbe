package conn

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/conn/internal/stream"
	"github.com/parleyws/parley/handshake"
)

// outbound is the sending half of a Conn: the one way out. Frames are put
// behind each other in pending; one goroutine at a time, the one that has
// writing, hands them to the stream. The mutex is never held meanwhile, so
// that others go on appending, and what they append goes out together (group
// commit).
//
// On a plain socket nobody but the flusher ever blocks in a write: a writer
// tries without blocking, and what does not go is the flusher's. On other
// streams, which can't be tried, a writer blocks if its ctx can't end, and the
// reader leaves everything to the flusher: a reader that blocks in a write
// waits for a peer that may be waiting for it.
//
// The flusher is a goroutine that exists only while there is something for it.
type outbound struct {
	// What a write that meets nobody touches: with Conn.limits one cache line.
	c       *Conn
	deflate *deflation       // nil: off
	try     stream.TryWriter // the stream, if it can be tried
	gate    atomic.Int32     // see gate.go
	// corks: who wants output held back. The read that is delivering does
	// while it has more messages at hand: ahead, which belongs to it.
	corks    atomic.Int32
	ordered  bool // all writes lock: for their masking keys, or the window
	ahead    bool
	overflow Overflow
	shut     atomic.Bool // no message is delivered or accepted any more; set with mu held

	// small is what a frame is built in that passes the gate, if it is so short:
	// a third of the time of such a write went into the pool of buffers. It is
	// what the Conn's size class has left.
	small [24]byte

	masker  *rand.ChaCha8 // client: of masking keys
	flusher func()        // runFlusher; nil before the first

	mu      sync.Mutex // what follows is guarded by lock
	pending pending
	rest    *batch        // what the stream did not take of one; with it writing is the flusher's
	room    chan struct{} // closed when pending shrinks; nil: nobody waits
	token   turn          // of a message that is sent in several steps
	writing bool          // somebody hands octets to the stream
	flush   bool          // the flusher has been started and has not ended
	mid     bool          // a frame is half appended: control frames come behind it
	half    bool          // half-close behind what is pending
	halved  bool
	closing bool // our Close frame is pending or out
	gone    bool // the stream is closed
}

// maxBatch is how many octets may be pending before a writer waits for room,
// and what leaves at once even if it is corked.
const maxBatch = 64 << 10

func (o *outbound) init(c *Conn, role Role, agreed *handshake.Deflate, opts *Options) {
	o.c = c
	if role == RoleClient {
		o.masker = newMasker()
	}
	o.deflate = newDeflation(role, agreed, opts.Compression)
	o.try = c.src.TryWriter()
	o.ordered = o.masker != nil || o.deflate != nil && o.deflate.takeover
	o.overflow = opts.Overflow
}

// ended returns what a message fails with from now on, nil if none does.
func (o *outbound) ended() error {
	if o.closed() {
		return o.c.end.err()
	}
	return nil
}

// admit waits until a message may be appended: no other one is half sent
// (mine: it is this one), and there is room. Called with mu held.
func (o *outbound) admit(ctx context.Context, mine bool) error {
	for {
		var free <-chan struct{}
		switch {
		case o.closed():
			return o.ended()
		case o.token.held && !mine:
			free = o.token.vacancy()
		case o.pending.len() >= maxBatch && (o.writing || o.flush):
			free = o.vacancy()
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
	case <-ctx.Done():
		return contextError("write", ctx)
	}
}

func (o *outbound) vacancy() <-chan struct{} {
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

// signal wakes those who wait for room.
func (o *outbound) signal() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// endMessage gives the message token up and lets those messages go that were
// sent meanwhile by Send.
func (o *outbound) endMessage() {
	o.token.giveUp()
	o.pending.unpark()
	o.push(false)
}

// closed reports whether messages that still come are to be discarded.
func (o *outbound) closed() bool { return o.shut.Load() }
