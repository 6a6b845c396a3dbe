package socketio

import (
	"context"
	"sync/atomic"
)

// A roomWatch tells a RoomWatcher which rooms have got their first member or lost their
// last one. The changes are noted with rooms.mu held and told without it: by whoever
// has made one, unless somebody is telling already, who then goes on.
type roomWatch struct {
	to atomic.Pointer[RoomWatcher] // nil: nobody watches

	// Guarded by rooms.mu:
	changed map[string]bool // by room: it has been opened; otherwise closed
	telling chan struct{}   // closed when the call in progress has returned; nil if there is none
}

// watch makes w the watcher.
func (r *rooms) watch(w RoomWatcher) { r.watcher.to.Store(&w) }

// unwatch takes the watcher away. It waits until a call of it that is in progress has
// returned, or until ctx ends.
func (r *rooms) unwatch(ctx context.Context) {
	r.mu.Lock()
	r.watcher.to.Store(nil)
	telling := r.watcher.telling
	r.mu.Unlock()
	if telling == nil {
		return
	}
	select {
	case <-telling:
	case <-ctx.Done():
	}
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
	if r.watcher.to.Load() == nil {
		return
	}
	for {
		w, opened, closed := r.changes()
		if w == nil {
			return
		}
		r.inform(w, opened, closed)
	}
}

// changes returns what the caller has to tell w; w is nil if there is nothing to tell.
func (r *rooms) changes() (w RoomWatcher, opened, closed []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.watcher.to.Load()
	if to == nil || r.watcher.telling != nil || len(r.watcher.changed) == 0 {
		return nil, nil, nil
	}
	r.watcher.telling = make(chan struct{})
	for room, open := range r.watcher.changed {
		if open {
			opened = append(opened, room)
		} else {
			closed = append(closed, room)
		}
	}
	r.watcher.changed = nil
	return *to, opened, closed
}

// inform calls w. Others may tell afterwards, also after a panic.
func (r *rooms) inform(w RoomWatcher, opened, closed []string) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		close(r.watcher.telling)
		r.watcher.telling = nil
	}()
	w.RoomsChanged(opened, closed)
}
