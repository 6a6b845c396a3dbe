package conn

// A Cork holds back what a connection sends, until Release. The zero value
// holds nothing back.
type Cork struct {
	c *Conn
	n int32 // what it has added to corks
}

// Cork holds back what is written and sent until the returned Cork, and all
// others of the connection, are released, so that it leaves in one piece: for
// callers that are about to send several messages. As in the callback of Each,
// 64 KiB leave earlier, and a goroutine of its own sends what is held as soon as
// there is time: the caller may block in between.
func (c *Conn) Cork() Cork {
	c.out.corks.Add(oneCork)
	return Cork{c, oneCork}
}

// Hold is Cork for a caller that blocks at nothing before Release: no goroutine sends
// what is held, which costs less, and to Unsent what is held is as good as sent.
func (c *Conn) Hold() Cork {
	c.out.corks.Add(oneHold)
	return Cork{c, oneHold}
}

// What Cork and Hold add to corks. Both are never called as often as that without Release.
const (
	oneCork = 1
	oneHold = 1 << 16
)

// Release ends what Cork or Hold began, and sends what was held. It never waits. It
// is called once for each Cork.
func (k Cork) Release() {
	if k.c != nil {
		k.c.out.corks.Add(-k.n)
		k.c.out.release()
	}
}

// cork tells whether the read that delivers has more messages at hand: it
// holds the answers back then, to send them together.
func (o *outbound) cork(on bool) {
	switch {
	case o.ahead == on:
	case on:
		o.ahead = true
		o.corks.Add(oneCork)
	default:
		o.ahead = false
		o.corks.Add(-oneCork)
	}
}

// uncork sends what was held back. The reader calls it before each read of the
// stream.
func (o *outbound) uncork() {
	o.cork(false)
	o.release()
}

// held reports whether what is pending leaves when a Hold is released, and nobody else
// is to send it.
func (o *outbound) held() bool { return o.corked() && o.corks.Load()%oneHold == 0 }

// release sends what is pending, if anything is.
func (o *outbound) release() {
	if o.quiet() {
		return
	}
	o.lock()
	o.push()
	o.unlock()
}
