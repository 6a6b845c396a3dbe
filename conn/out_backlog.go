package conn

import "sync"

// A backlog is what outbound needs while something is queued, or somebody waits.
// Connections lend each other backlogs: an idle one has none.
type backlog struct {
	pending  pending
	rest     batch  // what the stream did not take of a batch: the flusher has the token then
	message  turn   // of a message that is sent in several steps
	progress signal // fired when a batch has gone out, and at the end
	written  int64  // position in pending up to which our own bytes have gone out
}

// backlogs has those that nobody needs.
var backlogs = sync.Pool{New: func() any { return new(backlog) }}

// empty reports whether nothing is queued, and nobody waits for progress, of which a write
// that passes would not tell. Who has the token sees to rest.
func (b *backlog) empty() bool {
	return b.pending.empty() && b.pending.late == nil && !b.message.held() && b.progress.c == nil
}

// lock locks outbound, and sees to it that there is a backlog.
func (o *outbound) lock() {
	o.mu.Lock()
	if o.backlog == nil {
		o.backlog = backlogs.Get().(*backlog)
	}
}

// lend gives the backlog, which is empty, to others, unless the flusher is about to end.
// Called with mu held, while nobody has the token. A connection whose frames are all made
// with mu held keeps its own, and so does one whose writers wait for a position.
func (o *outbound) lend() {
	if o.serial || !o.tries || o.flushing {
		return
	}
	backlogs.Put(o.backlog)
	o.backlog = nil
}
