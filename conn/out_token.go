package conn

import "github.com/parleyws/parley/conn/internal/pool"

// The write token. Whoever has it hands bytes to the stream, and nobody else
// does. It is a word of two bits, so that a write that meets nobody passes
// without the mutex: one atomic operation takes the token and finds that
// nothing is queued, another one gives it back and finds the same.
//
//	0               nobody writes and nothing is queued: a write may pass
//	taken           a write is passing, or what it queued has all been taken
//	       queued   nobody writes, and something is queued or must not be overtaken
//	taken | queued  whoever has the token sees to what is queued when it is done
//
// queued is set and cleared with outbound.mu held. It stays set once the
// connection has ended, so that nothing passes then. taken is set by pass, with
// nothing known of mu, and by take, with mu held; it is cleared by passed, and
// by giveBack with mu held.
const (
	tokenTaken  uint32 = 1 << iota
	tokenQueued        // see above
)

// pass takes the token for a writer that meets nobody. The writer may hand a
// frame to the stream, and touch nothing else of outbound.
func (o *outbound) pass() bool {
	return !o.serial && o.corks.Load() == 0 && o.c.life.is(open) && o.token.CompareAndSwap(0, tokenTaken)
}

// passed ends what pass began: of p, which lies in b if b is not nil, n bytes
// have gone out.
func (o *outbound) passed(p []byte, b *pool.Buffer, n int, err error) error {
	if err == nil && n == len(p) && o.token.CompareAndSwap(tokenTaken, 0) {
		pool.Put(b)
		return nil
	}
	o.lock()
	err = o.wrote(batch{p[n:], b}, err)
	o.unlock()
	return err
}

// take takes the token, if it is free, for a caller that holds mu. If it is
// not, whoever has it finds out that something is queued.
func (o *outbound) take() bool {
	if o.token.Or(tokenQueued)&tokenTaken != 0 {
		return false
	}
	o.token.Store(tokenTaken | tokenQueued)
	return true
}

// giveBack gives the token back. Called with mu held.
func (o *outbound) giveBack() { o.token.Store(tokenQueued) }

// writing reports whether somebody has the token.
func (o *outbound) writing() bool { return o.token.Load()&tokenTaken != 0 }

// quiet reports whether nothing is queued and nobody writes, at a glance.
func (o *outbound) quiet() bool { return o.token.Load() == 0 }

// unlock unlocks outbound. Writes may pass from now on if nothing is queued.
func (o *outbound) unlock() {
	if !o.backlog.empty() || !o.c.life.is(open) {
		o.token.Or(tokenQueued)
	} else if was := o.token.And(^tokenQueued); was&tokenTaken == 0 {
		o.lend()
	}
	o.mu.Unlock()
}
