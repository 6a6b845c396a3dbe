package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A logBus is a bus whose nodes keep events and sessions together.
type logBus struct {
	bus
	late bool // deliver is called after Append, by release
	side bool // or at once, but on another goroutine

	order    sync.Mutex // held during deliveries
	entries  []socketio.Missed
	sessions map[string]socketio.Session
	waiting  []func()
	changed  []string
	turn     chan struct{} // closed when the delivery before has ended, on another goroutine
	taken    int           // calls of Take
	failing  error         // of Append, Take and Resume
	gone     bool          // Resume fails
	lacking  bool          // Take finds the session, and not the events
	silent   string        // Take or Resume: the call that is not answered
	faulty   bool          // SessionEnded panics
	mute     bool          // the nodes are no SessionWatchers
}

type logNode struct {
	*node
	b *logBus
}

func (b *logBus) join(l *socketio.Local) (socketio.Adapter, error) {
	a, err := b.bus.join(l)
	n := &logNode{a.(*node), b}
	if b.mute {
		return struct{ socketio.Log }{n}, err
	}
	return n, err
}

// release delivers what waits.
func (b *logBus) release() {
	b.order.Lock()
	defer b.order.Unlock()
	for _, f := range b.waiting {
		f()
	}
	b.waiting = nil
}

func (n *logNode) Append(t socketio.Target, event socketio.Encoded, deliver func(string)) error {
	b := n.b
	b.order.Lock()
	defer b.order.Unlock()
	if b.failing != nil {
		deliver("")
		return b.failing
	}
	m := socketio.Missed{Target: t, Event: copyOf(event), Offset: strconv.Itoa(len(b.entries) + 1)}
	b.entries = append(b.entries, m)
	f := func() {
		deliver(m.Offset)
		deliver("twice")
		for _, o := range n.others() {
			if err := o.local.Deliver(t, m.Event, m.Offset); err != nil {
				panic(err)
			}
		}
	}
	switch {
	case b.late:
		b.waiting = append(b.waiting, f)
	case b.side:
		turn := b.turn
		done := make(chan struct{})
		b.turn = done
		go func() {
			defer close(done)
			if turn != nil {
				<-turn
			}
			b.order.Lock()
			defer b.order.Unlock()
			f()
		}()
	default:
		f()
	}
	return nil
}

func copyOf(e socketio.Encoded) socketio.Encoded {
	e.Data = slices.Clone(e.Data)
	e.Attachments = slices.Clone(e.Attachments)
	for i, data := range e.Attachments {
		e.Attachments[i] = slices.Clone(data)
	}
	return e
}

func (n *logNode) Save(s socketio.Session) {
	n.b.order.Lock()
	defer n.b.order.Unlock()
	if n.b.sessions == nil {
		n.b.sessions = make(map[string]socketio.Session)
	}
	n.b.sessions[s.PID] = s
}

func (n *logNode) Take(ctx context.Context, pid, offset string) (socketio.Session, bool, error) {
	if n.b.silent == "Take" {
		<-ctx.Done()
		return socketio.Session{}, false, ctx.Err()
	}
	n.b.order.Lock()
	defer n.b.order.Unlock()
	n.b.taken++
	s, ok := n.b.sessions[pid]
	delete(n.b.sessions, pid)
	return s, ok && !n.b.lacking, n.b.failing
}

func (n *logNode) Resume(ctx context.Context, s socketio.Session, offset string, enter func(iter.Seq[socketio.Missed])) error {
	if n.b.silent == "Resume" {
		<-ctx.Done()
		return ctx.Err()
	}
	n.b.order.Lock()
	defer n.b.order.Unlock()
	if n.b.failing != nil {
		return n.b.failing
	}
	if n.b.gone {
		return errors.New("the events have gone")
	}
	from, _ := strconv.Atoi(s.From(offset))
	enter(slices.Values(n.b.entries[from:]))
	return nil
}

func (n *logNode) SessionChanged(id string) {
	n.b.order.Lock()
	defer n.b.order.Unlock()
	s, ok := n.local.Session(id)
	n.b.changed = append(n.b.changed, fmt.Sprintf("%t %d %s", ok, len(s.Rooms), s.Lost))
}

func (n *logNode) SessionEnded(id string) {
	n.b.order.Lock()
	defer n.b.order.Unlock()
	n.b.changed = append(n.b.changed, "ended "+id)
	if n.b.faulty {
		panic("SessionEnded")
	}
}

// inLog runs f with two nodes that share a log.
func inLog(t *testing.T, b *logBus, r *socketio.Recovery, f func(here, there *site)) {
	t.Helper()
	o := &socketio.Options{Adapter: b.join, Recovery: r, Limits: socketio.Limits{Rooms: 3}}
	inBubble(t, o, func(here *site) {
		there, end := newSite(t, o)
		there.t = here.t
		defer end()
		f(here, there)
	})
}

// A client whose node has gone comes back to another one, with all that it had and
// missed; whether events are delivered at once or later.
func TestLogRecovery(t *testing.T) {
	for _, b := range []*logBus{{}, {late: true}, {side: true}} {
		inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
			b.turn = nil
			sockets := here.sockets(func(s *socketio.Socket) { s.Join("room"); s.Set("name", "Ann") })
			returned := there.sockets(nil)
			r := here.client()
			old := <-sockets
			synctest.Wait()
			data := []byte("x")
			for _, emit := range []func(){
				func() { here.io.To("room").Emit("first", data) },
				func() { there.io.To("elsewhere").Emit("not for it") },
				func() { there.io.To("room").Emit("second", data) },
				func() { old.Emit("third", data) },
			} {
				emit()
				data[0]++ // the caller's again
				b.release()
				synctest.Wait()
			}
			last := ""
			for i, want := range []string{"first", "second", "third"} {
				got, at := offset(t, r.read())
				if got != fmt.Sprintf(`51-["%s",{"_placeholder":true,"num":0}]`, want) {
					t.Errorf("read %q", got)
				}
				r.want("binary:" + []string{"x", "z", "{"}[i])
				last = at
			}
			here.io.Local().Emit("local")
			r.want(`2["local"]`)
			synctest.Wait() // nothing is unsent, or the next event would be dropped
			here.io.Volatile().Emit("volatile")
			r.want(`2["volatile"]`)

			r.cut()
			for range 2 {
				if err := old.Emit("missed", "for it alone"); err != nil {
					t.Error(err)
				}
				there.io.To("room").Emit("missed", "in its room")
				there.io.Except("room").Emit("not missed")
			}
			b.release()
			synctest.Wait()
			again, sid := there.comeBack(r.pid, last)
			back := <-returned
			if sid != r.sid || again.pid != r.pid || !back.Recovered() || back.Value("name") != "Ann" || !slices.Equal(back.Rooms(), old.Rooms()) && len(back.Rooms()) != 2 {
				t.Errorf("sid %q, want %q; recovered %t, rooms %q, value %v", sid, r.sid, back.Recovered(), back.Rooms(), back.Value("name"))
			}
			for range 2 {
				for _, want := range []string{`2["missed","for it alone"]`, `2["missed","in its room"]`} {
					if got, _ := offset(t, again.read()); got != want {
						t.Errorf("read %q, want %q", got, want)
					}
				}
			}
			here.io.To(sid).Emit("live")
			b.release()
			if got, _ := offset(t, again.read()); got != `2["live"]` {
				t.Errorf("read %q", got)
			}
			again.wantNothing()
			if log := here.log.String() + there.log.String(); log != "" {
				t.Errorf("log %s", log)
			}
		})
	}
}

// A session has the last event that the client was sent, be it one that it had missed. An event
// that comes when the client was lost, but its socket is still in its rooms, was not sent to it,
// and one that the log could not take is not known there.
func TestLogSent(t *testing.T) {
	b := new(logBus)
	inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
		here.sockets(func(s *socketio.Socket) {
			s.OnDisconnecting(func(socketio.Reason) { here.io.To(s.ID()).Emit("missed") })
		})
		r := here.client()
		synctest.Wait()
		here.io.Emit("e")
		_, last := offset(t, r.read())
		b.failing = errors.New("the broker is away")
		here.io.Emit("without an offset")
		r.want(`2["without an offset"]`)
		b.failing = nil
		r.cut()
		if s := b.sessions[r.pid]; s.Sent != last || s.Lost != last {
			t.Errorf("session %+v; the last event before the end is %s", s, last)
		}
		again, _ := there.comeBack(r.pid, last)
		got, missed := offset(t, again.read())
		if got != `2["missed"]` {
			t.Errorf("read %q", got)
		}
		again.cut()
		if s := b.sessions[r.pid]; s.Sent != missed {
			t.Errorf("session %+v; the last event that it was sent is %s", s, missed)
		}
	})
}

// What counts is what the client has missed since its session was saved.
func TestSessionFrom(t *testing.T) {
	for _, tt := range []struct {
		s            socketio.Session
		offset, want string
	}{
		{socketio.Session{Connected: "1", Sent: "5", Lost: "9"}, "5", "9"},
		{socketio.Session{Connected: "1", Sent: "5", Lost: "9"}, "4", "4"},
		{socketio.Session{Connected: "1", Sent: "5", Lost: "9"}, "", "1"},
		{socketio.Session{Connected: "1", Lost: "9"}, "", "9"},
		{socketio.Session{Connected: "1", Sent: "5"}, "5", "5"},
		{socketio.Session{Connected: "1"}, "", "1"},
	} {
		if got := tt.s.From(tt.offset); got != tt.want {
			t.Errorf("%+v from %q: %q, want %q", tt.s, tt.offset, got, tt.want)
		}
	}
}

// The paths on which it goes wrong.
func TestLogFailures(t *testing.T) {
	away := errors.New("the broker is away")
	b := new(logBus)
	inLog(t, b, &socketio.Recovery{MaxAge: time.Minute, RunMiddleware: true}, func(here, there *site) {
		sockets := here.sockets(nil)
		r := here.client()
		s := <-sockets
		synctest.Wait()
		b.failing = away
		if err := here.io.Emit("e"); !errors.Is(err, away) {
			t.Errorf("Emit: %v", err)
		}
		r.want(`2["e"]`) // without an offset
		b.failing = nil
		s.Emit("e")
		_, last := offset(t, r.read())
		r.cut()

		b.failing = away // Take fails
		if again, sid := there.comeBack(r.pid, last); sid == r.sid {
			t.Error("came back without a log")
		} else {
			again.cut()
		}
		if log := there.log.String(); !strings.Contains(log, away.Error()) {
			t.Errorf("log %s", log)
		}
		b.failing = nil
		if _, sid := there.comeBack("unknown", last); sid == r.sid {
			t.Error("came back as somebody else")
		}
		if _, sid := there.comeBack("", last); sid == r.sid {
			t.Error("came back without a pid")
		}
		time.Sleep(time.Minute + time.Second)
		if err := s.Emit("too late"); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("Emit to a client that is away for too long: %v", err)
		}
	})
}

// A client that is lost again before it is let in may come back once more; one whose
// events have gone meanwhile, while middleware has seen what it had, is sent away; rooms
// beyond the limit are left out. Handlers of OnConnect hear of neither.
func TestLogReturnsTwice(t *testing.T) {
	b := new(logBus)
	hold := make(chan struct{})
	inLog(t, b, &socketio.Recovery{RunMiddleware: true}, func(here, there *site) {
		hold = make(chan struct{})
		sockets := here.sockets(func(s *socketio.Socket) { s.Join("a", "b", "c") })
		there.io.Use(func(context.Context, *socketio.Socket) error { <-hold; return nil })
		returned := there.sockets(nil)
		r := here.client()
		<-sockets
		synctest.Wait()
		here.io.Emit("e")
		_, last := offset(t, r.read())
		r.cut()
		auth := fmt.Sprintf(`0{"pid":%q,"offset":%q}`, r.pid, last)
		again := there.dial()
		again.send(auth)
		synctest.Wait()
		again.cut()
		hold <- struct{}{}
		synctest.Wait()
		if log := there.log.String(); strings.Contains(log, "rooms of a client") {
			t.Errorf("log %s", log)
		}
		if s, ok := b.sessions[r.pid]; !ok {
			t.Fatal("the session is lost")
		} else {
			s.Rooms = append(s.Rooms, "one too many")
			b.sessions[r.pid] = s
		}
		again = there.dial()
		again.send(auth)
		synctest.Wait()
		b.failing = errors.New("the events have gone")
		hold <- struct{}{}
		again.wantClosed()
		if log := there.log.String(); !strings.Contains(log, "rooms of a client") || !strings.Contains(log, "have gone") {
			t.Errorf("log %s", log)
		}
		synctest.Wait()
		if len(returned) != 0 {
			t.Errorf("%d have connected", len(returned))
		}
	})
}

// Handlers of OnAnyOutgoing get every event, from wherever it comes and whenever.
func TestLogOutgoing(t *testing.T) {
	for _, b := range []*logBus{{}, {late: true}, {side: true}} {
		inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
			b.turn = nil
			var seen []string
			sockets := here.sockets(func(s *socketio.Socket) {
				s.OnAnyOutgoing(func(event string, args []any) { seen = append(seen, fmt.Sprintf("%s %s", event, args)) })
			})
			r := here.client()
			<-sockets
			synctest.Wait()
			here.io.Emit("here", []byte("x"))
			b.release()
			synctest.Wait()
			there.io.Emit("there", []byte("y"))
			b.release()
			synctest.Wait()
			if want := []string{"here [x]", "there [y]"}; !slices.Equal(seen, want) {
				t.Errorf("seen %q, want %q", seen, want)
			}
			r.c.CloseNow()
		})
	}
}

// Handlers of OnAnyOutgoing get each event that is sent, also if encoding/json can't read all of
// it.
func TestOutgoingUnreadable(t *testing.T) {
	const number = `["e",[1,1e999,2]]`
	var local *socketio.Local
	for _, tt := range []struct {
		name string
		r    *socketio.Recovery
		emit func(s *site) error
		want []string
	}{
		{"of another node", nil, func(*site) error {
			return local.Broadcast(socketio.Target{}, socketio.Encoded{Data: []byte(number)})
		}, []string{"e 1 [[1 <nil> 2]]"}},
		{"of another node's log", &socketio.Recovery{}, func(*site) error {
			return local.Deliver(socketio.Target{}, socketio.Encoded{Data: []byte(number)}, "1")
		}, []string{"e 1 [[1 <nil> 2]]"}},
		{"late", &socketio.Recovery{}, func(s *site) error {
			return s.io.Emit("e", []json.Number{"1", "1e999", "2"})
		}, []string{"e 1 [[1 <nil> 2]]"}},
	} {
		b := &logBus{late: true}
		o := &socketio.Options{Recovery: tt.r, Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
			local = l
			return b.join(l)
		}}
		inBubble(t, o, func(s *site) {
			var seen []string
			sockets := s.sockets(func(x *socketio.Socket) {
				x.OnAnyOutgoing(func(event string, args []any) {
					seen = append(seen, fmt.Sprint(event, " ", len(args), " ", args[:1]))
				})
			})
			r := s.client()
			<-sockets
			synctest.Wait()
			if err := tt.emit(s); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			b.release()
			synctest.Wait()
			if !slices.Equal(seen, tt.want) {
				t.Errorf("%s: seen %q, want %q", tt.name, seen, tt.want)
			}
			r.c.CloseNow()
		})
	}
}

// A handler of OnAnyOutgoing that is added after an event was delivered does not get it.
func TestLogOutgoingBefore(t *testing.T) {
	b := &logBus{late: true}
	inLog(t, b, &socketio.Recovery{}, func(here, there *site) {
		seen := make(chan string, 2)
		sockets := here.sockets(func(s *socketio.Socket) {
			s.OnEvent("go", func(*socketio.Event) error {
				b.release()
				s.OnAnyOutgoing(func(event string, args []any) { seen <- event })
				return nil
			})
		})
		r := here.client()
		<-sockets
		for _, from := range []*site{here, there} {
			if err := from.io.Emit("before"); err != nil {
				t.Error(err)
			}
		}
		r.send(`2["go"]`)
		synctest.Wait()
		if err := there.io.Emit("after"); err != nil {
			t.Error(err)
		}
		b.release()
		synctest.Wait()
		if close(seen); <-seen != "after" {
			t.Error("a handler got an event from before it was added")
		}
	})
}

// What an adapter gives to Local is judged; one that is no Log has no business with
// offsets.
func TestLocalRecovery(t *testing.T) {
	var locals []*socketio.Local
	with := func(b *logBus) func(l *socketio.Local) (socketio.Adapter, error) {
		return func(l *socketio.Local) (socketio.Adapter, error) {
			locals = append(locals, l)
			return b.join(l)
		}
	}
	newServer(t, &socketio.Options{Adapter: with(new(logBus)), Recovery: &socketio.Recovery{MaxAge: time.Second}})
	newServer(t, &socketio.Options{Adapter: with(new(logBus))})
	if r, ok := locals[0].Recovery(); !ok || r.MaxAge != time.Second || r.Sessions == 0 {
		t.Errorf("Recovery: %+v, %t", r, ok)
	}
	if _, ok := locals[1].Recovery(); ok {
		t.Error("Recovery, which is off")
	}
	if err := locals[0].Deliver(socketio.Target{}, socketio.Encoded{Data: []byte("{}")}, "1"); !breaksRule(err) {
		t.Errorf("Deliver of what is no event: %v", err)
	}
	if err := locals[1].Deliver(socketio.Target{}, socketio.Encoded{Data: []byte(`["e"]`)}, "1"); err == nil || !strings.Contains(err.Error(), "is no Log") {
		t.Errorf("Deliver without recovery: %v", err)
	}
	for _, l := range locals {
		if s, ok := l.Session("nobody"); ok {
			t.Errorf("session %+v of nobody", s)
		}
	}
}

// A socket has no session for an adapter where none is kept with it: where recovery is off, or
// the adapter is no Log.
func TestLocalSessionWithoutLog(t *testing.T) {
	for _, tt := range []struct {
		adapter  func(*socketio.Local) (socketio.Adapter, error)
		recovery *socketio.Recovery
	}{{new(logBus).join, nil}, {new(bus).join, &socketio.Recovery{}}} {
		var l *socketio.Local
		o := &socketio.Options{Recovery: tt.recovery, Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
			l = x
			return tt.adapter(x)
		}}
		inBubble(t, o, func(s *site) {
			r := s.client()
			synctest.Wait()
			if got, ok := l.Session(r.sid); ok {
				t.Errorf("recovery %t: session %+v", tt.recovery != nil, got)
			}
		})
	}
}

// A keenLog delivers an event before it reads what it was given.
type keenLog struct {
	*logNode
	got *[]string
}

func (l keenLog) Append(_ socketio.Target, event socketio.Encoded, deliver func(string)) error {
	deliver(strings.Repeat("\x01", 20)) // which takes six times as much in JSON
	*l.got = append(*l.got, string(event.Data))
	return nil
}

// What a Log gets stays as it was when its clients have got it with an offset, whatever the memory
// that takes, and also if the parser can't encode it.
func TestLogReadsLate(t *testing.T) {
	var got []string
	o := &socketio.Options{Recovery: &socketio.Recovery{}, Parser: panicsAt(`["x"`), Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(logBus).join(l)
		return keenLog{a.(*logNode), &got}, err
	}}
	inBubble(t, o, func(s *site) {
		s.client()
		for _, event := range []string{"x", "y"} {
			for n := range 3000 {
				got = got[:0]
				text := strings.Repeat("a", n)
				s.io.Emit(event, text)
				if want := fmt.Sprintf(`["%s","%s"]`, event, text); len(got) != 1 || got[0] != want {
					s.t.Fatalf("the log has %q, want %q", got, want)
				}
			}
		}
	})
}
