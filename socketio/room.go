package socketio

import (
	"fmt"
	"slices"
	"sync"
)

// rooms says which sockets of this node are in which rooms of a namespace. A socket
// is in the room of its own id from add to remove. After add, join, leave, remove,
// keep and unkeep the caller calls tell, once it holds no lock.
type rooms struct {
	mu      sync.RWMutex
	sockets map[string]*Socket              // by id
	members map[string]map[*Socket]struct{} // by room, without the socket of that id; empty rooms are left out
	kept    map[string]int                  // by room: how many clients may come back to it; see keep
	watcher roomWatch
}

func newRooms() rooms {
	return rooms{sockets: make(map[string]*Socket), members: make(map[string]map[*Socket]struct{})}
}

// add makes a socket known, also in the rooms that it has joined before. It calls
// welcome, with mu held, before anybody can find the socket: what welcome sends is
// the first that the client gets, and what is broadcast after the client has got
// that reaches the client too.
func (r *rooms) add(s *Socket, welcome func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open(s.id) {
		r.note(s.id, true)
	}
	r.sockets[s.id] = s
	for room := range s.rooms {
		r.enter(s, room)
	}
	welcome()
}

// enter adds s to the members of a room. Called with mu held.
func (r *rooms) enter(s *Socket, room string) {
	if r.members[room] == nil {
		if !r.open(room) {
			r.note(room, true)
		}
		r.members[room] = make(map[*Socket]struct{})
	}
	r.members[room][s] = struct{}{}
}

// keep takes note of a client that may come back to rooms. They stay open, so that other
// nodes' events for them, which the client then misses, come to this node.
func (r *rooms) keep(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		if !r.open(name) {
			r.note(name, true)
		}
		if r.kept == nil {
			r.kept = make(map[string]int)
		}
		r.kept[name]++
	}
}

// unkeep undoes keep, when the client has come back or was forgotten.
func (r *rooms) unkeep(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		if r.kept[name]--; r.kept[name] > 0 {
			continue
		}
		if delete(r.kept, name); !r.open(name) {
			r.note(name, false)
		}
	}
}

// open reports whether a room has members, or clients that may come back to it. Called
// with mu held.
func (r *rooms) open(room string) bool {
	return r.sockets[room] != nil || r.members[room] != nil || r.kept[room] > 0
}

// has reports whether a room is open.
func (r *rooms) has(room string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.open(room)
}

// socket returns the socket that is known by an id.
func (r *rooms) socket(id string) (*Socket, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, ok := r.sockets[id]
	return s, ok
}

// count returns the number of sockets.
func (r *rooms) count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.sockets)
}

// countIn returns the number of sockets in a room.
func (r *rooms) countIn(room string) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := len(r.members[room])
	if r.sockets[room] != nil {
		n++
	}
	return n
}

// remove takes a socket out of all its rooms. If another socket has its id by now,
// that one stays.
func (r *rooms) remove(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for room := range s.rooms {
		r.drop(s, room)
	}
	s.rooms, s.left = nil, true
	if r.sockets[s.id] == s {
		delete(r.sockets, s.id)
		if !r.open(s.id) {
			r.note(s.id, false)
		}
	}
}

// join puts a socket into all rooms of a list, or into none. As long as the socket
// is not known, nobody else sees it there.
func (r *rooms) join(s *Socket, names []string, limit int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.left {
		return ErrDisconnected
	}
	known := r.sockets[s.id] == s
	more := 0
	for i, name := range names {
		if _, in := s.rooms[name]; !in && name != s.id && !slices.Contains(names[:i], name) {
			more++
		}
	}
	if len(s.rooms)+more > limit {
		return fmt.Errorf("socket.io: Limits.Rooms exceeded: %d rooms", limit)
	}
	for _, name := range names {
		if name == s.id {
			continue
		}
		if s.rooms == nil {
			s.rooms = make(map[string]struct{})
		}
		s.rooms[name] = struct{}{}
		if known {
			r.enter(s, name)
		}
	}
	return nil
}

// leave takes a socket out of rooms.
func (r *rooms) leave(s *Socket, names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		delete(s.rooms, name)
		r.drop(s, name)
	}
}

// drop takes s off the members of a room, if it is one of them: it need not be in the room, and
// a socket that is not known yet is a member of none. Called with mu held.
func (r *rooms) drop(s *Socket, room string) {
	if _, member := r.members[room][s]; !member {
		return
	}
	if delete(r.members[room], s); len(r.members[room]) == 0 {
		delete(r.members, room)
		if !r.open(room) {
			r.note(room, false)
		}
	}
}

// of returns the rooms of a socket, sorted, with that of its id.
func (r *rooms) of(s *Socket) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make([]string, 0, 1+len(s.rooms))
	if r.sockets[s.id] == s {
		names = append(names, s.id)
	}
	for name := range s.rooms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// all returns the rooms that are not empty, sorted.
func (r *rooms) all() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make([]string, 0, len(r.sockets)+len(r.members))
	for id := range r.sockets {
		names = append(names, id)
	}
	for name := range r.members {
		if r.sockets[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// in reports whether s is in a room. Called with mu held.
func (r *rooms) in(s *Socket, room string) bool {
	if _, in := s.rooms[room]; in {
		return true
	}
	return room == s.id
}

// selected appends the sockets that t addresses to list, each once.
func (r *rooms) selected(list []*Socket, t *Target) []*Socket {
	r.mu.RLock()
	defer r.mu.RUnlock()
	add := func(s *Socket) {
		for _, room := range t.Except {
			if r.in(s, room) {
				return
			}
		}
		list = append(list, s)
	}
	if len(t.Rooms) == 0 {
		for _, s := range r.sockets {
			add(s)
		}
		return list
	}
	for i, room := range t.Rooms {
		seen := func(s *Socket) bool {
			for _, before := range t.Rooms[:i] {
				if r.in(s, before) {
					return true
				}
			}
			return false
		}
		if s := r.sockets[room]; s != nil && !seen(s) {
			add(s)
		}
		for s := range r.members[room] {
			if !seen(s) {
				add(s)
			}
		}
	}
	return list
}
