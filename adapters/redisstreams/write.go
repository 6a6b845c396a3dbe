package redisstreams

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/parleyws/parley/adapters/internal/redislink"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// Scripts, each of which looks at a session and changes it in one step. ARGV[1] is a stamp,
// but of claimScript.
var (
	stamped = "redis.call('GETRANGE',KEYS[1]," + strconv.Itoa(stampFrom) + "," + strconv.Itoa(stampTo) + ")"

	// writeScript writes a session, unless it is another's. If ARGV[4] is 1 it must be there.
	writeScript = "local s=" + stamped + " if s~=ARGV[1] and (s~='' or ARGV[4]=='1') then return 0 end " +
		"redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1"
	// deleteScript deletes a session, unless it is another's.
	deleteScript = "if " + stamped + "==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 1"
	// claimScript writes a session if it still is ARGV[1].
	claimScript = "if redis.call('GET',KEYS[1])~=ARGV[1] then return 0 end " +
		"redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1"
)

// batch is how many sessions are written at once.
const batch = 200

// run writes what changes, until close.
func (k *lives) run() {
	defer close(k.ended)
	again := time.NewTicker(k.every / 10)
	defer again.Stop()
	delay := time.NewTimer(0)
	<-delay.C
	for waiting := false; ; {
		select {
		case <-k.over.Done():
			return
		case <-again.C:
			k.renew()
			continue
		case <-k.wake:
			if !waiting {
				waiting = true
				delay.Reset(writeDelay)
			}
			continue
		case <-k.hurry:
		case <-delay.C:
		}
		delay.Stop()
		if waiting = !k.flush(); waiting {
			delay.Reset(retryDelay)
		}
	}
}

// renew has those written that were not for a while: they would expire, and clients that
// were sent nothing for long would need an old entry.
func (k *lives) renew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, x := range k.of {
		if x.next == nothingToDo && time.Since(x.tried) > k.every {
			x.next = writing
			k.todo[x] = struct{}{}
			signal(k.wake)
		}
	}
}

// A write is a task that is being done.
type write struct {
	*life
	task  task
	value []byte
	pid   string
	known bool
	cmd   *redis.Cmd
}

// flush does what there is to do. It returns false if Redis does not.
func (k *lives) flush() bool {
	for {
		list := k.begin()
		if len(list) == 0 {
			return true
		}
		ctx, cancel := context.WithTimeout(k.over, writeTime)
		pipe := k.l.sp.s.client.Pipeline()
		for i := range list {
			k.prepare(&list[i])
			k.queue(ctx, pipe, &list[i])
		}
		_, _ = pipe.Exec(ctx) // each command has its error
		cancel()
		var failed error
		for i := range list {
			if err := k.finish(&list[i]); err != nil {
				failed = err
			}
		}
		k.report(failed)
		if failed != nil {
			return false
		}
	}
}

// report logs that sessions can't be written, and that they can again.
func (k *lives) report(err error) {
	log := k.l.sp.s.o.Logger.With("namespace", k.l.Local().Name())
	switch {
	case err != nil && !k.failing && k.over.Err() == nil:
		log.Warn("redis: sessions can't be written", "error", err)
	case err == nil && k.failing:
		log.Info("redis: sessions are written again")
	}
	k.failing = err != nil
}

// begin takes some of what there is to do.
func (k *lives) begin() (list []write) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for x := range k.todo {
		if len(list) == batch {
			break
		}
		delete(k.todo, x)
		list = append(list, write{life: x, task: x.next, pid: x.pid, known: x.known})
		x.next = nothingToDo
	}
	return list
}

// prepare encodes a session. If there is none w has no value.
func (k *lives) prepare(w *write) {
	own, s := w.own, socketio.Session{}
	switch w.task {
	case deleting:
		return
	case saving:
		own, s = "", *w.last
	case writing:
		// Up to here all was delivered before the session is what it is.
		done := k.l.reader.done.position()
		var ok bool
		if s, ok = k.l.Local().Session(w.id); !ok {
			return // it ends, or its client can't come back
		}
		o, _ := parseOffset(s.Lost)
		if o.id = later(o.id, done); o.id != "" {
			s.Lost = o.String()
		}
		k.l.begin(&s)
		w.pid = s.PID
		if !k.name(w.life, s.PID) {
			return
		}
	}
	value, err := appendSession(nil, &s, own)
	if err == nil {
		w.value = value
	} else if !w.mute {
		w.mute = true
		k.l.unsavable(err)
	}
}

// name says what the pid of x is. It returns false if x is over: then nobody would delete
// what is written.
func (k *lives) name(x *life, pid string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	x.pid = pid
	return k.of[x.id] == x || !x.ended.IsZero()
}

// queue adds the command of w to those of a pipeline.
func (k *lives) queue(ctx context.Context, pipe redis.Pipeliner, w *write) {
	age, keys := k.l.recovery.MaxAge, []string{key(w.pid)}
	switch {
	case w.task == deleting || w.task == saving && w.value == nil:
		w.cmd = pipe.Eval(ctx, deleteScript, keys, stamp(w.own))
	case w.value == nil:
	case w.task == saving && w.known: // if it isn't there any more, another server has it
		w.cmd = pipe.Eval(ctx, writeScript, keys, stamp(w.own), w.value, milliseconds(age), 1)
	case w.task == saving:
		w.cmd = pipe.Eval(ctx, writeScript, keys, stamp(w.own), w.value, milliseconds(age), 0)
	default:
		w.cmd = pipe.Eval(ctx, writeScript, keys, stamp(w.own), w.value, milliseconds(k.age()), 0)
	}
}

// age is how long a session is kept that is not written again: one that could not be
// written in time is not lost.
func (k *lives) age() time.Duration { return k.l.recovery.MaxAge + 2*k.every }

func milliseconds(d time.Duration) int64 { return max(d.Milliseconds(), 1) }

// finish takes note of what has become of w. It returns an error if w is to be done again.
func (k *lives) finish(w *write) error {
	x, n, err := w.life, 0, error(nil)
	if w.cmd != nil {
		n, err = w.cmd.Int()
	}
	k.mu.Lock()
	x.tried = time.Now()
	expelled := false
	switch {
	case err != nil:
		if x.ended.IsZero() || time.Since(x.ended) < k.l.recovery.MaxAge {
			k.retry(w)
			k.mu.Unlock()
			return err
		}
		k.l.sp.s.unsaved.Add(1)
	case w.cmd != nil && n == 0:
		expelled = k.of[x.id] == x
		k.drop(x)
	case w.cmd != nil:
		k.l.sp.s.saved.Add(1)
		x.known = true
	}
	if w.task == saving || w.task == deleting {
		delete(k.leaving, w.pid)
		close(x.done)
	}
	k.mu.Unlock()
	if expelled {
		k.expel(x)
	}
	return nil
}

// retry has w done again, unless there is something else to do by now. Called with mu held.
func (k *lives) retry(w *write) {
	if w.life.next == nothingToDo {
		w.life.next = w.task
	}
	k.todo[w.life] = struct{}{}
}

// claim takes a session away from its owner, "" for none, unless it is not what it was any
// more. A socket that is still here keeps it.
func (k *lives) claim(ctx context.Context, s *socketio.Session, value []byte, owner string) (bool, error) {
	x := &life{id: s.ID, pid: s.PID, own: newOwn(), known: true, tried: time.Now()}
	k.mu.Lock()
	_, here := k.of[s.ID]
	if !here {
		k.of[s.ID] = x // nobody else comes back to it here
	}
	k.mu.Unlock()
	if here {
		return false, nil
	}
	mine, err := appendSession(nil, s, x.own)
	n := 0
	if err == nil {
		n, err = redislink.Within(ctx, func(ctx context.Context) (int, error) {
			return k.l.sp.s.client.Eval(ctx, claimScript, []string{key(s.PID)}, value, mine, milliseconds(k.age())).Int()
		})
	}
	if n == 0 || err != nil {
		k.mu.Lock()
		k.drop(x)
		k.mu.Unlock()
		return false, err
	}
	if owner != "" {
		k.announce(s.ID, owner)
	}
	return true, nil
}

// A claim says which session was taken from whom, in an entry of typeTaken.
type claim struct {
	SID string `json:"sid"`
	Own string `json:"own"`
}

// typeTaken is the type of entries that are no messages of servers in Node: these ignore
// them.
const typeTaken = "0"

// announce tells the server that had a session that it has it no more.
func (k *lives) announce(id, owner string) {
	sp := k.l.sp
	data, err := json.Marshal(claim{id, owner})
	if err != nil {
		return // two strings
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	b := append(sp.command[:0], sp.head...)
	for _, word := range []string{typeTaken, "data", string(data)} {
		b = redislink.AppendWord(b, word)
	}
	sp.command = b
	_ = sp.publisher.Send(b) // otherwise the server finds out when it writes the session again
}

// tell takes an entry of typeTaken.
func (l *eventLog) tell(e *entry) {
	var c claim
	if l.lives != nil && !e.large && json.Unmarshal(e.data, &c) == nil {
		l.lives.taken(c.SID, c.Own)
	}
}
