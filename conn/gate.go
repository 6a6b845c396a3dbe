package conn

import "github.com/parleyws/parley/conn/internal/pool"

// The gate lets a write that meets nobody pass without the mutex: it costs two
// atomic operations instead of four, which is half of what a write costs
// beside its system call. Whatever is not as simple as that goes through lock,
// as does all that a connection sends whose frames depend on each other:
// ordered.
//
// Values of outbound.gate.
const (
	gateOpen   int32 = iota // nothing is pending, nobody writes, the connection is open
	gateTaken               // a writer is passing
	gateAwaits              // the same, and lock has been called since: the writer must tell when it is done
	gateClosed              // outbound is in the hands of those who lock
)

// enter takes the gate for a writer, if it is open and the writer need not be
// held back. Who has it may write to the stream, and touch nothing else.
func (o *outbound) enter() bool {
	return !o.ordered && o.corks.Load() == 0 && o.gate.CompareAndSwap(gateOpen, gateTaken)
}

// pass writes p for the one who has taken the gate, and gives the gate up. p
// lies in b, if b is not nil.
func (o *outbound) pass(p []byte, b *pool.Buffer) error {
	n, err := o.writeNow(p)
	if err == nil && n == len(p) && o.gate.CompareAndSwap(gateTaken, gateOpen) {
		if b != nil {
			pool.Put(b)
		}
		return nil
	}
	return o.leave(p[n:], b, err)
}

// leave gives the gate up to those who lock. rest is what the stream did not
// take, err why.
func (o *outbound) leave(rest []byte, b *pool.Buffer, err error) error {
	o.mu.Lock()
	o.gate.Store(gateClosed)
	o.writing = true
	err = o.wrote(batch{rest, b}, err)
	o.unlock()
	return err
}

// lock locks outbound. A writer that is just passing the gate is one that has
// writing, from now on.
func (o *outbound) lock() {
	o.mu.Lock()
	for {
		switch o.gate.Load() {
		case gateOpen:
			if o.gate.CompareAndSwap(gateOpen, gateClosed) {
				return
			}
		case gateTaken:
			if o.gate.CompareAndSwap(gateTaken, gateAwaits) {
				o.writing = true
				return
			}
		default:
			return
		}
	}
}

// unlock unlocks outbound, and opens the gate if all is quiet.
func (o *outbound) unlock() {
	if !o.closed() && !o.writing && !o.flush && !o.token.held && o.pending.late == nil && o.pending.len() == 0 {
		o.gate.Store(gateOpen)
	}
	o.mu.Unlock()
}

// quiet reports whether nothing is pending and nobody writes, at a glance.
func (o *outbound) quiet() bool { return o.gate.Load() == gateOpen }
