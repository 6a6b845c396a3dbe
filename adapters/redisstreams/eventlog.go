package redisstreams

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/socketio"
)

// An eventLog is a namespace whose clients may come back to any server: a socketio.Log.
// The offset of an event is the id of its entry. So an event of this server is delivered
// when its entry comes back from Redis, unless that takes too long, or Options.Immediate
// is set: then it is early.
type eventLog struct {
	*cluster.Node
	sp       *space
	reader   *reader
	recovery socketio.Recovery
	lives    *lives // nil unless Options.SurviveKill is set

	mu       sync.Mutex // held during deliveries
	closed   bool
	position string      // the id of the last event that was handed over; "": reader.start
	tail     tail        // the events before it
	idle     *time.Timer // set while the tail has events
	idleAt   string      // the position when it was set
	uid      string      // of the last of them: most come from few servers
	told     string      // the last offset that was delivered
	last     uint64      // the number of the last event of this server
	seen     uint64      // that of the last whose entry has come back
	early    uint64      // that of the last that was delivered before its entry came back
	waiting  []pending   // for their entries, in order
	clock    *time.Timer
	away     bool   // events don't wait
	probe    uint64 // while away: an event whose entry shows how long it takes; 0: none
	probed   time.Time
	had      map[string][]holder // by the server whose events they have had
	ahead    []raw               // early events whose entries have not come back, in order; they have no id
	size     int                 // of ahead, in bytes
	dropped  uint64              // the number of the last that was too much for ahead
	decoder  nodewire.Decoder
}

// A pending event waits for its entry.
type pending struct {
	number  uint64
	data    []byte // of the entry
	since   time.Time
	deliver func(offset string)
}

// maxWait is how long an event of this server waits for its entry. Then it is delivered
// with its number as its offset, and so are later ones until entries come back in half
// that time.
const maxWait = time.Second

// typeBroadcast is cluster.Broadcast as an entry has it.
const typeBroadcast = "3"

// newEventLog is called with s.mu held.
func newEventLog(sp *space, r *reader, recovery socketio.Recovery) *eventLog {
	l := &eventLog{Node: sp.node, sp: sp, reader: r, recovery: recovery, position: r.position, tail: tail{from: r.position}}
	l.clock = time.AfterFunc(maxWait, l.tick)
	l.clock.Stop()
	if sp.s.o.SurviveKill {
		l.lives = newLives(l)
	}
	return l
}

// Append implements socketio.Log.
func (l *eventLog) Append(t socketio.Target, event socketio.Encoded, deliver func(offset string)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	n := l.last
	data, err := l.sp.add(&cluster.Message{Type: cluster.Broadcast, UID: l.UID(), Target: t, Event: event}, n)
	if l.sp.s.o.Immediate {
		l.deliverEarly(pending{number: n, data: data, deliver: deliver})
		return err
	}
	if l.closed || !l.away && !l.sp.publisher.Up() {
		l.giveUp()
	}
	if l.away || err != nil && len(l.waiting) == 0 {
		if err == nil && l.probe == 0 {
			l.probe, l.probed = n, time.Now()
		}
		l.deliverEarly(pending{number: n, data: data, deliver: deliver})
		return err
	}
	l.waiting = append(l.waiting, pending{n, data, time.Now(), deliver})
	if len(l.waiting) == 1 {
		l.clock.Reset(maxWait)
	}
	return err
}

// giveUp delivers all that waits without offsets. Called with mu held.
func (l *eventLog) giveUp() {
	l.away, l.probe = true, 0
	l.release(len(l.waiting), l.deliverEarly)
}

// release delivers n of those that wait. Called with mu held.
func (l *eventLog) release(n int, deliver func(pending)) {
	for _, p := range l.waiting[:n] {
		deliver(p)
	}
	clear(l.waiting[:n])
	if l.waiting = l.waiting[n:]; len(l.waiting) == 0 {
		l.waiting = nil
	}
}

// deliverEarly delivers an event whose entry has not come back. Called with mu held.
func (l *eventLog) deliverEarly(p pending) {
	l.early = p.number
	// All entries up to this one were delivered.
	id := later(l.reader.done.position(), l.position)
	if id == "" {
		p.deliver("") // Redis was never there: no client can come back to it
		return
	}
	l.told = l.offset(id)
	p.deliver(l.told)
	if p.number > l.seen && p.data != nil {
		l.ahead = append(l.ahead, raw{uid: l.UID(), number: p.number, data: p.data})
		l.size += l.ahead[len(l.ahead)-1].size()
	}
	for l.size > l.recovery.EventBytes {
		l.dropped = l.ahead[0].number
		l.behind()
	}
}

// behind drops the first early event. Called with mu held.
func (l *eventLog) behind() {
	l.size -= l.ahead[0].size()
	l.ahead[0] = raw{}
	if l.ahead = l.ahead[1:]; len(l.ahead) == 0 {
		l.ahead = nil
	}
}

// offset returns the offset of those who have got all that was delivered here, up to an
// entry. Called with mu held.
func (l *eventLog) offset(id string) string {
	if l.seen < l.early {
		return offset{id, l.UID(), l.early}.String()
	}
	return id
}

// tick looks whether the first that waits does so for too long.
func (l *eventLog) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return
	}
	if left := maxWait - time.Since(l.waiting[0].since); left > 0 {
		l.clock.Reset(left)
		return
	}
	l.giveUp()
}

// take takes an event from the stream: one of this server or of another one.
func (l *eventLog) take(id string, e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	defer func() { l.position = id }()
	number, _ := strconv.ParseUint(string(e.number), 10, 64) // 0: of a server in Node, or volatile
	if l.uid != string(e.uid) {
		l.uid = string(e.uid)
	}
	l.tail.add(raw{id: id, uid: l.uid, number: number, data: append([]byte(nil), e.data...)}, &l.recovery)
	if l.idle == nil && len(l.tail.list) > 0 {
		l.idle, l.idleAt = time.AfterFunc(l.recovery.MaxAge, l.fade), id
	}
	if string(e.uid) == l.UID() {
		l.mine(id, number)
		return
	}
	sp := l.sp
	if e.large || len(e.uid) == 0 {
		sp.receive(nil, nil, errEntry)
		return
	}
	m, err := l.decoder.DecodeData(cluster.Broadcast, string(e.uid), e.data)
	if err != nil || m.Request != "" || m.Target.Flags.Volatile {
		sp.receive(nil, m, err)
		return
	}
	sp.s.received.Add(1)
	l.told = l.offset(id)
	if err := l.Local().Deliver(l.toOthers(m.Target, m.UID, number), m.Event, l.told); err != nil {
		sp.s.refuse(err)
	}
}

// fade drops the tail if nothing has come for Recovery.MaxAge. While events come each of them
// drops what is too old.
func (l *eventLog) fade() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.idle = nil; l.position == l.idleAt {
		l.tail = tail{from: later(l.tail.from, l.position)}
	} else if len(l.tail.list) > 0 {
		l.idle, l.idleAt = time.AfterFunc(l.recovery.MaxAge, l.fade), l.position
	}
}

// mine takes an event of this server. Called with mu held.
func (l *eventLog) mine(id string, n uint64) {
	if n <= l.seen || n > l.last {
		return // volatile
	}
	l.seen = n
	for len(l.ahead) > 0 && l.ahead[0].number <= n {
		l.behind()
	}
	if l.probe != 0 && n >= l.probe {
		l.away = time.Since(l.probed) > maxWait/2
		l.probe = 0
	}
	lost := 0
	for lost < len(l.waiting) && l.waiting[lost].number < n {
		lost++ // its entry was never added
	}
	early := l.early
	l.release(lost, l.deliverEarly)
	l.told = l.offset(id)
	if len(l.waiting) > 0 && l.waiting[0].number == n {
		l.release(1, func(p pending) { p.deliver(l.told) })
		if len(l.waiting) > 0 {
			l.clock.Reset(maxWait - time.Since(l.waiting[0].since))
		}
		return
	}
	if n <= early {
		// It was delivered: only the offset moves on.
		_ = l.Local().Deliver(nobody, nothing, l.told)
	}
}

// nobody addresses a room that no socket joins, and nothing is an event for it.
var (
	nobody  = socketio.Target{Rooms: []string{"\x00redisstreams: nobody"}}
	nothing = socketio.Encoded{Data: []byte(`["e"]`)}
)

// A holder is a client here that has had the events of another server up to a number,
// before their entries came.
type holder struct {
	id string
	n  uint64
}

// hold takes note of a client that comes back with an offset. Called with mu held.
func (l *eventLog) hold(id string, o offset) {
	if o.n == 0 || o.uid == l.UID() {
		return
	}
	if l.had == nil {
		l.had = make(map[string][]holder)
	}
	list := l.had[o.uid]
	if n := len(list); n&(n-1) == 0 { // now and then: the server may never be heard of again
		list = slices.DeleteFunc(list, func(h holder) bool { return !l.Local().HasRoom(h.id) })
	}
	l.had[o.uid] = append(list, holder{id, o.n})
}

// toOthers returns t without those who have had an event of a server. Called with mu held.
func (l *eventLog) toOthers(t socketio.Target, uid string, number uint64) socketio.Target {
	list := l.had[uid]
	if len(list) == 0 || number == 0 {
		return t
	}
	t.Except = slices.Clone(t.Except)
	list = slices.DeleteFunc(list, func(h holder) bool { return h.n < number })
	for _, h := range list {
		t.Except = append(t.Except, h.id)
	}
	if l.had[uid] = list; len(list) == 0 {
		delete(l.had, uid)
	}
	return t
}

// rewind is told that the stream has begun anew. Entries that were delivered early have
// gone with it.
func (l *eventLog) rewind(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.position, l.tail = id, tail{from: id}
}

// torn is told that entries are missing before that with an id, which comes next.
func (l *eventLog) torn(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = tail{from: id}
}

// Close implements socketio.Adapter.
func (l *eventLog) Close(ctx context.Context) error {
	l.mu.Lock()
	l.giveUp()
	l.closed = true
	l.clock.Stop()
	if l.idle != nil {
		l.idle.Stop()
	}
	l.mu.Unlock()
	var err error
	if l.lives != nil {
		err = l.lives.close(ctx)
	}
	return errors.Join(err, l.Node.Close(ctx))
}
