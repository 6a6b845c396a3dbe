package socketio

import (
	"context"
	"errors"
	"log/slog"
)

// An Error is an error that a client may see. Returned by middleware it says why
// the client is refused; returned by a handler it is the answer to a client that asks
// for an acknowledgement. Of other errors of handlers clients see nothing.
type Error struct {
	Message string
	Data    any // sent to the client as JSON; nil for none
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// An errorAnswer is the acknowledgement of an event whose handler has failed.
type errorAnswer struct {
	Error string `json:"error"`
	Data  any    `json:"data,omitempty"`
}

// An argumentError says that an argument does not fit its handler.
type argumentError struct{ err error }

func (e *argumentError) Error() string { return e.err.Error() }
func (e *argumentError) Unwrap() error { return e.err }

// AnswerError is what is done with the error of an event unless Options.OnError is
// set. It logs the error, and acknowledges the event, if its client asks for that and
// has not got it yet, with {"error": message}, and with the data of an *Error. The
// message is that of an *Error; "Invalid argument" if an argument does not fit the
// type that its handler has for it; and "Internal error" otherwise.
func AnswerError(e *Event, err error) {
	level := slog.LevelWarn
	if errors.Is(err, ErrDisconnected) { // the client has left before it was answered
		level = slog.LevelDebug
	}
	logger := e.a.owner.side().logger
	if logger.Enabled(context.Background(), level) {
		namespace, id := e.a.owner.place()
		logger.Log(context.Background(), level, "socket.io: event failed",
			"namespace", namespace, "socket", id, "event", clip([]byte(e.Name())), "error", err)
	}
	answer := errorAnswer{Error: "Internal error"}
	if public, ok := errors.AsType[*Error](err); ok {
		answer = errorAnswer{public.Message, public.Data}
	} else if _, ok := errors.AsType[*argumentError](err); ok {
		answer.Error = "Invalid argument"
	}
	if err := e.Ack(answer); err != nil && !errors.Is(err, ErrDisconnected) {
		logger.Error("socket.io: data of an Error", "error", err)
		answer.Data = nil // the message is news enough for a client that waits
		_ = e.Ack(answer)
	}
}
