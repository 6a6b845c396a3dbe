package interop

import (
	"errors"

	"net/http"

	"github.com/parleyws/parley/frame"
)

// A mode says how permessage-deflate is used.
type mode string

const (
	plain    mode = "plain"
	deflate  mode = "deflate"
	takeover mode = "takeover" // deflate with the window kept from message to message
)

// A session is one end of a connection of any library. One goroutine may write while
// another reads.
type session interface {
	// write sends p as one message. If parts is greater than 1 and the library can
	// send fragments, the message is fragmented.
	write(op frame.Opcode, p []byte, parts int) error
	// read returns the next message, which the caller owns, or a closedError.
	read() (frame.Opcode, []byte, error)
	// close sends a Close frame with 1000 and waits for the peer's.
	close() error
}

// A closedError says that the peer closed the connection properly. The code is 0 if the
// library does not report it.
type closedError struct{ code frame.StatusCode }

func (e closedError) Error() string { return "peer closed: " + e.code.String() }

// A library makes sessions.
type library struct {
	name      string
	modes     []mode
	fragments bool // the library joins the fragments of received messages

	// handler calls serve with each session that it accepts, and ends the session
	// when serve returns.
	handler func(m mode, serve func(session)) http.Handler
	dial    func(m mode, url string) (session, error)
}

var errNoDeflate = errors.New("permessage-deflate was not agreed on")

// parts cuts p into n pieces of about the same length.
func parts(p []byte, n int) [][]byte {
	cut := make([][]byte, 0, n)
	for i := range n {
		cut = append(cut, p[i*len(p)/n:(i+1)*len(p)/n])
	}
	return cut
}
