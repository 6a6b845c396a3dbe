package conn

// The gate lets a write that meets nobody pass without the mutex: it costs two
// atomic operations instead of four, which is half of what a write costs
// beside its system call. Whatever is not as simple as that goes through lock.
//
// Values of outbound.gate.
const (
	gateOpen   int32 = iota // nothing is pending, nobody writes, the connection is open
	gateTaken               // a writer is passing
	gateAwaits              // the same, and lock has been called since: the writer must tell when it is done
	gateClosed              // outbound is in the hands of those who lock
)

// enter takes the gate for a writer, who may block or not, if it is open and the
// writer need not be held back. Who has it may write to the stream, and touch nothing else:
// so it is not for clients, whose masking keys are drawn under the lock, nor
// where a window is kept.
func (o *outbound) enter(block bool) bool {
	return o.masker == nil && (o.deflate == nil || !o.deflate.takeover) && o.corks.Load() == 0 &&
		(block || o.c.src.canTry()) &&
		o.gate.CompareAndSwap(gateOpen, gateTaken)
}

// pass writes p for the one who has taken the gate, and gives the gate up. p
// lies in b, if b is not nil.
func (o *outbound) pass(p []byte, b *buffer) error {
	n, err := o.c.src.writeNow(p, o.c.limits.WriteTimeout)
	return o.leave(p[n:], b, err)
}

// leave gives the gate up. rest is what the stream did not take, err why.
func (o *outbound) leave(rest []byte, b *buffer, err error) error {
	if err == nil && len(rest) == 0 {
		putBuffer(b)
		if o.gate.CompareAndSwap(gateTaken, gateOpen) {
			return nil
		}
		b = nil
	}
	o.mu.Lock()
	o.gate.Store(gateClosed)
	o.writing, o.batch = true, b
	err = o.wrote(rest, err)
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
	if o.err == nil && !o.writing && !o.flush && !o.token.held && o.pending.late == nil && o.pending.len() == 0 {
		o.gate.Store(gateOpen)
	}
	o.mu.Unlock()
}

// quiet reports whether nothing is pending and nobody writes, at a glance.
func (o *outbound) quiet() bool { return o.gate.Load() == gateOpen }
