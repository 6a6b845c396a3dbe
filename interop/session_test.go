package interop

import (
	"errors"

	"net/http"

	"github.com/parleyws/parley/frame"
)

// A mode says what is made of permessage-deflate.
type mode string

const (
	plain    mode = "plain"
	deflate  mode = "deflate"
	takeover mode = "takeover" // deflate with the window kept from message to message
)

// A session is one end of a connection, whatever library it comes from. One
// goroutine may write while another reads.
type session interface {
	// write sends p as one message: in fragments where the library can, if
	// parts is more than 1.
	write(op frame.Opcode, p []byte, parts int) error
	// read returns the next message, which the caller keeps, or a closedError.
	read() (frame.Opcode, []byte, error)
	// close sends a Close frame with 1000 and waits for the peer's.
	close() error
}

// A closedError tells that the peer closed the connection properly. The code
// is 0 where the library does not tell it.
type closedError struct{ code frame.StatusCode }

func (e closedError) Error() string { return "peer closed: " + e.code.String() }

// A library makes sessions.
type library struct {
	name      string
	modes     []mode
	fragments bool // it joins the fragments of a message when it receives them
	// handler calls serve with each session that it accepts, and ends it when
	// serve returns.
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
