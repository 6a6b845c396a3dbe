package conn

// Receive calls f with one message after the other, as Each does, in the background: Receive
// returns at once. When f has returned an error, or the connection has ended, ended is
// called once, with that error, on a goroutine of its own. A panic of f, or the end of its
// goroutine, is an error of type *PanicError. Neither function is called any more then, and
// nothing is closed: that is the caller's.
//
// A connection of a Loop has no goroutine while no message comes. On all others a
// goroutine waits, whose stack is small again after the first message, and when
// the connection falls silent. f must not keep what it needs between messages on its
// goroutine's stack, nor in labels of the goroutine: another one may call it next.
func (c *Conn) Receive(f func(Message) error, ended func(error)) {
	go c.receive(receiver{f, enderFunc(ended)})
}

// A receiver is what Receive was given.
type receiver struct {
	f messageFunc
	ender
}

// An ender is told of the end of a receiver's connection. It may block.
type ender interface{ ended(*Conn, error) }

type enderFunc func(error)

func (f enderFunc) ended(_ *Conn, err error) { f(err) }

// receive is Receive for a caller that has a goroutine to spare, which receive may keep.
func (c *Conn) receive(r receiver) {
	if s := c.stream.Looped(); s != nil {
		c.receiveLooped(s, r)
	} else {
		c.receiveAlone(r, true)
	}
}

// stopReceiving gives up the turn of a receiver.
func (in *inbound) stopReceiving() {
	in.receiver, in.parks, in.grown = receiver{}, false, false
	in.parser.worker = nil
	in.giveUpTurn()
}

// A Work is something that may take long, or block.
type Work interface{ Run() }

// Later has w done when the function that was given to Receive has handled what came together
// with this message: while w runs the connection is read by others, so it may wait for messages
// that are still to come. If the function itself waits for w, it calls Hurry before. A Loop
// does w without another goroutine. Where the connection has a goroutine of its own Later does
// nothing, and returns false. Only that function, and what it calls, may call it.
func (c *Conn) Later(w Work) bool {
	worker := c.in.parser.worker
	if worker == nil {
		return false
	}
	worker.Later(w)
	return true
}

// Hurry has other goroutines do at once what Later was given, because the caller, the function
// that was given to Receive, is about to wait for it.
func (c *Conn) Hurry() {
	if worker := c.in.parser.worker; worker != nil {
		worker.Hurry()
	}
}

// Quiet says that the peer will probably be silent for a while. Only the function that was
// given to Receive may call it; what its goroutine's stack has grown by is given back
// then. A keepalive finds that out without being told.
func (c *Conn) Quiet() { c.in.quiet = true }
