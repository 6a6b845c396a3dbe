package redisadapter

import (
	"sync"
	"sync/atomic"
	"time"
)

// joined remembers the rooms that sockets of other nodes were told to join a moment ago.
// Those nodes may not have subscribed to the rooms' channels yet: what follows for such a
// room goes to the channel of the namespace, which every node reads, in the same order.
type joined struct {
	any atomic.Bool // there may be some

	mu    sync.Mutex
	until map[string]time.Time
	all   time.Time // until then it is so for all rooms: there were too many
}

const (
	joinTime  = 5 * time.Second // for which it is so, as long as a reconnection may take
	maxJoined = 10_000
)

func (j *joined) note(rooms []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	until := time.Now().Add(joinTime)
	if j.until == nil {
		j.until = make(map[string]time.Time)
	}
	j.any.Store(true)
	if len(j.until)+len(rooms) > maxJoined {
		j.forget(time.Now())
	}
	if len(j.until)+len(rooms) > maxJoined {
		j.all = until
		return
	}
	for _, room := range rooms {
		j.until[room] = until
	}
}

// lately reports whether room is such a room.
func (j *joined) lately(room string) bool {
	if !j.any.Load() {
		return false
	}
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if now.Before(j.all) {
		return true
	}
	until, ok := j.until[room]
	if ok && now.Before(until) {
		return true
	}
	if ok {
		delete(j.until, room)
		j.any.Store(len(j.until) > 0)
	}
	return false
}

// forget forgets those that are over. Called with mu held.
func (j *joined) forget(now time.Time) {
	for room, until := range j.until {
		if !now.Before(until) {
			delete(j.until, room)
		}
	}
}
