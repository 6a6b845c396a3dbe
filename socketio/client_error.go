package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Errors of a Client.
var (
	// ErrClosed is the error of the methods of a Client after Close.
	ErrClosed = errors.New("socket.io: client is closed")
	// ErrBufferFull is the error of Emit for an event that can't be sent now, and does
	// not fit in the buffer; see ClientLimits.
	ErrBufferFull = errors.New("socket.io: buffer of events is full")
)

var (
	errNoSID    = errors.New("socket.io: the server's CONNECT has no sid: it may be a server of Socket.IO 2")
	errNoAnswer = errors.New("socket.io: no answer to CONNECT within ClientLimits.JoinTimeout")
	errAuthGone = errors.New("socket.io: DialOptions.AuthFunc has ended its goroutine")
	errNotAcked = fmt.Errorf("socket.io: no acknowledgement in time: %w", context.DeadlineExceeded)
	errLost     = fmt.Errorf("socket.io: the connection was lost before everything was written: %w", ErrDisconnected)
)

// A ConnectError says that the server does not let the Client into a namespace: its
// middleware has refused it, or there is no such namespace. The Client does not try
// again by itself.
type ConnectError struct {
	Namespace string
	Message   string          // of the server
	Data      json.RawMessage // what the server's error carries; nil for nothing
}

// Error returns the namespace and the message.
func (e *ConnectError) Error() string {
	return "socket.io: namespace " + strconv.Quote(e.Namespace) + " refused: " + clip([]byte(e.Message))
}

// refusal returns the error of a CONNECT_ERROR with data, which is an object, or the
// string of an old server.
func refusal(namespace string, data []byte) *ConnectError {
	e := &ConnectError{Namespace: namespace}
	var text string
	if json.Unmarshal(data, &text) == nil {
		e.Message = text
		return e
	}
	var in struct {
		Message string
		Data    json.RawMessage
	}
	_ = json.Unmarshal(data, &in) // a message that is no string says nothing
	e.Message, e.Data = in.Message, in.Data
	return e
}

// A giveUpError is the error of Dial when all attempts have failed.
type giveUpError struct {
	attempts int
	last     error
}

func (e *giveUpError) Error() string {
	return fmt.Sprintf("%d attempts to reconnect have failed: %v", e.attempts, e.last)
}

func (e *giveUpError) Unwrap() error { return e.last }
