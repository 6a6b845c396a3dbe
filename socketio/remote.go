package socketio

import (
	"context"
	"errors"
)

// A RemoteSocket describes a socket of any node, as it was when FetchSockets was
// called. Its methods act on the socket, wherever it is, if it is still there.
type RemoteSocket struct {
	ID        string
	Rooms     []string
	Data      map[string]any
	Handshake Handshake

	n *Namespace // nil: it does not come from FetchSockets
}

var errNotFetched = errors.New("socket.io: RemoteSocket does not come from FetchSockets")

// Emit sends an event to the socket's client.
func (r *RemoteSocket) Emit(event string, args ...any) error {
	if r.n == nil {
		return errNotFetched
	}
	return r.n.To(r.ID).Emit(event, args...)
}

// errGone is the error of Call for a socket that is not there any more.
var errGone = errors.New("socket is gone")

// call implements Callee.
func (r *RemoteSocket) call(ctx context.Context, event string, args []any) (*Args, error) {
	if r.n == nil {
		return nil, errNotFetched
	}
	answers, err := CallAll[*Args](ctx, r.n.To(r.ID), event, args...)
	if len(answers) > 0 {
		return answers[0], nil
	}
	if err == nil {
		err = errGone
	}
	return nil, err
}

// Join makes the socket join rooms.
func (r *RemoteSocket) Join(rooms ...string) error {
	if r.n == nil {
		return errNotFetched
	}
	return r.n.In(r.ID).SocketsJoin(rooms...)
}

// Leave makes the socket leave rooms.
func (r *RemoteSocket) Leave(rooms ...string) error {
	if r.n == nil {
		return errNotFetched
	}
	return r.n.In(r.ID).SocketsLeave(rooms...)
}

// Disconnect makes the socket leave its namespace, or closes its client's
// connection; see Socket.Disconnect.
func (r *RemoteSocket) Disconnect(connection bool) error {
	if r.n == nil {
		return errNotFetched
	}
	return r.n.In(r.ID).DisconnectSockets(connection)
}
