package conn

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/parleyws/parley/frame"
)

// A CloseError tells that the peer closed the connection with a Close frame
// (RFC 6455, section 7.1.5). Code is frame.StatusNoStatus when the frame
// carried none.
type CloseError struct {
	Code   frame.StatusCode
	Reason string
}

// Error returns the code and the reason that the peer gave.
func (e *CloseError) Error() string {
	s := "websocket: closed by the peer: " + e.Code.String()
	if e.Reason != "" {
		s += fmt.Sprintf(": %q", e.Reason)
	}
	return s
}

// Errors of the connection's own making. Those of a peer that broke a rule
// are *frame.Error values.
var (
	errClosed     = fmt.Errorf("websocket: %w", net.ErrClosed)
	errDeadPeer   = fmt.Errorf("websocket: no octet from the peer within the ping timeout: %w", os.ErrDeadlineExceeded)
	errStalled    = fmt.Errorf("websocket: write without progress: %w", os.ErrDeadlineExceeded)
	errUnanswered = errors.New("websocket: the peer did not answer the Close frame")
	errOpcode     = errors.New("websocket: a message is frame.Text or frame.Binary")
	errCode       = errors.New("websocket: a status code that may not be sent")
	errWriterDone = errors.New("websocket: writer is closed")

	// ErrQueueFull is what Send returns when it could not queue a message, and
	// with OverflowClose the end of the connection, with 1013.
	ErrQueueFull error = &frame.Error{Code: frame.StatusTryAgainLater, Reason: "send queue full"}

	errTrickle     error = &frame.Error{Code: frame.StatusPolicyViolation, Reason: "message takes too long"}
	errPings       error = &frame.Error{Code: frame.StatusPolicyViolation, Reason: "too many pings"}
	errNotExpected error = &frame.Error{Code: frame.StatusPolicyViolation, Reason: "no message expected"}
)
