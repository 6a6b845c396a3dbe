package redisstreams

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/adapters/internal/nodewire"
	"github.com/parleyws/parley/socketio"
)

// An eventLog is a namespace whose clients may come back to any server: a socketio.Log.
// The offset of an event is the id of its entry. So an event of this server is delivered
// when its entry comes back from Redis, unless that takes too long.
type eventLog struct {
	*cluster.Node
	sp       *space
	reader   *reader
	recovery socketio.Recovery
	saves    sync.WaitGroup
	saving   chan struct{} // bounds saves

	mu       sync.Mutex // held during deliveries
	closed   bool
	position string    // the id of the last entry that was handed over; "": reader.start
	last     uint64    // the number of the last event of this server
	seen     uint64    // that of the last whose entry has come back
	early    uint64    // that of the last that was delivered without an offset
	waiting  []pending // for their entries, in order
	clock    *time.Timer
	away     bool   // events don't wait
	probe    uint64 // while away: an event whose entry shows how long it takes; 0: none
	probed   time.Time
	resuming int // clients that are coming back
	recent   []raw
	bytes    int // of recent
	decoder  nodewire.Decoder
}

// A pending event waits for its entry.
type pending struct {
	number  uint64
	since   time.Time
	deliver func(offset string)
}

// A raw is an event in the stream.
type raw struct {
	id, uid string
	data    []byte
}

// maxWait is how long an event of this server waits for its entry. Then it is delivered
// without an offset, and so are later ones until entries come back in half that time.
const maxWait = time.Second

// typeBroadcast is cluster.Broadcast as an entry has it.
const typeBroadcast = "3"

var errBehind = errors.New("redisstreams: events of this server are not in the stream yet")

// newEventLog is called with s.mu held.
func newEventLog(sp *space, r *reader, recovery socketio.Recovery) *eventLog {
	l := &eventLog{Node: sp.node, sp: sp, reader: r, recovery: recovery, position: r.position, saving: make(chan struct{}, 1000)}
	l.clock = time.AfterFunc(maxWait, l.tick)
	l.clock.Stop()
	return l
}

// Append implements socketio.Log.
func (l *eventLog) Append(t socketio.Target, event socketio.Encoded, deliver func(offset string)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	n := l.last
	err := l.sp.add(&cluster.Message{Type: cluster.Broadcast, UID: l.UID(), Target: t, Event: event}, n)
	if l.closed || !l.away && !l.sp.publisher.Up() {
		l.giveUp()
	}
	if l.away || err != nil && len(l.waiting) == 0 {
		if err == nil {
			l.early = n
			if l.probe == 0 {
				l.probe, l.probed = n, time.Now()
			}
		}
		deliver("")
		return err
	}
	l.waiting = append(l.waiting, pending{n, time.Now(), deliver})
	if len(l.waiting) == 1 {
		l.clock.Reset(maxWait)
	}
	return err
}

// giveUp delivers all that waits without offsets. Called with mu held.
func (l *eventLog) giveUp() {
	l.away, l.probe = true, 0
	l.release(len(l.waiting), "")
}

// release delivers n of those that wait. Called with mu held.
func (l *eventLog) release(n int, offset string) {
	for _, p := range l.waiting[:n] {
		if offset == "" {
			l.early = p.number
		}
		p.deliver(offset)
	}
	clear(l.waiting[:n])
	if l.waiting = l.waiting[n:]; len(l.waiting) == 0 {
		l.waiting = nil
	}
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
	l.position = id
	if l.resuming > 0 {
		l.record(id, e)
	}
	if string(e.uid) == l.UID() {
		l.mine(id, e)
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
	if l.Local().Deliver(m.Target, m.Event, id) != nil {
		sp.s.refused.Add(1)
	}
}

// mine takes an event of this server. Called with mu held.
func (l *eventLog) mine(id string, e *entry) {
	n, err := strconv.ParseUint(string(e.number), 10, 64)
	if err != nil || n <= l.seen || n > l.last {
		return // volatile
	}
	l.seen = n
	if l.probe != 0 && n >= l.probe {
		l.away = time.Since(l.probed) > maxWait/2
		l.probe = 0
	}
	lost := 0
	for lost < len(l.waiting) && l.waiting[lost].number < n {
		lost++ // its entry was never added
	}
	early := l.early
	l.release(lost, "")
	if len(l.waiting) > 0 && l.waiting[0].number == n {
		l.release(1, id)
		if len(l.waiting) > 0 {
			l.clock.Reset(maxWait - time.Since(l.waiting[0].since))
		}
		return
	}
	if n <= early {
		// It was delivered: only the offset moves on.
		_ = l.Local().Deliver(nobody, socketio.Encoded{Data: []byte(`["e"]`)}, id)
	}
}

// nobody addresses a room that no socket joins.
var nobody = socketio.Target{Rooms: []string{"\x00redisstreams: nobody"}}

// record keeps an event for those who are coming back. Called with mu held.
func (l *eventLog) record(id string, e *entry) {
	if l.bytes += len(e.data) + 128; l.bytes <= l.recovery.EventBytes {
		l.recent = append(l.recent, raw{id, string(e.uid), append([]byte(nil), e.data...)})
	}
}

// rewind is told that the stream has begun anew. Entries that were delivered early have
// gone with it.
func (l *eventLog) rewind(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.position = id
}

// Close implements socketio.Adapter.
func (l *eventLog) Close(ctx context.Context) error {
	l.mu.Lock()
	l.giveUp()
	l.closed = true
	l.clock.Stop()
	l.mu.Unlock()
	saved := make(chan struct{})
	go func() { l.saves.Wait(); close(saved) }()
	select {
	case <-saved:
	case <-ctx.Done():
	}
	return l.Node.Close(ctx)
}
