package natsadapter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

// Clients come back in rounds, one after the other, each of as many as have come by then:
//
//  1. The node subscribes to the rooms of all of them.
//  2. It puts a mark into the stream. The servers have seen the subscriptions before the
//     mark, so whatever has a number above the mark's comes by them; the log records that,
//     and what the node itself has emitted after the mark.
//  3. It reads the stream from the first event that one of the clients may have missed up
//     to the mark.
//  4. It lets one client after the other in, between two deliveries, with what was read and
//     recorded.
type round struct {
	l       *eventLog
	members []*returning
	closed  bool   // nobody comes to it any more
	number  uint64 // of the last event of this node before the mark
	until   uint64 // the mark's position; 0: not known yet
	recent  []entry
	bytes   int  // of recent
	lacks   bool // events are missing of which it may not read; guarded by eventLog.mu

	// Of run alone:
	first   uint64 // all that follows was read
	entries []entry
	hole    uint64 // the last position where events are missing; 0: none
}

// A returning is a client that comes back, a member of a round.
type returning struct {
	from  place
	id    string // of its socket
	enter func(iter.Seq[socketio.Missed])
	done  chan error
	over  bool // enter must not be called any more; guarded by eventLog.mu
}

// An entry is an event that somebody may have missed.
type entry struct {
	sequence uint64 // 0: of this node
	uid      string
	number   uint64
	offset   string // as it was delivered here; "" for one that was read
	missed   socketio.Missed
}

var (
	errTrimmed = errors.New("natsadapter: the events that a client has missed are not kept any more")
	errMissing = errors.New("natsadapter: of the events that a client has missed some were never kept")
	errMany    = errors.New("natsadapter: a client has missed more than Recovery.EventBytes")
	errOffset  = errors.New("natsadapter: nothing is known of what a client has got")
)

// roundTime is how long a round may take.
const roundTime = 5 * time.Second

// Resume implements socketio.Log.
func (l *eventLog) Resume(ctx context.Context, s socketio.Session, offset string, enter func(iter.Seq[socketio.Missed])) error {
	from, ok := parsePlace(s.From(offset))
	if !ok {
		return errOffset
	}
	select {
	case <-l.n.settled: // it is known of which nodes events are missing
	case <-ctx.Done():
	}
	for l.g.state.Load() == asking && pause(ctx, lateTick) {
	}
	if l.g.state.Load() != ready {
		return errAway
	}
	rooms := append(slices.Clone(s.Rooms), s.ID)
	l.n.c.queue.hold(l.n, rooms)
	defer l.n.c.queue.unhold(l.n, rooms)
	m := &returning{from: from, id: s.ID, enter: enter, done: make(chan error, 1)}
	l.join(m)
	select {
	case err := <-m.done:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.over {
		return <-m.done
	}
	m.over = true
	return context.Cause(ctx)
}

// join makes a client a member of the round that waits for its mark, or of the next one.
func (l *eventLog) join(m *returning) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		m.end(errClosed)
	case l.now == nil:
		l.begin(&round{l: l, members: []*returning{m}})
	case !l.now.closed:
		l.now.members = append(l.now.members, m)
	default:
		if l.next == nil {
			l.next = &round{l: l}
		}
		l.next.members = append(l.next.members, m)
	}
}

// begin begins a round. Called with mu held.
func (l *eventLog) begin(r *round) {
	l.now, r.number, r.lacks = r, l.number, l.n.c.lacking()
	if err := l.n.c.queue.add(op{namespace: l.n, action: mark, round: r}); err != nil {
		l.endRound(r, err)
	}
}

// endRound ends a round, and begins the next one if somebody waits for it. Called with mu
// held.
func (l *eventLog) endRound(r *round, err error) {
	r.fail(err)
	if l.now != r {
		return
	}
	if l.now = nil; l.next != nil {
		r, l.next = l.next, nil
		l.begin(r)
	}
}

// fail tells the members that are left why they can't come back. Called with mu held.
func (r *round) fail(err error) {
	if r == nil {
		return
	}
	for _, m := range r.members {
		m.end(err)
	}
}

// end says how it has ended for a member. Called with mu held.
func (m *returning) end(err error) {
	if !m.over {
		m.over = true
		m.done <- err
	}
}

// record records an event that is delivered now for those who are coming back. Called with
// mu held.
func (l *eventLog) record(e entry, m *cluster.Message) {
	r := l.now
	if r == nil {
		return
	}
	if r.bytes += size(&m.Event); r.bytes <= l.recovery.EventBytes {
		e.missed = missedOf(m, e.offset)
		r.recent = append(r.recent, e)
	}
}

// entryBytes is what an event takes beside its bytes, about.
const entryBytes = 320

func size(e *socketio.Encoded) int {
	n := entryBytes + len(e.Data)
	for _, a := range e.Attachments {
		n += len(a)
	}
	return n
}

// missedOf returns an event that shares no memory with m.
func missedOf(m *cluster.Message, offset string) socketio.Missed {
	e := socketio.Encoded{Data: bytes.Clone(m.Event.Data)}
	for _, a := range m.Event.Attachments {
		e.Attachments = append(e.Attachments, bytes.Clone(a))
	}
	t := socketio.Target{Rooms: slices.Clone(m.Target.Rooms), Except: slices.Clone(m.Target.Except), Flags: m.Target.Flags}
	return socketio.Missed{Target: t, Event: e, Offset: offset}
}

// run reads what the members have missed, and lets them in. It is a goroutine that the
// reader starts when the mark's position is known.
func (r *round) run() {
	ctx, cancel := context.WithTimeout(r.l.g.c.closing, roundTime)
	defer cancel()
	err := r.read(ctx)
	l := r.l
	for _, m := range r.members {
		l.mu.Lock()
		switch {
		case m.over:
		case l.closed:
			m.end(errClosed)
		case err != nil:
			m.end(err)
		default:
			m.end(r.admit(m))
		}
		l.mu.Unlock() // others are delivered to meanwhile
	}
	l.mu.Lock()
	l.endRound(r, nil)
	l.mu.Unlock()
}

// read reads the stream up to the mark.
func (r *round) read(ctx context.Context) error {
	g := r.l.g
	r.first = r.until
	for _, m := range r.members {
		r.first = min(r.first, m.from.sequence+1)
	}
	if r.first == r.until {
		return nil // nothing has come meanwhile
	}
	if err := r.fetch(ctx); err != nil {
		return err
	}
	// Was all there when it was read? It is if it still is.
	info, err := (*g.stream.Load()).Info(ctx)
	if err != nil {
		return err
	}
	r.first = max(r.first, info.State.FirstSeq)
	return nil
}

// fetchMessages is how many messages are read at once, and fetchBytes about how many bytes.
const (
	fetchMessages = 1000
	fetchBytes    = 1 << 20
)

// fetch reads the messages of the namespace from first up to the mark. That one is there,
// but perhaps not yet on the server that answers.
func (r *round) fetch(ctx context.Context) error {
	nc := r.l.g.c.nc
	inbox := nc.NewRespInbox()
	from, err := nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer from.Unsubscribe()
	var d decoder
	bytes := 0
	for next := r.first; ; {
		request := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":%q,"batch":%d,"max_bytes":%d}`, next, r.l.n.log+">", fetchMessages, fetchBytes)
		if err := nc.PublishRequest("$JS.API.DIRECT.GET."+r.l.g.events, inbox, request); err != nil {
			return err
		}
		for {
			m, err := from.NextMsgWithContext(ctx)
			if err != nil {
				return err
			}
			sequence := sequenceOf(m)
			if sequence == 0 { // the end of the batch, or an error
				if status := m.Header.Get("Status"); status != "204" && status != "404" {
					return fmt.Errorf("natsadapter: JetStream answers %s %s", status, m.Header.Get("Description"))
				} else if status == "404" && !pause(ctx, lateTick) {
					return context.Cause(ctx)
				}
				break
			}
			if sequence >= r.until {
				return nil
			}
			next = sequence + 1
			bytes += r.take(&d, sequence, m)
			for bytes > r.l.recovery.EventBytes { // those who want them can't come back
				r.first = r.entries[0].sequence + 1
				bytes -= size(&r.entries[0].missed.Event)
				r.entries = r.entries[1:]
			}
		}
	}
}

// take takes a message of the stream, and returns the size of the event if it is one.
func (r *round) take(d *decoder, sequence uint64, m *nats.Msg) int {
	switch m.Header.Get("Nats-Subject") {
	case r.l.n.log + holeToken:
		r.hole = sequence
		return 0
	case r.l.n.log + markToken:
		return 0
	}
	message, err := d.decode(m.Data)
	if err != nil || !isEvent(message) {
		return 0 // no node has delivered it as an event
	}
	r.entries = append(r.entries, entry{sequence: sequence, uid: message.UID, number: d.number, missed: missedOf(message, "")})
	return size(&message.Event)
}

// admit lets a member in, if all is there that it may have missed. Called with mu held.
func (r *round) admit(m *returning) error {
	switch {
	case m.from.sequence+1 < r.first:
		return errTrimmed
	case r.bytes > r.l.recovery.EventBytes:
		return errMany
	case r.hole > m.from.sequence, r.lacks, r.l.lacks():
		return errMissing
	}
	from := m.from
	at, _ := slices.BinarySearchFunc(r.entries, from.sequence+1, func(e entry, s uint64) int { return cmp.Compare(e.sequence, s) })
	entries := r.entries[at:]
	if from.uid != "" && from.uid != r.l.UID() && !slices.ContainsFunc(entries, func(e entry) bool { return e.uid == from.uid && e.number >= from.number }) {
		// Its node has gone before they were stored, or they are late.
		r.l.fences.add(fence{uid: from.uid, number: from.number, id: m.id})
	}
	m.enter(func(yield func(socketio.Missed) bool) {
		had := from
		for _, e := range entries {
			if e.uid == from.uid {
				if e.number >= from.number {
					had.uid = ""
				}
				if e.number <= from.number {
					continue
				}
			}
			had.sequence = e.sequence
			e.missed.Offset = had.String()
			if !yield(e.missed) {
				return
			}
		}
		for _, e := range r.recent {
			switch {
			case e.sequence > 0 && e.sequence <= r.until, e.sequence == 0 && e.number <= r.number, e.uid == from.uid && e.number <= from.number:
			case !yield(e.missed):
				return
			}
		}
	})
	return nil
}

// A fence keeps the events of a node up to a number from a client that has got them on
// that node before it came back here: they may come late.
type fence struct {
	uid    string
	number uint64
	id     string // of the client's socket
}

type fences []fence

// maxFences is how many fences there are at most.
const maxFences = 1000

func (f *fences) add(x fence) {
	if len(*f) >= maxFences {
		*f = slices.Delete(*f, 0, 1)
	}
	*f = append(*f, x)
}

// apply returns the target of an event without those that have got it.
func (f *fences) apply(t socketio.Target, uid string, number uint64) socketio.Target {
	if len(*f) == 0 || number == 0 {
		return t
	}
	for _, x := range *f {
		if x.uid == uid && number <= x.number {
			t.Except = append(slices.Clip(t.Except), x.id)
		}
	}
	*f = slices.DeleteFunc(*f, func(x fence) bool { return x.uid == uid && x.number <= number })
	return t
}
