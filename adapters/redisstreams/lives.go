package redisstreams

import (
	"context"
	"sync"
	"time"

	"github.com/parleyws/parley/socketio"
)

// lives keeps the sessions of a namespace's clients in Redis while they are connected here,
// so that they can come back when this server is killed: Options.SurviveKill.
//
// A session is where servers in Node look for it. While its client is connected it has an
// owner, a name that only the server with the client knows, and expires unless that
// writes it again. Who takes the session for a client that has come back puts a name of
// its own there, in the same step in which it sees that nothing has changed. The one that
// had it before, if it is alive after all, finds another name there, or reads in the
// stream that the session was taken: it writes nothing any more, and ends its socket, of
// which the client knows nothing. In the end the session has no owner, as without the
// option, or is deleted if the client may not come back.
type lives struct {
	l       *eventLog
	every   time.Duration // how often a session is written that does not change
	wake    chan struct{} // something has changed
	hurry   chan struct{} // something has ended
	over    context.Context
	end     context.CancelFunc
	ended   chan struct{} // closed by run
	failing bool          // run can't write

	mu      sync.Mutex
	of      map[string]*life // those that are connected, by the ids of their sockets
	todo    map[*life]struct{}
	leaving map[string]*life // those that have ended and that Redis does not know of, by pid
}

// A life is the session of a client. Guarded by lives.mu, but for id, own and mute.
type life struct {
	id, pid string // pid is "" until it is first written
	own     string
	next    task
	last    *socketio.Session // for saving
	ended   time.Time         // if it has
	known   bool              // Redis had it
	tried   time.Time         // when it was last written
	done    chan struct{}     // closed when Redis knows of its end
	mute    bool              // run has said that it can't be encoded
}

// A task is what is to be done about a life.
type task uint8

const (
	nothingToDo task = iota
	writing          // it has changed
	saving           // its client was lost
	deleting         // its client may not come back
)

const (
	writeDelay = 50 * time.Millisecond // what changes together is written together
	writeAgain = 30 * time.Second
	retryDelay = time.Second
	writeTime  = 5 * time.Second // that Redis may take
)

func newLives(l *eventLog) *lives {
	k := &lives{
		l: l, every: writeAgain, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), ended: make(chan struct{}),
		of: make(map[string]*life), todo: make(map[*life]struct{}), leaving: make(map[string]*life),
	}
	k.over, k.end = context.WithCancel(context.Background())
	go k.run()
	return k
}

// A watchedLog is an eventLog that has lives: a socketio.SessionWatcher.
type watchedLog struct{ *eventLog }

// SessionChanged implements socketio.SessionWatcher.
func (l watchedLog) SessionChanged(id string) { l.lives.changed(id) }

// SessionEnded implements socketio.SessionWatcher.
func (l watchedLog) SessionEnded(id string) { l.lives.forget(id) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (k *lives) changed(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	x := k.of[id]
	if x == nil {
		x = &life{id: id, own: newOwn()}
		k.of[id] = x
	}
	if x.next == nothingToDo {
		x.next = writing
		k.todo[x] = struct{}{}
		signal(k.wake)
	}
}

// save is told of a session whose client was lost.
func (k *lives) save(s socketio.Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	x := k.of[s.ID]
	if x == nil { // it was over before it had begun
		x = &life{id: s.ID, own: newOwn()}
	}
	x.pid, x.last = s.PID, &s
	k.leave(x, saving)
}

// forget is told of the end of a session. If save was told before there is nothing to do.
func (k *lives) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if x := k.of[id]; x != nil {
		k.leave(x, deleting)
	}
}

// leave notes the end of x. Called with mu held.
func (k *lives) leave(x *life, t task) {
	delete(k.of, x.id)
	if x.pid == "" { // Redis has never heard of it
		delete(k.todo, x)
		return
	}
	if len(k.leaving) >= k.l.recovery.Sessions { // Redis is away
		delete(k.todo, x)
		k.l.sp.s.unsaved.Add(1)
		return
	}
	x.next, x.ended, x.done = t, time.Now(), make(chan struct{})
	k.todo[x], k.leaving[x.pid] = struct{}{}, x
	signal(k.hurry)
}

// saved waits until Redis knows of the end of a session, if that has ended here.
func (k *lives) saved(ctx context.Context, pid string) error {
	k.mu.Lock()
	x := k.leaving[pid]
	k.mu.Unlock()
	if x == nil {
		return nil
	}
	select {
	case <-x.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// taken is told by another server that it has taken a session of an owner.
func (k *lives) taken(id, own string) {
	k.mu.Lock()
	x := k.of[id]
	if x == nil || x.own != own {
		k.mu.Unlock()
		return
	}
	k.drop(x)
	k.mu.Unlock()
	k.expel(x)
}

// drop forgets x, which is another server's. Called with mu held.
func (k *lives) drop(x *life) {
	if k.of[x.id] == x {
		delete(k.of, x.id)
	}
	delete(k.todo, x)
}

// expel ends the socket of a client that is elsewhere. Called without mu.
func (k *lives) expel(x *life) {
	k.l.Local().Disconnect(socketio.Target{Rooms: []string{x.id}}, false)
}

// close writes what is left, and ends run.
func (k *lives) close(ctx context.Context) error {
	defer func() {
		k.end()
		<-k.ended
	}()
	for {
		k.mu.Lock()
		var x *life
		for _, x = range k.leaving {
			break
		}
		k.mu.Unlock()
		if x == nil {
			return nil
		}
		select {
		case <-x.done:
		case <-ctx.Done():
			k.mu.Lock()
			k.l.sp.s.unsaved.Add(int64(len(k.leaving)))
			k.mu.Unlock()
			return ctx.Err()
		}
	}
}
