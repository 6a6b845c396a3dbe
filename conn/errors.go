package conn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/parleyws/parley/frame"
)

// A CloseError tells that the peer closed the connection with a Close frame
// (RFC 6455, section 7.1.5). Code is frame.StatusNoStatus when the frame
// carried none. A function of a Server that returns one closes the connection
// with its code and reason.
type CloseError struct {
	Code   frame.StatusCode
	Reason string
}

// Error returns the code and the reason of the Close frame.
func (e *CloseError) Error() string {
	s := "websocket: closed by the peer: " + e.Code.String()
	if e.Reason != "" {
		s += fmt.Sprintf(": %q", e.Reason)
	}
	return s
}

// Causes of our own. They are no *frame.Error: the peer has broken no rule.
var (
	// ErrQueueFull is what Send returns when it could not queue a message, and
	// with OverflowClose the cause of the connection's end, with 1013.
	ErrQueueFull = errors.New("websocket: send queue full")
	// ErrAbandoned is the cause of the end of a connection on which a Writer
	// gave up a message with some of its fragments sent, as when its ctx ended.
	// The peer is told 1011.
	ErrAbandoned = errors.New("websocket: a message was given up when it was half sent")
)

var (
	errClosed      = fmt.Errorf("websocket: %w", net.ErrClosed)
	errNoDeadlines = fmt.Errorf("websocket: closed to end a read, on a stream without deadlines: %w", net.ErrClosed)
	errDeadPeer    = fmt.Errorf("websocket: no byte from the peer within the ping timeout: %w", os.ErrDeadlineExceeded)
	errStalled     = fmt.Errorf("websocket: write without progress: %w", os.ErrDeadlineExceeded)
	errNoClose     = &cutError{"read", errors.New("the stream has ended without a Close frame")}
	errUnanswered  = errors.New("websocket: the peer did not answer the Close frame")
	errCode        = errors.New("websocket: a status code that may not be sent")
	errWriterDone  = errors.New("websocket: writer is closed")

	errSlow        error = &frame.Error{Code: frame.StatusPolicyViolation, Reason: "message takes too long"}
	errPings       error = &frame.Error{Code: frame.StatusPolicyViolation, Reason: "too many pings"}
	errNotExpected error = &frame.Error{Code: frame.StatusPolicyViolation, Reason: "no message expected"}
	errOtherType   error = &frame.Error{Code: frame.StatusUnsupportedData, Reason: "message of another type"}
)

// A cutError is the cause of the end of a connection whose stream has failed, or
// has ended without a Close frame. It is io.ErrUnexpectedEOF.
type cutError struct {
	op  string
	err error
}

func (e *cutError) Error() string { return "websocket: " + e.op + ": " + e.err.Error() }

// Is reports that every cut is io.ErrUnexpectedEOF.
func (e *cutError) Is(target error) bool { return target == io.ErrUnexpectedEOF }

// Unwrap returns the stream's error.
func (e *cutError) Unwrap() error { return e.err }

// A committedError is the error of a ctx that has ended after the message was
// committed: all of it will be sent.
type committedError struct{ err error }

func (e *committedError) Error() string { return e.err.Error() }

// Unwrap returns the error of the ctx.
func (e *committedError) Unwrap() error { return e.err }

// CloseStatus returns the status code with which a connection ended, of which
// err is the cause: the peer's of a *CloseError, the one that the peer was told
// after a *frame.Error, ErrQueueFull or ErrAbandoned, and
// frame.StatusAbnormal for a connection that was cut, or whose peer was dead (RFC
// 6455, section 7.1.5). It is 0 for any other error, such as net.ErrClosed, and
// that of a ctx, and for nil.
func CloseStatus(err error) frame.StatusCode {
	if e, ok := errors.AsType[*CloseError](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*frame.Error](err); ok {
		return e.Code
	}
	for _, end := range [...]struct {
		err  error
		code frame.StatusCode
	}{
		{ErrQueueFull, frame.StatusTryAgainLater},
		{ErrAbandoned, frame.StatusInternalError},
		{errDeadPeer, frame.StatusAbnormal},
		{errStalled, frame.StatusAbnormal},
		{io.ErrUnexpectedEOF, frame.StatusAbnormal},
	} {
		if errors.Is(err, end.err) {
			return end.code
		}
	}
	return 0
}
