package socketio

import "errors"

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
