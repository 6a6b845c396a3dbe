package redisstreams

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// session returns what Redis keeps of the only session, and whose it is.
func (f *front) session() (s socketio.Session, own string, ok bool) {
	f.t.Helper()
	keys, err := f.client.Keys(soon(f.t), key("*")).Result()
	if err != nil {
		f.t.Fatal(err)
	}
	if len(keys) != 1 {
		return s, "", false
	}
	value, err := f.client.Get(soon(f.t), keys[0]).Bytes()
	if err != nil {
		return s, "", false // it has just gone
	}
	if s, own, err = readSession(value); err != nil {
		f.t.Fatal(err)
	}
	return s, own, true
}

// await waits until the only session is as it should be.
func (f *front) await(what string, is func(s socketio.Session, own string) bool) (s socketio.Session, own string) {
	f.t.Helper()
	until(f.t, what, func() (ok bool) {
		s, own, ok = f.session()
		return ok && is(s, own)
	})
	return s, own
}

// joined waits until the session of a client that has joined is in Redis.
func (f *front) joined() (pid, own string) {
	f.t.Helper()
	s, own := f.await("the session", func(s socketio.Session, own string) bool {
		return own != "" && slices.Contains(s.Rooms, "room") && s.Data["name"] == "Ann"
	})
	return s.PID, own
}

// claim connects a client that says who it was, and returns its socket if it is again.
func (f *front) claim(pid, offset string) (*socketio.Client, *socketio.Socket) {
	f.t.Helper()
	c, err := socketio.Dial(soon(f.t), f.url, &socketio.DialOptions{
		Engine: engineio.DialOptions{Transports: []string{"websocket"}}, Logger: quiet,
		Auth: map[string]string{"pid": pid, "offset": offset},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	n := f.to.Load()
	select {
	case s := <-n.recovered:
		return c, s
	case <-n.joined:
		return c, nil
	case <-soon(f.t).Done():
		f.t.Fatal("neither back nor new")
	}
	return nil, nil
}

// A client that its server still takes for connected is taken over by another server, and
// back: the socket that it had ends and changes nothing.
func TestTakeover(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{SurviveKill: true})
	a, b := f.node(), f.node()
	f.to.Store(a)
	g := f.listen()
	pid, own := f.joined()
	if _, s := f.claim(pid, ""); s != nil {
		t.Error("a server that has the client has let it come back")
	}
	a.io.Of("/").Except(g.id).DisconnectSockets(false) // that one
	f.await("one session", func(s socketio.Session, _ string) bool { return s.PID == pid })

	var last *socketio.Client
	for _, n := range []*node{b, a, b} {
		before := f.to.Load()
		f.to.Store(n)
		c, s := f.claim(pid, "")
		if s == nil || s.ID() != g.id || s.Value("name") != "Ann" || !slices.Contains(s.Rooms(), "room") {
			t.Fatalf("came back as %v", s)
		}
		until(t, "the end of the socket before", func() bool { return before.io.Of("/").Count() == 0 })
		if list, err := n.io.FetchSockets(soon(t)); err != nil || len(list) != 1 {
			t.Errorf("%d sockets, %v", len(list), err)
		}
		s.Set("at", time.Now().String())
		_, next := f.await("the session of now", func(now socketio.Session, _ string) bool { return now.Data["at"] == s.Value("at") })
		if next == own || next == "" {
			t.Errorf("owner %q, before %q", next, own)
		}
		own, last = next, c
	}
	until(t, "the end of the first", func() bool { return !g.Connected() })
	last.Disconnect()
	until(t, "the end of the session", func() bool { _, _, ok := f.session(); return !ok })
}

// A server that has lost a client to another one without hearing of it finds out when it
// writes the session, and leaves that alone.
func TestTakenUnheard(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{SurviveKill: true})
	a := f.node()
	f.to.Store(a)
	g := f.listen()
	pid, _ := f.joined()
	theirs, err := appendSession(nil, &socketio.Session{ID: g.id, PID: pid}, newOwn())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Do("SET", key(pid), string(theirs)); err != nil {
		t.Fatal(err)
	}
	a.io.SocketsJoin("another room")
	until(t, "the end", func() bool { return !g.Connected() && a.io.Of("/").Count() == 0 })
	// What it would do next comes after this.
	if err := a.log().lives.close(soon(t)); err != nil {
		t.Fatal(err)
	}
	if now, err := server.Do("GET", key(pid)); err != nil || now != string(theirs) {
		t.Errorf("the session is %v, %v", now, err)
	}
}

// A server in Node takes a session away and leaves nothing. The one that had the client does
// not save it afterwards.
func TestTakenByNode(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{SurviveKill: true})
	a := f.node()
	f.to.Store(a)
	p := brokertest.NewProxy(t, f.url[len("http://"):])
	f.url = "http://" + p.Addr()
	f.listen()
	pid, _ := f.joined()
	if _, err := server.Do("DEL", key(pid)); err != nil {
		t.Fatal(err)
	}
	p.Refuse()
	p.Cut()
	until(t, "the end of the socket", func() bool { return a.io.Of("/").Count() == 0 })
	if err := a.log().lives.close(soon(t)); err != nil {
		t.Fatal(err)
	}
	if s, own, ok := f.session(); ok {
		t.Errorf("session %+v of %q", s, own)
	}
}

// A session ends with its client, or is kept without an owner if that may come back.
func TestSurviveEnds(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{SurviveKill: true})
	a := f.node()
	f.to.Store(a)
	for name, end := range map[string]func(g *listener){
		"by the client": func(g *listener) { g.Disconnect() },
		"by the server": func(*listener) { a.io.DisconnectSockets(true) },
	} {
		g := f.listen()
		f.joined()
		end(g)
		until(t, name, func() bool { _, _, ok := f.session(); return !ok })
	}
	p := brokertest.NewProxy(t, f.url[len("http://"):])
	f.url = "http://" + p.Addr()
	f.listen()
	pid, _ := f.joined()
	age := func() time.Duration { return f.client.PTTL(soon(t), key(pid)).Val() }
	if d := age(); d <= 2*time.Minute || d > 3*time.Minute {
		t.Errorf("connected: kept for %v", d)
	}
	p.Refuse()
	p.Cut()
	f.await("a session without an owner", func(_ socketio.Session, own string) bool { return own == "" })
	if d := age(); d <= time.Minute || d > 2*time.Minute {
		t.Errorf("lost: kept for %v", d)
	}
}

// renew writes all sessions of a node again, as happens after some time.
func (n *node) renew() {
	k := n.log().lives
	k.mu.Lock()
	for _, x := range k.of {
		x.tried = time.Time{}
	}
	k.mu.Unlock()
	k.renew()
}

// Sessions are written again: they come back after Redis has forgotten them, and a client
// that is sent nothing does not need an old entry.
func TestRenewed(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{SurviveKill: true})
	a, b := f.node(), f.node()
	f.to.Store(a)
	g := f.listen()
	pid, own := f.joined()
	if _, err := server.Do("DEL", key(pid)); err != nil {
		t.Fatal(err)
	}
	last := f.fill(server, a)
	a.renew()
	s, again := f.await("the session", func(socketio.Session, string) bool { return true })
	if again != own || s.PID != pid || s.Lost != last {
		t.Errorf("session %+v of %q, which was %q; the stream was read up to %s", s, again, own, last)
	}
	f.to.Store(b)
	if _, s := f.claim(pid, ""); s == nil || s.ID() != g.id {
		t.Error("the client is new")
	}
}

// A lines is what a logger writes.
type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(p)
	return len(p), nil
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text, s)
}

// While Redis is away clients stay, and nothing waits. Sessions are written when it is back.
func TestSurviveAway(t *testing.T) {
	server := brokertest.Redis(t)
	f := newFront(t, connect(t, server.Addr()), Options{SurviveKill: true})
	log := new(lines)
	f.o.Logger = slog.New(slog.NewTextHandler(log, nil))
	a := f.node()
	f.to.Store(a)
	g := f.listen()
	f.joined()
	server.Kill()
	a.io.SocketsJoin("another room")
	until(t, "a failure", func() bool { return log.count("sessions can't be written") == 1 })
	a.io.SocketsJoin("a third room")
	server.Restart()
	f.await("the session", func(s socketio.Session, own string) bool {
		return own != "" && slices.Contains(s.Rooms, "another room") && slices.Contains(s.Rooms, "a third room")
	})
	until(t, "the end of it", func() bool { return log.count("sessions are written again") == 1 })
	if log.count("sessions can't be written") != 1 || !g.Connected() {
		t.Errorf("connected: %t; log: %s", g.Connected(), log.text)
	}
}

// fill adds entries that mean nothing to the stream, waits until a node has read them, and
// trims the stream so that only the last one is left.
func (f *front) fill(server *brokertest.Server, n *node) (last string) {
	f.t.Helper()
	for range 100 {
		id, err := server.Do("XADD", "socket.io", "*", "somebody", "else's")
		if err != nil {
			f.t.Fatal(err)
		}
		last = id.(string)
	}
	if err := n.log().reader.done.reach(soon(f.t), last); err != nil {
		f.t.Fatal(err)
	}
	if _, err := server.Do("XTRIM", "socket.io", "MAXLEN", "1"); err != nil {
		f.t.Fatal(err)
	}
	return last
}

// A client of a quiet namespace has missed nothing, however much others have emitted.
func TestQuiet(t *testing.T) {
	for _, spoken := range []bool{false, true} {
		server := brokertest.Redis(t)
		f := newFront(t, connect(t, server.Addr()), Options{})
		a, b := f.node(), f.node()
		f.to.Store(a)
		g := f.listen()
		if spoken {
			a.io.Emit("n", "a", 1)
			until(t, "an event", func() bool { return g.has("a") == 1 })
		}
		f.fill(server, a)
		f.to.Store(b)
		a.end()
		select {
		case s := <-b.recovered:
			if s.ID() != g.id {
				t.Errorf("id %q, before %q", s.ID(), g.id)
			}
		case <-b.joined:
			t.Errorf("after an event: %t: the client is new", spoken)
		case <-soon(t).Done():
			t.Fatal("the client has not come back")
		}
		b.io.Emit("n", "a", 2)
		until(t, "the next event", func() bool { return g.has("a") == 2 })
	}
}
