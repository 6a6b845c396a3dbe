package socketio

import (
	"context"
	"encoding/json"
	"runtime/debug"
)

// A ServerEvent is an event that another server has sent with ServerSideEmit.
type ServerEvent struct {
	args []json.RawMessage
	ack  func(arg any)
}

// Len returns the number of arguments.
func (e *ServerEvent) Len() int { return len(e.args) }

// Decode reads argument i into v. If there is no argument i it leaves v as it is.
func (e *ServerEvent) Decode(i int, v any) error {
	if i >= len(e.args) {
		return nil
	}
	return json.Unmarshal(e.args[i], v)
}

// Ack sends the acknowledgement, if the other server wants one. It may be called
// once.
func (e *ServerEvent) Ack(arg any) {
	if e.ack != nil {
		e.ack(arg)
	}
}

// OnServerEvent adds a handler for events of other servers. The adapter's goroutine
// calls it. A panic of the handler is logged, and that is all.
func (n *Namespace) OnServerEvent(event string, f func(*ServerEvent)) {
	need(f != nil, "OnServerEvent: nil function")
	n.register(false, func(n *Namespace) {
		if n.serverEvents == nil {
			n.serverEvents = make(map[string][]func(*ServerEvent))
		}
		n.serverEvents[event] = append(n.serverEvents[event], f)
	})
}

func (n *Namespace) serverEvent(event string, args []json.RawMessage, ack func(any)) {
	n.mu.RLock()
	handlers := n.serverEvents[event]
	n.mu.RUnlock()
	for _, f := range handlers {
		n.handleServerEvent(f, &ServerEvent{args, ack})
	}
}

// handleServerEvent calls a handler. If that panics, or ends its goroutine, which is
// the adapter's, it is logged.
func (n *Namespace) handleServerEvent(f func(*ServerEvent), e *ServerEvent) {
	returned := false
	defer func() {
		v := recover()
		if returned {
			return
		}
		if v == nil {
			v = "runtime.Goexit was called"
		}
		n.server.o.Logger.Error("socket.io: handler panicked", "panic", v, "namespace", n.name, "stack", string(debug.Stack()))
	}()
	f(e)
	returned = true
}

// ServerSideEmit sends an event to the other servers. Without an adapter there
// are none.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	n, release := n.acquire()
	defer release()
	a, err := n.remote()
	if a == nil {
		return err
	}
	_, err = a.ServerSideEmit(context.Background(), event, args, false)
	return err
}

// ServerSideCall is ServerSideEmit with an acknowledgement from each other server.
// It returns the first argument of each, as JSON; with an error, those that have
// come. It waits until ctx ends, and no longer than Limits.AckTimeout.
func (n *Namespace) ServerSideCall(ctx context.Context, event string, args ...any) ([]json.RawMessage, error) {
	n, release := n.acquire()
	defer release()
	a, err := n.remote()
	if a == nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.server.o.Limits.AckTimeout)
	defer cancel()
	return a.ServerSideEmit(ctx, event, args, true)
}
