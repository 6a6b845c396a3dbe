package conn

// The closing handshake (RFC 6455, sections 5.5.1 and 7.1) as a pure machine:
// what may happen to a connection's end, and what we do then. Everything that
// affects this state is in this file.
//
//	          local                    peer
//	  open ----------> closing ------------------+
//	   |                  |                      v
//	   | peer, failure    +---- failure ---> discarding --- end, timeout ---> over
//	   +--------------------------------------^
//
// A stream that ends, and a time that runs out, lead to over from everywhere.

// A closing is the state of the closing handshake.
type closing uint8

const (
	// open: frames go both ways.
	open closing = iota
	// sentClose: our Close frame is queued or out; messages that still come
	// are discarded, the peer's Close is awaited (section 7.1.2).
	sentClose
	// discarding: all Close frames that will be are queued or out; the server
	// half-closes behind its own and both discard what comes until the stream
	// ends (section 7.1.1).
	discarding
	// over: the stream is closed.
	over
)

// A closeEvent is something that moves the closing handshake on.
type closeEvent uint8

const (
	localClose  closeEvent = iota // Close was called
	peerClose                     // a Close frame came
	failure                       // the peer broke a rule (section 7.1.7)
	streamEnd                     // the stream ended or failed
	closeExpiry                   // the time for the state ran out, or CloseNow
)

// A closeAction is what a transition asks of the shell.
type closeAction uint8

const (
	nothing      closeAction = iota
	sendClose                // queue a Close frame
	sendThenHalf             // queue a Close frame; half-close behind it; discard
	half                     // half-close behind what is queued; discard
	dropStream               // close the stream
)

// on returns the state that follows s at event e, and what is to be done.
func (s closing) on(e closeEvent) (closing, closeAction) {
	switch {
	case s == over:
		return over, nothing
	case e == streamEnd || e == closeExpiry:
		return over, dropStream
	case s == discarding:
		return discarding, nothing
	case s == open && e == localClose:
		return sentClose, sendClose
	case s == open:
		return discarding, sendThenHalf
	case e == localClose:
		return sentClose, nothing
	default: // our Close frame is on its way already: there is one alone
		return discarding, half
	}
}
