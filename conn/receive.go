package conn

// A Receiver takes what comes on connections. One that serves several is called by
// several goroutines.
type Receiver interface {
	// Message is called with one message of c after the other. It may block; c may be
	// closed and written to meanwhile, and must not be read. The payload is valid until
	// Message returns.
	Message(c *Conn, m Message) error
	// Ended is called once, after Message has returned an error, or c has ended, with that
	// error. A panic of Message, or the end of its goroutine, is a *PanicError. Ended may
	// block.
	Ended(c *Conn, err error)
}

// Receive has r take the messages of c, in the background: Receive returns at once. Nothing
// is closed when r has returned an error: that is the caller's.
//
// A connection of a Loop has no goroutine while no message comes. On all others a
// goroutine waits, whose stack is small again after the first message, and when
// the connection falls silent. r must not keep what it needs between messages on its
// goroutine's stack, nor in labels of the goroutine: another one may call it next.
func (c *Conn) Receive(r Receiver) { go c.receive(r) }

// receive is Receive for a caller that has a goroutine to spare, which receive may keep.
func (c *Conn) receive(r Receiver) {
	if s := c.stream.Looped(); s != nil {
		c.receiveLooped(s, r)
	} else {
		c.receiveAlone(r, true)
	}
}

// stopReceiving gives up the turn of a receiver.
func (in *inbound) stopReceiving() {
	in.receiver, in.parks, in.grown = nil, false, false
	in.parser.worker = nil
	in.giveUpTurn()
}

// A Work is something that may take long, or block.
type Work interface{ Run() }

// Later has w done when the Receiver has handled what came together with this message: while
// w runs the connection is read by others, so it may wait for messages that are still to
// come. If the Receiver itself waits for w, it calls Hurry before. A Loop does w without
// another goroutine. Where the connection has a goroutine of its own Later does nothing, and
// returns false. Only Receiver.Message, and what it calls, may call it.
func (c *Conn) Later(w Work) bool {
	worker := c.in.parser.worker
	if worker == nil {
		return false
	}
	worker.Later(w)
	return true
}

// Hurry has other goroutines do at once what Later was given, because the caller, which is
// Receiver.Message, is about to wait for it.
func (c *Conn) Hurry() {
	if worker := c.in.parser.worker; worker != nil {
		worker.Hurry()
	}
}

// Quiet says that the peer will probably be silent for a while. Only Receiver.Message may call
// it; what its goroutine's stack has grown by is given back then. A keepalive finds that out
// without being told.
func (c *Conn) Quiet() { c.in.quiet = true }
