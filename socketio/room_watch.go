package socketio

import "sync/atomic"

// A roomWatch tells a RoomWatcher which rooms have got their first member or lost their
// last one. The changes are noted with rooms.mu held and told without it: by whoever
// has made one, unless somebody is telling already, who then goes on.
type roomWatch struct {
	to atomic.Pointer[RoomWatcher] // nil: nobody watches

	// Guarded by rooms.mu:
	changed map[string]bool // by room: it has been opened; otherwise closed
	telling bool
}

// watch makes w the watcher, nil for none.
func (r *rooms) watch(w RoomWatcher) {
	if w == nil {
		r.watcher.to.Store(nil)
		return
	}
	r.watcher.to.Store(&w)
}

// note takes note of a room that was opened or closed. Called with mu held.
func (r *rooms) note(room string, opened bool) {
	w := &r.watcher
	if w.to.Load() == nil {
		return
	}
	if _, noted := w.changed[room]; noted { // it has changed back: it can't open, or close, twice in a row
		delete(w.changed, room)
		return
	}
	if w.changed == nil {
		w.changed = make(map[string]bool)
	}
	w.changed[room] = opened
}

// tell tells the watcher what has been noted. Called without mu.
func (r *rooms) tell() {
	to := r.watcher.to.Load()
	if to == nil {
		return
	}
	for {
		opened, closed, ok := r.changes()
		if !ok {
			return
		}
		r.inform(*to, opened, closed)
	}
}

// changes returns what is to be told. If ok the caller is the one who tells it.
func (r *rooms) changes() (opened, closed []string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.watcher
	if w.telling || len(w.changed) == 0 {
		return nil, nil, false
	}
	w.telling = true
	for room, open := range w.changed {
		if open {
			opened = append(opened, room)
		} else {
			closed = append(closed, room)
		}
	}
	w.changed = nil
	return opened, closed, true
}

// inform calls w. Others may tell afterwards, also after a panic.
func (r *rooms) inform(w RoomWatcher, opened, closed []string) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.watcher.telling = false
	}()
	w.RoomsChanged(opened, closed)
}
