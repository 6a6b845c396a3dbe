package socketio

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// What is remembered of sockets that the server has sent away is bounded, and it is of those
// alone.
func TestSentAwaySteady(t *testing.T) {
	c := &connection{server: newServer(t, &Options{Limits: Limits{Namespaces: 3}})}
	for i, row := range []struct {
		known, sent bool
		want        int
	}{{true, false, 0}, {false, true, 0}, {true, true, 1}, {true, true, 2}, {true, true, 3}, {true, true, 3}} {
		s := &Socket{namespace: &Namespace{name: fmt.Sprint("/", i)}}
		if row.known {
			c.sockets = append(c.sockets, s)
		}
		c.left(s, row.sent, nil)
		remembered := 0
		if c.seldom != nil {
			remembered = len(c.sent)
		}
		if remembered != row.want || len(c.sockets) != 0 {
			t.Errorf("%d: %d namespaces are remembered, want %d; %d sockets", i, remembered, row.want, len(c.sockets))
		}
	}
}

// An event that Message hands on at the moment of the end comes too late for the handlers, which
// know of the end already.
func TestLateEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		s, w := l.got, &l.c.server.wire
		s.OnEvent("e", func(*Event) error { t.Error("handled"); return nil })
		s.close(TransportClose)
		synctest.Wait()
		u := new(packet.Unit)
		if err := u.Parse(w.parser, []byte(`2["e"]`), w.limits); err != nil {
			t.Fatal(err)
		}
		l.c.queue(&s.actor, u, 0, nil)
		synctest.Wait()
		if l.c.size != 0 {
			t.Errorf("%d bytes wait", l.c.size)
		}
		l.close()
	})
}

// A packet that Message takes at the moment of the end awaits no attachments: nothing is logged of
// them when their time is over.
func TestLateAttachments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		var log strings.Builder
		l.c.server.o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		l.close()
		l.c.Message([]byte(`51-["e",{"_placeholder":true,"num":0}]`), false)
		time.Sleep(l.c.server.o.Limits.AttachmentTimeout)
		synctest.Wait()
		if log.Len() > 0 {
			t.Errorf("log: %s", &log)
		}
	})
}

// Nobody joins a namespace of a server that is shut down.
func TestLookupAfterShutdown(t *testing.T) {
	s := newServer(t, &Options{Adapter: func(*Local) (Adapter, error) { return nil, nil }})
	s.OfFunc(func(string, json.RawMessage) bool { return true })
	if n := s.lookup("/x", nil); n == nil {
		t.Error("no namespace before")
	} else {
		s.unuse(n)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.lookup("/x", nil) != nil {
		t.Error("a namespace that knows no other nodes")
	}
}

// A session that a client has left can't answer for the next one, and what comes before the answer
// waits up to the limit.
func TestClientStaleSession(t *testing.T) {
	m, c, err := newManager("http://example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	stale, conn := &clientConn{m: m}, &clientConn{m: m}
	m.conn, c.state, c.asked = conn, asking, true
	parse := func(text string) *packet.Unit {
		u := new(packet.Unit)
		if err := u.Parse(m.wire.parser, []byte(text), m.wire.limits); err != nil {
			t.Fatal(err)
		}
		return u
	}
	if err := stale.handle(parse(`0{"sid":"stale"}`)); err != nil || c.state != asking || c.id != "" {
		t.Errorf("%v, id %q", err, c.id)
	}
	event := parse(`2["e"]`)
	m.intake.eventBytes = event.Size()
	for range 2 {
		if err := conn.handle(event); err != nil || len(c.early) != 1 {
			t.Errorf("%v, %d events wait", err, len(c.early))
		}
		c.dropEarly() // as after an answer: the next events have the same limit
		event = parse(`2["e"]`)
	}
	m.intake.eventBytes = event.Size() - 1
	if err := conn.handle(event); err != nil || len(c.early) != 0 {
		t.Errorf("%v, %d events wait that exceed the limit", err, len(c.early))
	}
}

// A consent that is just being handled when JoinTimeout is over is in time.
func TestClientConsentInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := unanswered(t, time.Second)
		u := new(packet.Unit)
		if err := u.Parse(c.m.wire.parser, []byte(`0{"sid":"id"}`), c.m.wire.limits); err != nil {
			t.Fatal(err)
		}
		c.m.mu.Lock()
		time.Sleep(time.Second) // the timer waits for the mutex now
		c.granted(u)
		c.m.unlock()
		synctest.Wait()
		if !c.Connected() {
			t.Error("the session was given up")
		}
		c.Close()
		<-c.Done()
	})
}

// The timer of JoinTimeout ends with the answer, or when no answer is wanted any more, and does not keep
// the client in memory for the rest of its time.
func TestClientStopsJoinTimer(t *testing.T) {
	answer := func(text string) func(*Client) {
		return func(c *Client) {
			c.m.mu.Lock()
			conn := c.m.conn
			c.m.mu.Unlock()
			conn.Message([]byte(text), false)
		}
	}
	for name, end := range map[string]func(*Client){
		"joined":          answer(`0{"sid":"id"}`),
		"refused":         answer(`4{"message":"no"}`),
		"sent away":       answer(`1`),
		"a broken packet": answer(`x`),
		"Disconnect":      (*Client).Disconnect,
		"Close":           (*Client).Close,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := unanswered(t, time.Hour)
			c.m.mu.Lock()
			limit := c.limit
			c.m.mu.Unlock()
			if end(c); limit.Stop() {
				t.Errorf("%s: the timer still runs", name)
			}
			c.Close()
			<-c.Done()
		})
	}
}

// unanswered returns a client in a bubble that waits for the answer to its CONNECT.
func unanswered(t *testing.T, joinTimeout time.Duration) *Client {
	o := &DialOptions{NoWait: true, Limits: ClientLimits{JoinTimeout: joinTimeout}, Logger: slog.New(slog.DiscardHandler)}
	o.Engine = engineio.DialOptions{Transports: []string{"polling"}, HTTPClient: &http.Client{Transport: silent{}}}
	c, err := Dial(t.Context(), "http://example.com", o)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return c
}

// silent is a server that opens sessions on long-polling and sends nothing.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	body := "ok"
	switch {
	case r.URL.Query().Get("sid") == "":
		body = `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`
	case r.Method == http.MethodGet:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// A client that is lost again as soon as it has what it had is remembered once.
func TestLostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, &Options{Recovery: &Recovery{}})
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		r, old := l.c.server.recovery, l.got
		old.close(TransportClose)
		synctest.Wait()
		s := newSocket(l.c, old.namespace, json.RawMessage(fmt.Sprintf(`{"pid":%q}`, old.pid())))
		l.c.add(s)
		s.name()
		if !r.claim(s) {
			t.Fatal("not recovered")
		}
		if entered, err := r.resume(s); !entered || err != nil {
			t.Fatal(entered, err)
		}
		s.close(TransportClose)
		r.unclaim(s)
		synctest.Wait()
		if len(r.clients) != 1 || r.lost.Len() != 1 {
			t.Errorf("%d clients, in %d places", len(r.clients), r.lost.Len())
		}
		l.close()
	})
}

// A client that comes back as a new one, since it has missed too much meanwhile, lets go of its
// rooms, and of no other client's who is lost.
func TestOutrunLeavesOthersRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, &Options{Recovery: &Recovery{}})
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		r, old := l.c.server.recovery, l.got
		if err := old.Join("room"); err != nil {
			t.Fatal(err)
		}
		old.close(TransportClose)
		synctest.Wait()
		r.mu.Lock()
		r.remember(&lostClient{at: time.Now(), pid: "other", rooms: []string{"room"}})
		r.mu.Unlock()
		s := newSocket(l.c, old.namespace, json.RawMessage(fmt.Sprintf(`{"pid":%q}`, old.pid())))
		l.c.add(s)
		s.name()
		if !r.claim(s) {
			t.Fatal("not recovered")
		}
		r.mu.Lock()
		r.first++ // an event came and is not kept any more
		r.mu.Unlock()
		if !s.comeBack(r, nil, func() {}) || s.recovered || s.id == old.id {
			t.Errorf("recovered: %t, id %q, was %q", s.recovered, s.id, old.id)
		}
		if !r.n.rooms.has("room") || r.n.rooms.has(old.id) {
			t.Errorf("a lost client's room is open: %t, and that of one who is back: %t", r.n.rooms.has("room"), r.n.rooms.has(old.id))
		}
		s.close(TransportClose)
		synctest.Wait()
		l.close()
	})
}

// A client whose handlers have caught up is not closed for having waited.
func TestStallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, &Options{Limits: Limits{HandlerQueueBytes: 1000}})
		gate := make(chan struct{})
		l.c.server.OnConnect(func(s *Socket) { s.OnEvent("e", func(*Event) error { <-gate; return nil }) })
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		waited := make(chan time.Duration)
		go func() {
			start := time.Now()
			for range 3 {
				l.c.Message([]byte(`2["e","`+strings.Repeat("x", 600)+`"]`), false)
			}
			waited <- time.Since(start)
		}()
		time.Sleep(stallTime / 2)
		close(gate)
		if d := <-waited; d != stallTime/2 {
			t.Fatalf("the client has waited for %v", d)
		}
		time.Sleep(2 * stallTime)
		if l.c.closed {
			t.Error("closed")
		}
		l.close()
	})
}

// A client whose sockets come to their end one by one has stallTime for each, and is not closed
// once it has caught up.
func TestSocketsStallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, &Options{Limits: Limits{Namespaces: 2}})
		gate := make(chan struct{})
		busy := func(*Socket) { <-gate }
		l.c.server.OnConnect(busy)
		a := l.c.server.Of("/a")
		a.OnConnect(busy)
		for _, text := range []string{"0", "1", "0/a,", "1/a,", "0", "0/a,"} {
			l.c.Message([]byte(text), false)
			synctest.Wait()
		}
		free := false
		go func() { l.c.Message([]byte("1"), false); free = true }() // the third that has left and is busy
		synctest.Wait()
		a.DisconnectSockets(false) // the fourth
		for i := range 2 {
			time.Sleep(stallTime - time.Second)
			synctest.Wait()
			if free || l.c.closed {
				t.Fatalf("%d have ended: read on: %t, closed: %t", i, free, l.c.closed)
			}
			gate <- struct{}{}
		}
		synctest.Wait()
		if !free {
			t.Error("two have ended, and the client is not read from")
		}
		time.Sleep(2 * stallTime)
		if l.c.closed {
			t.Error("closed, although it has caught up")
		}
		close(gate)
		l.close()
	})
}

// A session that has ended leaves alone the time that the handlers have in the client's next one,
// which may wait for them before the wait of the last one is over.
func TestClientStallOfNextSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, err := newManager("http://example.com", &DialOptions{Limits: ClientLimits{HandlerQueueBytes: 1}})
		if err != nil {
			t.Fatal(err)
		}
		b, last := &m.waiting, &clientConn{m: m}
		b.size = 2
		go last.wait(last)
		synctest.Wait()
		stalled := false
		b.mu.Lock()
		last.close(b)
		b.jam.stall = time.AfterFunc(stallTime, func() { stalled = true }) // the next one waits
		b.mu.Unlock()
		time.Sleep(stallTime)
		synctest.Wait()
		if !stalled {
			t.Error("the next session waits for ever")
		}
	})
}

// Events that take just as much as they may hold nobody back.
func TestFullIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := 0
		for _, limit := range []int{1 << 20, 0, -1} { // the second is the size, and the third less
			if limit <= 0 {
				limit += size
			}
			l := newLocal(t, &Options{Limits: Limits{HandlerQueueBytes: limit}})
			gate := make(chan struct{})
			l.c.server.OnConnect(func(s *Socket) { s.OnEvent("e", func(*Event) error { <-gate; return nil }) })
			l.c.Message([]byte("0"), false)
			synctest.Wait()
			free := false
			go func() { l.c.Message([]byte(`2["e"]`), false); free = true }()
			synctest.Wait()
			if want := size == 0 || limit >= size; free != want {
				t.Errorf("limit %d, size %d: read on: %t", limit, size, free)
			}
			size = l.c.size
			close(gate)
			synctest.Wait()
			l.close()
		}
	})
}

// A client that had to wait is read from again as soon as its events take just as much as they may.
func TestStallEndsWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, nil)
		gate := make(chan struct{})
		l.c.server.OnConnect(func(s *Socket) { s.OnEvent("e", func(*Event) error { <-gate; return nil }) })
		l.c.Message([]byte("0"), false)
		synctest.Wait()
		l.c.Message([]byte(`2["e"]`), false)
		l.c.server.side.intake.eventBytes = l.c.size // room for one
		free := false
		go func() { l.c.Message([]byte(`2["e"]`), false); free = true }()
		synctest.Wait()
		if free {
			t.Error("two events are taken")
		}
		gate <- struct{}{} // the first returns
		synctest.Wait()
		if !free {
			t.Error("the client still waits, although one event is left")
		}
		close(gate)
		synctest.Wait()
		l.close()
	})
}

// Nor do they refuse what another server sends next.
func TestFullIsNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &Options{})
		defer s.Shutdown(t.Context())
		gate := make(chan struct{})
		defer close(gate)
		s.OnServerEvent("e", func(*ServerEvent) { <-gate })
		q := &s.serverEvents
		add := func() error { return q.add(Encoded{Data: []byte(`["e"]`)}, nil) }
		if err := add(); err != nil {
			t.Fatal(err)
		}
		s.o.Limits.HandlerQueueBytes = q.bytes
		if err := add(); err != nil {
			t.Errorf("with all of %d bytes taken: %v", s.o.Limits.HandlerQueueBytes, err)
		}
		if err := add(); err != errServerEvents {
			t.Errorf("with more: %v", err)
		}
	})
}

// A call makes a namespace linger for a while, but only if nobody else uses it, and it could be
// forgotten.
func TestLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &Options{Adapter: func(*Local) (Adapter, error) { return nil, nil }})
		s.OfFunc(func(string, json.RawMessage) bool { return true })
		s.OfPattern(regexp.MustCompile("^/alone$"))
		want := func(n *Namespace, want int) {
			t.Helper()
			s.mu.Lock()
			defer s.mu.Unlock()
			if n.users != want {
				t.Errorf("%s has %d users, want %d", n.name, n.users, want)
			}
		}
		n := s.lookup("/child", nil) // as for a client
		fixed := s.Of("/fixed")
		for range 3 {
			n.Emit("e")
			s.Of("/fixed")
		}
		want(n, 1)
		want(fixed, 0)
		alone := s.Of("/alone")
		want(alone, 1)
		time.Sleep(lingerTime - time.Nanosecond)
		s.Of("/alone") // once is enough
		want(alone, 1)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		want(alone, 0)
		if names := s.Namespaces(); slices.Contains(names, "/alone") {
			t.Errorf("namespaces %v", names)
		}
	})
}

// Who waits for a claim that is settled finds it noted: it may be the last one to look.
func TestClaimSettledInOrder(t *testing.T) {
	l := newLocal(t, &Options{Recovery: &Recovery{}})
	if _, settled := l.c.claim("/"); true {
		settled()
	}
	if l.c.seldom == nil {
		t.Fatal("the time to join a namespace is not limited any more")
	}
	_, first := l.c.claim("/")
	earlier, second := l.c.claim("/")
	l.c.mu.Lock()
	settled := make(chan struct{})
	go func() {
		first()
		close(settled)
	}()
	for range 100 {
		runtime.Gosched()
	}
	select {
	case <-earlier:
		t.Error("the claim is settled, and not noted")
	default:
	}
	l.c.mu.Unlock()
	<-earlier
	<-settled
	if l.c.stopTimer(); l.c.seldom == nil || len(l.c.claims) != 1 {
		t.Fatal("the second claim is forgotten before it is settled")
	}
	if second(); l.c.seldom != nil {
		t.Error("something is kept")
	}
	_, third := l.c.claim("/")
	third()
	l.close()
}
