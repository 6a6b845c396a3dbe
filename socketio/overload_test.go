package socketio

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// overload is how many messages pass each queue of this file: enough that an
// entry of it which is left behind for each shows.
func overload() int {
	if raceEnabled || testing.Short() {
		return 20_000
	}
	return 1_000_000
}

// wantFlat runs f and checks that it has left no memory behind: less than a byte
// for each of a million messages.
func wantFlat(t *testing.T, f func()) {
	t.Helper()
	before := heapInUse()
	f()
	if took := heapInUse() - before; took > 1<<20 && !raceEnabled {
		t.Errorf("%d bytes are left behind", took)
	}
}

// A ring does what a slice does, and its memory follows what is in it: elements are moved only
// after at least a quarter as many have come or left as the memory had room for.
func TestRing(t *testing.T) {
	var r ring[*int]
	next, oldest, calls := 0, 0, 0
	check := func(room int) { // after a push or pop of a ring with this room
		calls++
		if len(r.buf) == room {
			return
		}
		if r.n > 1 && calls < room/4 {
			t.Fatalf("room for %d is now for %d, after %d calls", room, len(r.buf), calls)
		}
		calls = 0
	}
	step := func(push int) {
		for range push {
			room := len(r.buf)
			r.push(new(int))
			*r.at(r.n - 1) = new(next)
			next++
			check(room)
		}
		for ; push < 0; push++ {
			room := len(r.buf)
			r.pop()
			oldest++
			check(room)
		}
		if r.n != next-oldest {
			t.Fatalf("%d elements, want %d", r.n, next-oldest)
		}
		for i := range r.n {
			if got := **r.at(i); got != oldest+i {
				t.Fatalf("element %d is %d, want %d", i, got, oldest+i)
			}
		}
		held := 0
		for _, p := range r.buf {
			if p != nil {
				held++
			}
		}
		if most := max(4*r.n, minRing); held != r.n || len(r.buf) > most || r.n == 0 && r.buf != nil {
			t.Fatalf("%d of %d places hold %d elements", held, len(r.buf), r.n)
		}
	}
	for _, push := range []int{1, -1, 16, -3, 3, 1, 1, -10, 30, -38, 100, -99, -1, 5, -5, 65} {
		step(push)
	}
	for r.n > 0 {
		step(-1)
	}
}

// Events that nobody comes back for.
func TestRecoverySteady(t *testing.T) {
	r := newRecovery(nil, Recovery{EventBytes: 100_000}.withDefaults())
	defer r.stop()
	r.timer = time.NewTimer(time.Hour)
	e := &emission{messages: make([]*engineio.Message, 1), size: 10}
	now := time.Now()
	most := 0
	wantFlat(t, func() {
		for range overload() {
			r.events.push(missable{at: now, e: e})
			r.bytes += r.events.at(r.events.n - 1).size()
			r.forget(now)
			most = max(most, len(r.events.buf))
		}
	})
	if want := 100_000 / (eventOverhead + 10); r.events.n != want || most > 2*want || r.bytes > 100_000 {
		t.Errorf("%d events of %d bytes in room for %d, want %d", r.events.n, r.bytes, most, want)
	}
	if want := uint64(overload() - r.events.n); r.first != want {
		t.Errorf("the oldest event is number %d, want %d", r.first, want)
	}
}

// Clients that never come back, and one in two that does.
func TestRecoveryClientsSteady(t *testing.T) {
	const most = 1000
	server := newServer(t, &Options{Recovery: &Recovery{Sessions: most}})
	n := server.Namespace
	r := n.recovery
	defer r.stop()
	wantFlat(t, func() {
		for i := range overload() {
			s := &Socket{namespace: n, id: "id", extras: &extras{track: &track{pid: fmt.Sprint(i)}}}
			r.save(s)
			if i%2 == 0 {
				r.mu.Lock()
				r.remove(r.clients[s.track.pid])
				r.mu.Unlock()
			}
		}
	})
	if len(r.clients) != most || r.lost.Len() != most {
		t.Errorf("%d and %d clients, want %d", len(r.clients), r.lost.Len(), most)
	}
	oldest := r.lost.Front().Value.(*lostClient).pid
	if want := fmt.Sprint(overload() - 1 - 2*(most-1)); oldest != want {
		t.Errorf("the oldest client is %s, want %s", oldest, want)
	}
	r.mu.Lock()
	r.forget(time.Now().Add(r.o.MaxAge + time.Second))
	r.mu.Unlock()
	if len(r.clients)+r.lost.Len() != 0 {
		t.Errorf("%d clients are left of none", len(r.clients))
	}
}

// A Recovery without a limit remembers more clients than by default.
func TestRecoverySessionsOff(t *testing.T) {
	n := newServer(t, nil).Namespace
	r := newRecovery(n, Recovery{Sessions: -1}.withDefaults())
	defer r.stop()
	for i := range 10_100 {
		r.save(&Socket{namespace: n, extras: &extras{track: &track{pid: fmt.Sprint(i)}}})
	}
	if len(r.clients) != 10_100 {
		t.Errorf("%d clients", len(r.clients))
	}
}

// A client in a server, without a network.
type local struct {
	t      *testing.T
	engine *engineio.Server
	c      *connection
	sid    string
	got    *Socket // that connected last
}

// newLocal returns a client on long-polling that is about to join the root
// namespace.
func newLocal(t *testing.T, o *Options) *local {
	t.Helper()
	if o == nil {
		o = new(Options)
	}
	o.Logger = slog.New(slog.DiscardHandler)
	l := &local{t: t}
	s := newServer(t, o)
	s.OnConnect(func(n *Socket) { l.got = n })
	var err error
	l.engine, err = engineio.NewServer(func(n *engineio.Session) engineio.Receiver {
		l.c = newConnection(s, n)
		return l.c
	}, &engineio.Options{Limits: engineio.Limits{QueueBytes: -1, PingInterval: 24 * time.Hour}, Logger: o.Logger})
	if err != nil {
		t.Fatal(err)
	}
	l.sid = strings.Split(l.request("GET", "", ""), `"`)[3]
	return l
}

func (l *local) request(method, query, body string) string {
	w := httptest.NewRecorder()
	l.engine.ServeHTTP(w, httptest.NewRequest(method, "/engine.io/?EIO=4&transport=polling"+query, strings.NewReader(body)))
	return w.Body.String()
}

// poll takes what the server has sent.
func (l *local) poll() string { return l.request("GET", "&sid="+l.sid, "") }

func (l *local) close() {
	l.c.session.Close()
	l.poll()
	l.c.server.work.wait(l.t.Context())
}

// Events that come faster than they are handled: what waits is bounded, in
// memory and not only by what it counts, and nothing is left of it.
func TestEventsSteady(t *testing.T) {
	const most = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, &Options{Limits: Limits{HandlerQueueBytes: most}})
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		s := l.got
		gate := make(chan struct{})
		handled := 0
		s.OnEvent("e", func(*Event) error {
			<-gate
			handled++
			return nil
		})
		wantFlat(t, func() {
			before := heapInUse()
			go func() {
				for range overload() {
					l.c.Message([]byte(`2["e",0,0]`), false)
				}
			}()
			synctest.Wait() // the backlog is full, or all has come
			l.c.mu.Lock()
			backlog := l.c.size
			l.c.mu.Unlock()
			if took := heapInUse() - before; !raceEnabled && took > most*5/4 || backlog > most+1000 {
				t.Errorf("%d bytes wait in %d bytes of memory, want %d at most", backlog, took, most)
			}
			close(gate)
			synctest.Wait()
		})
		s.mu.Lock()
		if handled != overload() || s.tasks != nil || l.c.size != 0 {
			t.Errorf("%d events were handled, %v is left, and %d bytes", handled, s.tasks, l.c.size)
		}
		s.mu.Unlock()
		if n := cap(l.c.server.work.idle); n > 2*crewIdle {
			t.Errorf("room for %d idle goroutines", n)
		}
		l.close()
	})
}

// A client that joins and leaves a namespace again and again, whose handlers
// take their time, is not read from once too many are busy; those that the
// server sends away leave no trace either.
func TestSocketsSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, &Options{Limits: Limits{Namespaces: 3}})
		gate := make(chan struct{})
		var busy, ended atomic.Int32
		joined := make(chan bool, 1)
		l.c.server.OnConnect(func(s *Socket) {
			busy.Add(1)
			s.OnDisconnect(func(Reason) { ended.Add(1) })
			joined <- true
			<-gate
		})
		const rounds = 1000
		go func() {
			for range rounds {
				l.c.Message([]byte("0"), false)
				<-joined
				l.c.Message([]byte("1"), false)
			}
		}()
		synctest.Wait()
		if n := busy.Load(); n != 4 {
			t.Errorf("%d handlers of one client are busy, want 4", n)
		}
		close(gate)
		synctest.Wait()
		if busy.Load() != rounds || ended.Load() != rounds || l.c.living != 0 {
			t.Errorf("%d sockets, %d have ended, %d live", busy.Load(), ended.Load(), l.c.living)
		}
		for range rounds {
			l.c.Message([]byte("0"), false)
			synctest.Wait()
			<-joined
			l.got.Disconnect(false)
			synctest.Wait()
			l.poll()
		}
		if cap(l.c.sent) > 4 || cap(l.c.sockets) > 4 || len(l.c.server.rooms.sockets) != 0 {
			t.Errorf("room for %d namespaces and %d sockets, %d sockets in rooms", cap(l.c.sent), cap(l.c.sockets), len(l.c.server.rooms.sockets))
		}
		l.close()
	})
}

// A client whose sockets never come to their end is closed, and the log says
// which limit that was.
func TestSocketsStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, &Options{Limits: Limits{Namespaces: 1}})
		var log strings.Builder
		l.c.server.o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		gate := make(chan struct{})
		l.c.server.OnConnect(func(s *Socket) { <-gate })
		start := time.Now()
		for !l.c.closed {
			l.c.Message([]byte("0"), false)
			synctest.Wait()
			l.c.Message([]byte("1"), false)
		}
		if took := time.Since(start); took != stallTime || !strings.Contains(log.String(), "Limits.Namespaces") {
			t.Errorf("closed after %v: %s", took, &log)
		}
		close(gate)
		l.close()
	})
}

// Acknowledgements that never come.
func TestAcksSteady(t *testing.T) {
	s := &Socket{namespace: newServer(t, nil).Namespace, state: connected}
	s.owner = s
	limit := s.namespace.server.o.Limits.PendingAcks
	wantFlat(t, func() {
		for i := range uint64(overload()) {
			if err := s.expect(i, func(*packet.Unit) {}); err != nil {
				t.Fatal(err)
			}
			if over := uint64(limit - 1); i >= over {
				s.unexpect(i - over)
			}
		}
	})
	if len(s.pending) != limit-1 {
		t.Errorf("%d acknowledgements are awaited, want %d", len(s.pending), limit-1)
	}
}

// Rooms and sockets that come and go, each with a name of its own.
func TestRoomsSteady(t *testing.T) {
	r := newRooms()
	stays := &Socket{id: "stays"}
	r.add(stays, func() {})
	wantFlat(t, func() {
		for i := range overload() {
			room := []string{fmt.Sprint("room ", i)}
			if err := r.join(stays, room, 10); err != nil {
				t.Fatal(err)
			}
			s := &Socket{id: fmt.Sprint(i)}
			r.add(s, func() {})
			if err := r.join(s, room, 10); err != nil {
				t.Fatal(err)
			}
			r.remove(s)
			r.leave(stays, room)
		}
	})
	if len(r.members) != 0 || len(r.sockets) != 1 || len(stays.rooms) != 0 {
		t.Errorf("%d rooms, %d sockets, %d rooms of one", len(r.members), len(r.sockets), len(stays.rooms))
	}
}

// Namespaces that clients make, and forget.
func TestNamespacesSteady(t *testing.T) {
	s := newServer(t, nil)
	parent := s.OfFunc(func(string, json.RawMessage) bool { return true })
	wantFlat(t, func() {
		for i := range overload() / 10 {
			n := s.lookup(fmt.Sprint("/", i), nil)
			if n == nil || n.template != parent {
				t.Fatal("no namespace")
			}
			s.unuse(n)
		}
	})
	if len(s.namespaces) != 1 {
		t.Errorf("%d namespaces are left", len(s.namespaces))
	}
	runtime.KeepAlive(s)
}

// A server may have a million clients.
func TestSizes(t *testing.T) {
	if size := reflect.TypeFor[Socket]().Size(); size > 144 {
		t.Errorf("a Socket takes %d bytes, want at most 144", size)
	}
	if size := reflect.TypeFor[connection]().Size(); size > 96 {
		t.Errorf("a connection takes %d bytes, want at most 96", size)
	}
}

// A client that sends no attachments, and whose handlers keep up, takes no memory for what only others
// need.
func TestPlainClientIsSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		l.c.Message([]byte(`2["e"]`), false)
		synctest.Wait()
		if l.c.partial != nil || l.c.jam != nil || l.c.seldom != nil {
			t.Errorf("partial %v, jam %v, seldom %v, want none", l.c.partial, l.c.jam, l.c.seldom)
		}
		l.close()
	})
}
