package conn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var stateNames = [...]string{"open", "closing", "closed", "broken", "over"}

func (s state) String() string { return stateNames[s] }

// check panics if what must hold after e, in state was, does not hold. It is called after every
// move of every connection of the tests.
func (l *life) check(was state, e event) {
	now, cause := l.state(), l.note().cause
	wrong := ""
	switch {
	case (cause != nil) != (now != open):
		wrong = "there is a cause from the end on, and not before"
	case l.doubted && now != broken:
		wrong = "a cause is doubted while what has arrived is read, and no longer"
	case l.heard && now != closed && now != over:
		wrong = "the peer's Close frame has ended what is read"
	case now == open && l.ours != closeUnsent, now == closing && was == open && l.ours != closeUnsent:
		wrong = "our Close frame goes out once, after open was left"
	case was == over && now != over:
		wrong = "there is nothing after over"
	}
	if wrong != "" {
		panic(fmt.Sprintf("conn: %v after event %d in %v: %s (%+v)", now, e, was, wrong, cause))
	}
}

// TestLife walks through every state at every event (RFC 6455, section 7.1).
func TestLife(t *testing.T) {
	want := map[state]map[event]state{
		open: {
			localEnd: closing, peerClose: closed, peerFault: closed, readEnd: closed, readFault: over,
			writeFault: broken, cut: over, finished: open,
		},
		closing: {
			localEnd: closing, peerClose: closed, peerFault: closed, readEnd: closed, readFault: over,
			writeFault: broken, cut: over, finished: over,
		},
		closed: {
			localEnd: closed, peerClose: closed, peerFault: closed, readEnd: closed, readFault: over,
			writeFault: over, cut: over, finished: over,
		},
		broken: {
			localEnd: over, peerClose: over, peerFault: over, readEnd: over, readFault: over,
			writeFault: broken, cut: over, finished: over,
		},
		over: {
			localEnd: over, peerClose: over, peerFault: over, readEnd: over, readFault: over,
			writeFault: over, cut: over, finished: over,
		},
	}
	ways := map[state][]event{
		open: {}, closing: {localEnd}, closed: {peerClose}, broken: {writeFault}, over: {cut},
	}
	for s, way := range ways {
		for e := range event(events) {
			var l life
			for _, before := range way {
				l.move(before, errEvents[before])
			}
			if e == finished && s == open { // the closer begins after the end
				continue
			}
			was, now := l.move(e, errEvents[e])
			if was != s || now != want[s][e] || l.state() != now {
				t.Errorf("%v at event %d: from %v to %v, want %v", s, e, was, now, want[s][e])
			}
		}
	}
}

// errEvents has a cause for each event.
var errEvents = func() (errs [events]error) {
	for e := range errs {
		errs[e] = errors.New("cause")
	}
	return errs
}()

// TestLifeCause: the first cause stays, but for that of a failed write, which
// the peer's Close frame goes before if it had arrived.
func TestLifeCause(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []event
		read   event // whose cause reads return, -1 for none yet
		write  event
	}{
		{"none", nil, none, none},
		{"we close", []event{localEnd}, localEnd, localEnd},
		{"we close first", []event{localEnd, peerClose, cut}, localEnd, localEnd},
		{"the peer closes first", []event{peerClose, localEnd, readFault}, peerClose, peerClose},
		{"the peer breaks a rule", []event{peerFault, peerClose}, peerFault, peerFault},
		{"the stream ends", []event{readEnd, writeFault}, readEnd, readEnd},
		{"a write fails", []event{writeFault}, none, writeFault},
		{"a write fails, the peer has closed", []event{writeFault, peerClose}, peerClose, peerClose},
		{"a write fails, nothing more has come", []event{writeFault, readFault}, writeFault, writeFault},
		{"a write fails, the stream ends", []event{writeFault, readEnd}, writeFault, writeFault},
		{"a write fails, what has come breaks a rule", []event{writeFault, peerFault}, writeFault, writeFault},
		{"a write fails, and we close", []event{writeFault, localEnd, peerClose}, writeFault, writeFault},
		{"we close, a write fails, the peer has closed", []event{localEnd, writeFault, peerClose}, localEnd, localEnd},
	} {
		var l life
		for _, e := range tt.events {
			l.move(e, errEvents[e])
		}
		if got := l.err(); got != cause(tt.read) {
			t.Errorf("%s: reads return the cause of event %d", tt.name, indexOf(got))
		}
		if got := l.writeErr(); got != cause(tt.write) {
			t.Errorf("%s: writes return the cause of event %d", tt.name, indexOf(got))
		}
	}
}

const none = event(events)

func cause(e event) error {
	if e == none {
		return nil
	}
	return errEvents[e]
}

func indexOf(err error) event {
	for e, of := range errEvents {
		if of == err {
			return event(e)
		}
	}
	return none
}

// endAt moves l on at e as Conn.endWith does.
func endAt(l *life, e event) {
	if was, now := l.move(e, errEvents[e]); was != now && now == over {
		l.released()
	}
}

// TestLifeMilestones: each milestone is told once it is reached, to those who
// have waited and to those who come later, whatever the way there.
func TestLifeMilestones(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var l life
		calls := make(chan struct{}, 2)
		early := r.IntN(2) == 0
		var left, settled, gone <-chan struct{}
		if early {
			left, settled, gone = l.left(), l.settled(), l.gone()
			l.after(func() { calls <- struct{}{} })
		}
		stop := l.after(func() { t.Error("a cancelled function was called") })
		if !stop() || stop() {
			t.Fatal("stop does not tell whether it came in time")
		}
		for range r.IntN(8) {
			e := event(r.IntN(events - 1))
			endAt(&l, e)
			if r.IntN(4) == 0 { // who asks in between changes nothing for the others
				l.left()
				l.settled()
				l.gone()
			}
		}
		if !early {
			left, settled, gone = l.left(), l.settled(), l.gone()
			l.after(func() { calls <- struct{}{} })
		}
		s := l.state()
		if isClosed(left) != (s != open) || isClosed(settled) != (s == closed || s == over) || isClosed(gone) != (s == over) {
			t.Fatalf("%v: left %v, settled %v, gone %v", s, isClosed(left), isClosed(settled), isClosed(gone))
		}
		if s != open {
			<-calls
		}
	}
}

// TestLifeLateWaiter: who asks for a milestone between the moves that reach it
// and later ones finds it reached, and that does no harm.
func TestLifeLateWaiter(t *testing.T) {
	for s := range event(events - 1) {
		var l life
		for _, e := range []event{s, peerClose, finished} {
			endAt(&l, e)
			if !isClosed(l.left()) || isClosed(l.settled()) != (l.is(closed) || l.is(over)) || isClosed(l.gone()) != l.is(over) {
				t.Errorf("%v after event %d: a milestone is not what it should be", l.state(), e)
			}
		}
	}
}

// TestUndeliverable: a call that has found the turn taken does not wait for it
// once the cause is known, wherever the end comes in between.
func TestUndeliverable(t *testing.T) {
	for e := range event(events - 1) {
		c := &Conn{}
		c.in.c = c
		if isClosed(c.in.undeliverable()) {
			t.Fatal("an open connection delivers")
		}
		c.life.move(e, errEvents[e])
		if got, want := isClosed(c.in.undeliverable()), c.life.err() != nil; got != want {
			t.Errorf("in %v the wait is over: %v, want %v", c.life.state(), got, want)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestLifeCloseFrame: there is one Close frame of ours, and none on a stream
// that has failed. A server ends its direction after it once the peer's has come.
func TestLifeCloseFrame(t *testing.T) {
	l := life{serving: true}
	l.move(localEnd, errClosed)
	if !l.queueClose() || l.queueClose() {
		t.Error("our Close frame is queued once")
	}
	if l.endStream() {
		t.Error("the stream is ended before our Close frame is out")
	}
	if !l.flushed() || l.flushed() {
		t.Error("our Close frame goes out once")
	}
	if l.endStream() {
		t.Error("the stream is ended before the peer's Close frame has come")
	}
	l.move(peerClose, nil)
	if !l.endStream() || l.endStream() {
		t.Error("the stream is ended once")
	}
	client := life{}
	client.move(peerClose, errClosed)
	if !client.queueClose() || !client.flushed() || client.endStream() {
		t.Error("a client does not end the stream")
	}
	for _, e := range []event{writeFault, cut} {
		var l life
		l.move(e, errClosed)
		if l.queueClose() {
			t.Errorf("event %d: a Close frame is queued on a stream that has failed", e)
		}
	}
}

// TestLifeAnswered: the peer's Close frame is remembered if it has come before
// the end of all.
func TestLifeAnswered(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []event
		want   bool
	}{
		{"open", nil, false},
		{"the peer closes", []event{peerClose, cut}, true},
		{"we close, and it answers", []event{localEnd, peerClose, finished}, true},
		{"we close, and it does not", []event{localEnd, readEnd, finished}, false},
		{"a write fails, it had closed", []event{writeFault, peerClose}, true},
		{"too late", []event{localEnd, cut, peerClose}, false},
	} {
		var l life
		for _, e := range tt.events {
			l.move(e, errEvents[e])
		}
		if got := l.answered(); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// TestLifeAfter: a function that waited for the end can't be called off any more
// once that has come.
func TestLifeAfter(t *testing.T) {
	var l life
	called := make(chan struct{}, 2)
	early := l.after(func() { called <- struct{}{} })
	l.move(cut, errClosed)
	late := l.after(func() { called <- struct{}{} })
	<-called
	<-called
	if early() || late() {
		t.Error("stop came in time")
	}
}

// TestLifeChecks proves that each invariant can fail.
func TestLifeChecks(t *testing.T) {
	at := func(s state, l *life) *life {
		l.current.Store(uint32(s))
		return l
	}
	noted := &lifeNotes{cause: errClosed}
	for _, tt := range []struct {
		name string
		l    *life // after e in was
		was  state
		e    event
	}{
		{"no cause", at(closing, &life{}), open, localEnd},
		{"a cause while open", at(open, &life{notes: noted}), open, finished},
		{"a doubt while closing", at(closing, &life{notes: noted, doubted: true}), broken, localEnd},
		{"the peer's Close frame, and reading goes on", at(closing, &life{notes: noted, heard: true}), closing, peerClose},
		{"the peer's Close frame after a failed write, and reading goes on", at(broken, &life{notes: noted, heard: true}), broken, peerClose},
		{"our Close frame while open", at(open, &life{ours: closeQueued}), open, finished},
		{"our Close frame before closing", at(closing, &life{notes: noted, ours: closeSent}), open, localEnd},
		{"something after over", at(closed, &life{notes: noted}), over, peerClose},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: not seen", tt.name)
				}
			}()
			tt.l.check(tt.was, tt.e)
		}()
	}
	for _, l := range []*life{
		at(open, &life{}),
		at(closing, &life{notes: noted, ours: closeSent}),
		at(closed, &life{notes: noted, heard: true}),
		at(broken, &life{notes: noted, doubted: true}),
		at(over, &life{notes: noted, heard: true, ours: closeAlone}),
	} {
		l.check(l.state(), localEnd)
	}
}

// TestLifeLimit: what limits a life expires once, unless it is over by then.
func TestLifeLimit(t *testing.T) {
	expired := make(chan struct{}, 2)
	var l life
	l.again(0) // nothing is limited yet
	l.limit(noTime, func() { t.Error("no limit has expired") })
	l.limit(time.Hour, func() { expired <- struct{}{} })
	l.limit(0, func() { t.Error("a second limit") })
	l.again(0)
	<-expired
	l.again(time.Hour)
	l.move(cut, errClosed)
	if l.notes.timer.Stop() {
		t.Error("a life that is over is limited still")
	}
	l.again(0)
	if l.notes.timer.Stop() {
		t.Error("a life that is over is limited again")
	}
	var slow life
	slow.move(localEnd, errClosed)
	slow.limit(time.Hour, func() {})
	slow.move(peerClose, nil)
	if !slow.notes.timer.Stop() {
		t.Error("the end of the stream is awaited without a limit")
	}
	var late life
	late.move(cut, errClosed)
	late.limit(0, func() {})
	if late.notes.timer != nil {
		t.Error("a life that is over is limited for the first time")
	}
}

// TestLifeIsChecked: every move is checked if there is a check, and is made if there is none.
func TestLifeIsChecked(t *testing.T) {
	defer checkLife.Store(checkLife.Load())
	type call struct {
		l   *life
		was state
		e   event
	}
	var l life
	var got []call
	check := func(of *life, was state, e event) {
		if of == &l { // and not that of a connection that another test has left ending
			got = append(got, call{of, was, e})
		}
	}
	checkLife.Store(&check)
	l.move(localEnd, errClosed)
	checkLife.Store(nil)
	l.move(cut, errClosed)
	if want := []call{{&l, open, localEnd}}; !slices.Equal(got, want) || !l.is(over) {
		t.Errorf("checked %v, want %v; the state is %v", got, want, l.state())
	}
}
