package redisadapter

import (
	"encoding/json"

	"github.com/parleyws/parley/socketio"
)

// A fetched is the answer to a request of typeFetch.
type fetched struct {
	RequestID string   `json:"requestId"`
	Sockets   []socket `json:"sockets"`
}

// A socket is a socketio.RemoteSocket as nodes write it.
type socket struct {
	ID        string             `json:"id"`
	Handshake socketio.Handshake `json:"handshake"`
	Rooms     names              `json:"rooms"`
	Data      json.RawMessage    `json:"data"`
}

// sockets returns those of this node. Data that can't be encoded is left out, and logged.
func (n *namespace) sockets(t socketio.Target) []socket {
	found := n.local.Fetch(t)
	sockets := make([]socket, len(found))
	for i := range found {
		s := &found[i]
		sockets[i] = socket{s.ID, s.Handshake, list(s.Rooms), json.RawMessage("{}")}
		if s.Data == nil {
			continue
		}
		data, err := socketio.Encode(s.Data)
		if err != nil {
			n.b.o.Logger.Error("socket.io: data of a socket can't be encoded", "namespace", n.local.Name(), "id", s.ID, "error", err)
			continue
		}
		sockets[i].Data = plain(data)
	}
	return sockets
}

func (s *socket) remote() (socketio.RemoteSocket, error) {
	r := socketio.RemoteSocket{ID: s.ID, Handshake: s.Handshake, Rooms: s.Rooms}
	if len(s.Data) == 0 {
		return r, nil
	}
	return r, binary(s.Data).Decode(&r.Data)
}
