package socketio

import "context"

// A Listener is whatever gets events: a *Socket or a *Client.
type Listener interface {
	// OnEvent adds a handler for events with a name.
	OnEvent(event string, f func(*Event) error)
	// Context returns the ctx of the handlers.
	Context() context.Context
	// listen adds a handler for events with a name.
	listen(event string, h handler)
}

// A handler handles an event. Those below are functions of the user's with a method: unlike
// a function around the function, that takes no memory of its own.
type handler interface{ handle(e *Event) error }

type (
	plainHandler                  func(*Event) error                       // of OnEvent
	typedHandler[T any]           func(context.Context, T) error           // of On
	typedHandler2[T, U any]       func(context.Context, T, U) error        // of On2
	answerHandler[In, Out any]    func(context.Context, In) (Out, error)   // of Handle
	answerHandler2[T, U, Out any] func(context.Context, T, U) (Out, error) // of Handle2
)

func (f plainHandler) handle(e *Event) error { return f(e) }

// On adds a handler for events with a name. The first argument is decoded into a
// T; if there is none it is the zero value. Other arguments are ignored. If the
// argument does not fit T, f is not called. That, and an error of f, is dealt with
// by OnError of the options. ctx is that of the Socket or Client.
//
// For events without arguments T may be any type.
func On[T any](l Listener, event string, f func(ctx context.Context, arg T) error) {
	need(f != nil, "On: nil function")
	l.listen(event, typedHandler[T](f))
}

func (f typedHandler[T]) handle(e *Event) error {
	var arg T
	if err := e.fit(&arg); err != nil {
		return err
	}
	return f(e.Context(), arg)
}

// On2 is On with two arguments.
func On2[T, U any](l Listener, event string, f func(ctx context.Context, first T, second U) error) {
	need(f != nil, "On2: nil function")
	l.listen(event, typedHandler2[T, U](f))
}

func (f typedHandler2[T, U]) handle(e *Event) error {
	var first T
	var second U
	if err := e.fit(&first, &second); err != nil {
		return err
	}
	return f(e.Context(), first, second)
}

// Handle is On with a handler whose result is the acknowledgement, if the client
// asks for one.
func Handle[In, Out any](l Listener, event string, f func(ctx context.Context, in In) (Out, error)) {
	need(f != nil, "Handle: nil function")
	l.listen(event, answerHandler[In, Out](f))
}

func (f answerHandler[In, Out]) handle(e *Event) error {
	var in In
	if err := e.fit(&in); err != nil {
		return err
	}
	out, err := f(e.Context(), in)
	if err != nil {
		return err
	}
	return e.Ack(out)
}

// Handle2 is Handle with two arguments.
func Handle2[T, U, Out any](l Listener, event string, f func(ctx context.Context, first T, second U) (Out, error)) {
	need(f != nil, "Handle2: nil function")
	l.listen(event, answerHandler2[T, U, Out](f))
}

func (f answerHandler2[T, U, Out]) handle(e *Event) error {
	var first T
	var second U
	if err := e.fit(&first, &second); err != nil {
		return err
	}
	out, err := f(e.Context(), first, second)
	if err != nil {
		return err
	}
	return e.Ack(out)
}
