package natsadapter

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

var errSession error = &parser.Error{Reason: "session in JetStream can't be read"}

// The form of a session:
//
//	version    1 byte, 1
//	flags      1 byte: 1 if the client is not connected any more
//	id, pid    strings
//	rooms      list
//	data       JSON and attachments
//	connected, sent, lost
//
// with strings and lists as in messages. An empty one is that of a client that does not come
// back, and claimMark that of one that another node has taken and not written yet.
const sessionVersion = 1

var claimMark = []byte{0}

func appendSession(b []byte, s *socketio.Session, ended bool) ([]byte, error) {
	data, err := socketio.Encode(s.Data)
	if err != nil {
		return b, err
	}
	b = append(b, sessionVersion, 0)
	if ended {
		b[len(b)-1] = 1
	}
	b = appendString(appendString(b, s.ID), s.PID)
	b = appendEncoded(appendList(b, s.Rooms), &data)
	return appendString(appendString(appendString(b, s.Connected), s.Sent), s.Lost), nil
}

func readSession(b []byte) (s socketio.Session, ended bool, err error) {
	if len(b) < 2 || b[0] != sessionVersion || b[1] > 1 {
		return s, false, errSession
	}
	ended = b[1] == 1
	r := reader{b: b[2:]}
	s.ID, s.PID = string(r.bytes()), string(r.bytes())
	s.Rooms = r.list(nil)
	var d decoder
	data := d.encoded(&r, nil)
	s.Connected, s.Sent, s.Lost = string(r.bytes()), string(r.bytes()), string(r.bytes())
	if r.err != nil || len(r.b) > 0 || s.ID == "" || !isPID(s.PID) || data.Decode(&s.Data) != nil {
		return socketio.Session{}, false, errSession
	}
	return s, ended, nil
}

// isPID reports whether a string can be the pid of a client.
func isPID(pid string) bool {
	if pid == "" || len(pid) > maxUID {
		return false
	}
	for i := range len(pid) {
		if c := pid[i]; !(plain(c) || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// sessions are those of a namespace that this node writes.
type sessions struct {
	l       *eventLog
	subject string // what their subjects begin with

	mu     sync.Mutex
	closed bool
	kept   map[string]*kept // by the id of the socket
	claims map[string]claim // of clients that have come back, until their session is written
	dirty  []*kept          // changed since the last batch
	timer  *time.Timer
	flying int           // writes that are not answered
	landed chan struct{} // closed when none is; nil: nobody waits
}

// A kept is the session of a client. Only one write of it is under way. Guarded by
// sessions.mu.
type kept struct {
	s         *sessions
	id, pid   string
	connected string // Session.Connected, once it is known
	revision  uint64 // of what was written last; it is not written if another node has written since
	unsure    bool   // the revision is not known
	written   time.Time
	flying    bool
	dirty     bool // it is to be written again
	ended     bool // the socket has ended; value is what is to be written last
	value     []byte
	over      bool // another node has it
}

// A claim is the number of the message that has taken a session.
type claim struct {
	revision uint64
	at       time.Time
}

// batchTime is for how long changes of sessions are gathered.
const batchTime = 10 * time.Millisecond

// SessionChanged implements socketio.SessionWatcher.
func (l *eventLog) SessionChanged(id string) {
	session, connected := l.Local().Session(id)
	if !connected {
		l.SessionEnded(id)
		return
	}
	s := &l.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kept[id]
	if k == nil {
		k = s.add(id, session.PID)
		s.change(k)
		s.timer.Reset(0) // until it is there, nobody comes back if this node is killed
	} else if !k.ended {
		s.change(k)
	}
}

// SessionEnded implements socketio.SessionWatcher.
func (l *eventLog) SessionEnded(id string) {
	s := &l.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.claims, id)
	if k := s.kept[id]; k != nil && !k.ended {
		s.end(k, nil)
	}
}

// add makes the session of a socket one that is kept. Called with mu held.
func (s *sessions) add(id, pid string) *kept {
	k := &kept{s: s, id: id, pid: pid, revision: s.claims[id].revision}
	delete(s.claims, id)
	s.kept[id] = k
	return k
}

// change notes that a session has changed. Called with mu held.
func (s *sessions) change(k *kept) {
	if k.dirty || k.over {
		return
	}
	k.dirty = true
	s.dirty = append(s.dirty, k)
	if s.timer == nil {
		s.timer = time.AfterFunc(batchTime, s.flush)
	} else if len(s.dirty) == 1 {
		s.timer.Reset(batchTime)
	}
}

// end writes a session for the last time. An empty value is none. Called with mu held.
func (s *sessions) end(k *kept, value []byte) {
	k.ended, k.value = true, value
	if k.over {
		delete(s.kept, k.id)
		return
	}
	s.write(k, value)
}

// flush writes what has changed.
func (s *sessions) flush() {
	s.mu.Lock()
	list := s.dirty
	s.dirty = nil
	s.mu.Unlock()
	for _, k := range list {
		s.mu.Lock()
		skip := k.ended || k.over || k.flying
		k.dirty = k.flying && !k.over // then it is written when the answer has come
		s.mu.Unlock()
		if skip {
			continue
		}
		value, connected, ok := s.l.session(k.id)
		s.mu.Lock()
		if k.connected == "" {
			k.connected = connected
		}
		if ok && !k.ended && !k.over {
			s.write(k, value)
		}
		s.mu.Unlock()
	}
}

// session returns the session of a connected socket, encoded. It says what the client would
// have missed if it had been lost just now.
func (l *eventLog) session(id string) (value []byte, connected string, ok bool) {
	l.mu.Lock()
	if l.closed || l.position == 0 {
		l.mu.Unlock()
		return nil, "", false
	}
	session, ok := l.Local().Session(id)
	session.Lost = l.place().String()
	l.mu.Unlock()
	if !ok {
		return nil, "", false
	}
	if session.Connected == "" {
		session.Connected = session.Lost
	}
	value, err := appendSession(nil, &session, false)
	if err != nil {
		l.unsaved(err)
	}
	return value, session.Connected, err == nil
}

func (l *eventLog) unsaved(err error) {
	l.n.c.o.Logger.Warn("socket.io: session can't be saved", "namespace", l.Local().Name(), "error", err)
}

// write writes a session, unless a write is under way: then it is written after that.
// Called with mu held.
func (s *sessions) write(k *kept, value []byte) {
	if k.flying {
		k.dirty = true
		return
	}
	k.written = time.Now()
	o := op{namespace: s.l.n, action: keep, to: s.subject + k.pid, kept: k}
	o.message = buffers.Get().(*[]byte)
	*o.message = append((*o.message)[:0], value...)
	if int64(len(value)) > s.l.n.c.maxPayload.Load()/2 || s.l.n.c.queue.publish(o) != nil {
		s.l.n.c.counters.dropped.Add(1)
		o.release()
		if k.ended {
			delete(s.kept, k.id)
		}
		return
	}
	k.flying = true
	s.flying++
}

// header returns the header of a message that is stored only if nobody else has written
// the session. Called by the writer.
func (k *kept) header() nats.Header {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	if k.unsure {
		return nil
	}
	return nats.Header{jetstream.ExpectedLastSubjSeqHeader: []string{strconv.FormatUint(k.revision, 10)}}
}

func (k *kept) stored(sequence uint64) {
	s := k.s
	s.mu.Lock()
	defer s.mu.Unlock()
	k.revision, k.unsure = sequence, false
	s.land(k)
}

// put ends a write without JetStream.
func (k *kept) put() {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.unsure = true
	k.s.land(k)
}

func (k *kept) failed(last uint64, unexpected bool) {
	s := k.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !unexpected:
		s.l.n.c.counters.dropped.Add(1)
		k.unsure = true
	case last == 0: // it was too old
		k.revision, k.dirty = 0, true
	default:
		k.over = true
	}
	s.land(k)
}

// land is the end of a write. Called with mu held.
func (s *sessions) land(k *kept) {
	k.flying = false
	s.flying--
	switch again := k.dirty; {
	case k.ended && again && !k.over:
		k.dirty = false
		s.write(k, k.value)
	case k.ended || k.over:
		if k.ended {
			delete(s.kept, k.id)
		}
	case again:
		k.dirty = false
		s.change(k)
	}
	if s.flying == 0 && s.landed != nil {
		close(s.landed)
		s.landed = nil
	}
}

// refresh writes those again that will soon be too old, and forgets claims of clients that
// were not let in.
func (s *sessions) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, age := time.Now(), s.l.g.refresh
	for _, k := range s.kept {
		if !k.ended && !k.flying && now.Sub(k.written) > age {
			s.change(k)
		}
	}
	for id, c := range s.claims {
		if now.Sub(c.at) > age {
			delete(s.claims, id)
		}
	}
}

// rewrite writes those again that may have been lost, or all.
func (s *sessions) rewrite(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kept {
		if !k.ended && (all || k.unsure || k.written.IsZero()) {
			k.over = k.over && !all
			s.change(k)
		}
	}
}

// close waits until what is being written is there.
func (s *sessions) close(ctx context.Context) {
	s.flush()
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.flying == 0 {
		s.mu.Unlock()
		return
	}
	landed := make(chan struct{})
	s.landed = landed
	s.mu.Unlock()
	select {
	case <-landed:
	case <-ctx.Done():
	}
}

// Save implements socketio.Log.
func (l *eventLog) Save(session socketio.Session) {
	s := &l.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kept[session.ID]
	if k == nil {
		k = s.add(session.ID, session.PID)
	}
	if session.Connected == "" { // JetStream came afterwards
		session.Connected = k.connected
	}
	value, err := []byte(nil), error(nil)
	if session.Connected != "" && session.Lost != "" { // otherwise nobody knows what it has missed
		if value, err = appendSession(nil, &session, true); err != nil {
			l.unsaved(err)
		}
	}
	s.end(k, value)
}
