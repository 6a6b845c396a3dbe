// Package rooms is the server of the chat: what its events do. It knows nothing of other
// nodes. With an Adapter in the options In, To and FetchSockets reach the sockets of all of
// them, as in examples/cluster.
package rooms

import (
	"cmp"
	"context"
	"hash/maphash"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A message is what a client sends to a room: a text, or anything else that an event can
// carry, with binary data at any depth. The limits of the server's options bound it.
type message struct {
	Room    string `json:"room"`
	Message any    `json:"message"`
}

// A person is a member of a room.
type person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// The limits on what clients may send.
const (
	maxName = 40
	maxRoom = 60
)

// fetchTime is how long other nodes may take to say who is in a room.
const fetchTime = time.Second

// Errors that the client is told.
var (
	errRoom    error = &socketio.Error{Message: "empty or too long"}
	errMessage error = &socketio.Error{Message: "no message"}
)

// A chat holds no messages, and no rooms: the Socket.IO server keeps the rooms.
type chat struct {
	io  *socketio.Server
	log *slog.Logger

	// One of the locks, chosen by the room's name, is held while the people in a room are
	// listed and the list is sent, so that the last list that a client gets is the current
	// one. Other rooms need not wait for it.
	locks [64]sync.Mutex
	seed  maphash.Seed
}

// NewServer returns a Socket.IO server for the chat. The options must have a Logger.
func NewServer(o *socketio.Options) (*socketio.Server, error) {
	io, err := socketio.NewServer(o)
	if err != nil {
		return nil, err
	}
	c := &chat{io: io, log: o.Logger, seed: maphash.MakeSeed()}
	io.OnConnect(c.connected)
	return io, nil
}

// connected registers the handlers of a client. The client's name comes with the auth
// of its connection.
func (c *chat) connected(s *socketio.Socket) {
	me := person{s.ID(), name(s)}
	s.Set("name", me.Name)
	c.log.Info("connected", "id", me.ID, "name", me.Name, "transport", s.Transport())

	socketio.Handle(s, "join-room", func(ctx context.Context, room string) ([]person, error) {
		if room == "" || len(room) > maxRoom {
			return nil, errRoom
		}
		if err := s.Join(room); err != nil {
			return nil, err
		}
		return c.announce(ctx, room)
	})
	socketio.Handle(s, "leave-room", func(ctx context.Context, room string) ([]person, error) {
		s.Leave(room)
		return c.announce(ctx, room)
	})
	socketio.Handle(s, "message", func(_ context.Context, m message) (bool, error) {
		if m.Message == nil || m.Message == "" {
			return false, errMessage
		}
		c.log.Info("message", "id", me.ID, "room", m.Room)
		return true, s.To(m.Room).Emit("receive-message", m.Message, me) // to all in the room but s
	})
	socketio.On(s, "typing", func(_ context.Context, room string) error {
		return s.To(room).Volatile().Emit("typing", me)
	})
	s.OnDisconnecting(func(reason socketio.Reason) {
		c.log.Info("disconnected", "id", me.ID, "reason", reason)
		for _, room := range s.Rooms() {
			if room == me.ID {
				continue
			}
			s.Leave(room)
			if _, err := c.announce(context.Background(), room); err != nil {
				c.log.Warn("not announced", "room", room, "error", err)
			}
		}
	})
}

// name returns the name that a client has chosen.
func name(s *socketio.Socket) string {
	type auth struct {
		Name string `json:"name"`
	}
	if auth, err := socketio.Auth[auth](s); err == nil {
		if name := strings.TrimSpace(auth.Name); name != "" && len(name) <= maxName {
			return name
		}
	}
	return "Guest " + s.ID()[:4]
}

// announce sends the list of the people in a room, on all nodes, to the room. If not all
// nodes answer it has those that are known.
func (c *chat) announce(ctx context.Context, room string) ([]person, error) {
	lock := &c.locks[maphash.String(c.seed, room)%uint64(len(c.locks))]
	lock.Lock()
	defer lock.Unlock()
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	sockets, err := c.io.In(room).FetchSockets(ctx)
	if err != nil {
		c.log.Warn("not all people are known", "room", room, "error", err)
	}
	people := []person{}
	for _, s := range sockets {
		if name, ok := s.Data["name"].(string); ok {
			people = append(people, person{s.ID, name})
		}
	}
	slices.SortFunc(people, func(a, b person) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return people, c.io.In(room).Emit("people", room, people)
}
