package natsadapter_test

import (
	"context"
	"fmt"
	"iter"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/parleyws/parley/adapters/internal/brokertest"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio"
)

// manage returns JetStream as an administrator has it.
func manage(t testing.TB, s *server.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func events(t testing.TB, js jetstream.JetStream) (jetstream.Stream, jetstream.StreamState) {
	t.Helper()
	s, err := js.Stream(t.Context(), "PARLEY_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	return s, s.CachedInfo().State
}

// Of nodes that want a session at the same time one gets it. What is not there any more, and
// offsets that nobody has given, are refused.
func TestTake(t *testing.T) {
	s := withJetStream(t)
	a, b := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, a, b)
	a.located()
	b.located()
	logs := []socketio.Log{a.c.Log("/"), b.c.Log("/")}
	stream, state := events(t, manage(t, s))
	at := func(n uint64) string { return natsadapter.Offset(n) }
	first, last := at(state.FirstSeq), at(state.LastSeq)
	session := socketio.Session{ID: "sid", PID: "pid", Rooms: []string{"room"}, Data: map[string]any{"b": []byte{1}}, Connected: first, Sent: last, Lost: last}
	save := func() {
		t.Helper()
		logs[0].Save(session)
		until(t, "the session is there", func() bool { return a.c.Sessions() == 0 })
	}
	save()
	for _, offset := range []string{
		"-", "0", "1", "zzzzzzzzzzzzz", at(state.FirstSeq - 1), at(state.LastSeq + 1000), "0" + last, strings.ToUpper(last),
		last + ".", last + ".x.1", last + ".0123456789abcdef1", last + ".0123456789abcdef1.0", last + "." + strings.Repeat("a", 100) + ".1",
	} {
		if _, ok, err := logs[1].Take(t.Context(), "pid", offset); ok || err != nil {
			t.Errorf("offset %q: %t, %v", offset, ok, err)
		}
	}
	for _, pid := range []string{"nobody", "", "*", ">", "a.b", "a b", strings.Repeat("x", 100)} {
		if _, ok, err := logs[1].Take(t.Context(), pid, last); ok || err != nil {
			t.Errorf("pid %q: %t, %v", pid, ok, err)
		}
	}
	var got atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			s, ok, err := logs[i%2].Take(t.Context(), "pid", last)
			if err != nil {
				t.Error(err)
			}
			if ok {
				got.Add(1)
				if fmt.Sprint(s) != fmt.Sprint(session) {
					t.Errorf("got %v, want %v", s, session)
				}
			}
		})
	}
	all.Wait()
	if got.Load() != 1 {
		t.Errorf("%d have got the session", got.Load())
	}

	// What was trimmed is missing.
	session.ID, session.PID = "another", "another"
	save()
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(state.LastSeq+2)); err != nil {
		t.Fatal(err)
	}
	if err := logs[1].Resume(t.Context(), session, last, nil); err == nil || !strings.Contains(err.Error(), "not kept any more") {
		t.Errorf("Resume: %v", err)
	}
	if _, ok, err := logs[1].Take(t.Context(), "another", last); ok || err != nil {
		t.Errorf("trimmed: %t, %v", ok, err)
	}
}

// What a client has missed comes in order, each event once, whatever it knows of its node.
func TestResume(t *testing.T) {
	s := withJetStream(t)
	a, b := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, a, b)
	a.located()
	b.located()
	probe := a.dial("x")
	js := manage(t, s)
	_, state := events(t, js)
	begin := natsadapter.Offset(state.LastSeq)
	for i := range 10 {
		check(t, a.io.To("x").Emit("e", i))
	}
	var offsets []string
	for i := range 10 {
		got := <-probe.got
		offsets = append(offsets, got[len(fmt.Sprint("e ", i, " ")):])
	}
	until(t, "they are stored", func() bool { _, now := events(t, js); return now.LastSeq >= state.LastSeq+10 })
	log := b.c.Log("/")
	missed := func(offset string) (list []string, last string) {
		t.Helper()
		session := socketio.Session{ID: "sid", PID: "pid", Rooms: []string{"x"}, Connected: begin}
		err := log.Resume(t.Context(), session, offset, func(events iter.Seq[socketio.Missed]) {
			for e := range events {
				list, last = append(list, string(e.Event.Data)), e.Offset
			}
		})
		check(t, err)
		return list, last
	}
	all, last := missed("")
	if len(all) != 10 {
		t.Fatalf("missed %q", all)
	}
	if more, _ := missed(last); len(more) > 0 {
		t.Errorf("missed %q after the last one", more)
	}
	for i, offset := range offsets {
		if got, _ := missed(offset); fmt.Sprint(got) != fmt.Sprint(all[i+1:]) {
			t.Errorf("after %s: %q, want %q", offset, got, all[i+1:])
		}
	}
}

// Events that a client has got on its node, and that come late, don't come to it again.
func TestFence(t *testing.T) {
	s := withJetStream(t)
	a, b := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, a, b)
	a.located()
	b.located()
	probe, here, there := a.dial("x"), b.dial("x"), b.dial("x")
	interest(t, s, "parley.ns./.room.x", 2)
	_, state := events(t, manage(t, s))
	begin := natsadapter.Offset(state.LastSeq)
	check(t, a.io.To("x").Emit("first"))
	uid := strings.Split((<-probe.got)[len("first "):], ".")[1]
	for _, c := range []*client{here, there} {
		c.prefix("first ")
	}
	// The client says that it has got three events of a, of which the stream has one.
	session := socketio.Session{ID: here.ID(), PID: "pid", Rooms: []string{"x"}, Connected: begin}
	err := b.c.Log("/").Resume(t.Context(), session, begin+"."+uid+".3", func(events iter.Seq[socketio.Missed]) {
		for e := range events {
			t.Errorf("missed %s", e.Event.Data)
		}
	})
	check(t, err)
	for _, name := range []string{"second", "third", "fourth"} {
		check(t, a.io.To("x").Emit(name))
		there.prefix(name + " ")
	}
	here.prefix("fourth ")
}

// prefix reads what has come: something that begins with a text.
func (c *client) prefix(want string) {
	c.t.Helper()
	select {
	case got := <-c.got:
		if !strings.HasPrefix(got, want) {
			c.t.Fatalf("got %q, want %q...", got, want)
		}
	case <-c.t.Context().Done():
	}
}

// Without JetStream events go everywhere all the same. When it comes, clients may come back
// that have missed nothing before.
func TestWithoutJetStream(t *testing.T) {
	s := serve(t, func(o *server.Options) { o.StoreDir = t.TempDir() })
	a, b := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, a, b)
	one, two := a.dial("x"), b.dial("x")
	interest(t, s, "parley.ns./.room.x", 2)
	for i := range 100 {
		check(t, a.io.To("x").Emit("e", i))
		check(t, b.io.To("y").Emit("e", i))
	}
	for i := range 100 {
		one.want(fmt.Sprint("e ", i))
		two.want(fmt.Sprint("e ", i))
	}
	until(t, "all are counted", func() bool { return a.c.Stats().Unlogged == 100 })
	if st := a.c.Stats(); st.Dropped > 0 {
		t.Errorf("%+v", st)
	}
	if _, ok, err := a.c.Log("/").Take(t.Context(), "pid", ""); ok || err != nil {
		t.Errorf("Take: %t, %v", ok, err)
	}
	if err := s.EnableJetStream(&server.JetStreamConfig{StoreDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	until(t, "JetStream is there", func() bool { return a.c.Logs() && b.c.Logs() })
	a.located()
	b.located()
	f := newFront(t)
	f.lead(a.url)
	g := f.listen("x")
	until(t, "the session is there", func() bool { return a.c.Sessions() > 0 && a.c.Flying() == 0 })
	id := g.ID()
	f.lead(b.url)
	f.cut()
	g.returned(t, id, true)
}

// A server that has lost its memory: nobody comes back, everybody joins anew, and positions
// begin anew.
func TestMemoryLost(t *testing.T) {
	at := brokertest.FreePort(t)
	on := func(o *server.Options) { o.Port, o.JetStream, o.StoreDir = at, true, t.TempDir() }
	s := serve(t, on)
	a, b := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, a, b)
	a.located()
	b.located()
	f := newFront(t)
	f.lead(a.url)
	g := f.listen("x")
	id := g.ID()
	interest(t, s, "parley.ns./.room.x", 1)
	check(t, b.io.To("x").Emit("n", "b", 1))
	until(t, "it has come", func() bool { return g.has("b") == 1 })
	s.Shutdown()
	s.WaitForShutdown()
	until(t, "the loss is noticed", func() bool { return a.c.Stats().Gaps == 1 && b.c.Stats().Gaps == 1 })
	f.lead(closedURL(t))
	f.cut()
	until(t, "the client is lost", func() bool { return a.io.Count() == 0 })
	s = serve(t, on)
	until(t, "the stream is there", func() bool {
		_, err := manage(t, s).Stream(t.Context(), "PARLEY_EVENTS")
		return err == nil && a.c.Logs() && b.c.Logs()
	})
	f.lead(b.url)
	g.returned(t, id, false)
	id = g.ID()
	if _, err := socketio.Call[bool](t.Context(), g, "join", "x"); err != nil {
		t.Fatal(err)
	}
	interest(t, s, "parley.ns./.room.x", 1)
	check(t, a.io.To("x").Emit("n", "a", 1))
	until(t, "events come", func() bool { return g.has("a") == 1 })
	until(t, "the session is there", func() bool { return b.c.Sessions() > 0 && b.c.Flying() == 0 })
	f.lead(a.url)
	f.cut()
	check(t, b.io.To("x").Emit("n", "a", 2))
	g.returned(t, id, true)
	until(t, "what was missed comes", func() bool { return g.has("a") == 2 })
}

// closedURL returns one where nobody listens.
func closedURL(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// Events that JetStream has not got, because a node had no space for them, are known to be
// missing.
func TestMissing(t *testing.T) {
	s := withJetStream(t)
	a, b := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, a, b)
	a.located()
	b.located()
	_, state := events(t, manage(t, s))
	begin := natsadapter.Offset(state.LastSeq)
	if err := a.io.To("x").Emit("large", strings.Repeat("x", 2<<20)); err == nil {
		t.Fatal("an event was published that is larger than NATS allows")
	}
	check(t, a.io.To("x").Emit("small"))
	session := socketio.Session{ID: "sid", PID: "pid", Connected: begin}
	resume := func(offset string) (n int, err error) {
		err = b.c.Log("/").Resume(t.Context(), session, offset, func(events iter.Seq[socketio.Missed]) {
			for range events {
				n++
			}
		})
		return n, err
	}
	until(t, "it is known to be missing", func() bool {
		_, err := resume(begin)
		return err != nil && strings.Contains(err.Error(), "were never kept")
	})
	until(t, "who has all comes back", func() bool {
		_, state = events(t, manage(t, s))
		n, err := resume(natsadapter.Offset(state.LastSeq))
		return n == 0 && err == nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.c.Log("/").Resume(ctx, session, begin, nil); err == nil {
		t.Error("Resume has not ended with its ctx")
	}
}

// A server that takes nothing keeps nobody on the same node waiting. What was emitted
// meanwhile reaches other nodes when it goes on, and clients come back that have missed it,
// unless that took so long that nobody knows any more what is kept.
func TestJetStreamStopped(t *testing.T) {
	for name, long := range map[string]bool{"for a moment": false, "for longer": true} {
		t.Run(name, func(t *testing.T) { stopped(t, long) })
	}
}

func stopped(t *testing.T, long bool) {
	t.Setenv("PARLEY_TEST_DIR", t.TempDir())
	s := fork(t, fmt.Sprint("jetstream ", brokertest.FreePort(t)))
	a, b := startLogging(t, s.url), startLogging(t, s.url)
	ready(t, a, b)
	a.located()
	b.located()
	f := newFront(t)
	f.lead(b.url)
	here, g := a.dial("x"), f.listen("x")
	id, n := g.ID(), 0
	emit := func(events int) {
		t.Helper()
		for range events {
			n++
			check(t, a.io.To("x").Emit("n", "a", n))
			here.prefix(fmt.Sprintf("n a %d ", n))
		}
	}
	until(t, "one has come", func() bool { emit(1); return g.has("a") > 0 })
	until(t, "all have come", func() bool { return g.has("a") == n })
	pause(s)
	began := time.Now()
	emit(100)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("local delivery of 100 events took %v", took)
	}
	if st := a.c.Stats(); st.Dropped > 0 || g.has("a") == n {
		t.Errorf("%+v, %d have come", st, g.has("a"))
	}
	f.lead(closedURL(t))
	f.cut()
	until(t, "the client is lost", func() bool { return b.io.Count() == 0 })
	if long {
		until(t, "it takes too long", func() bool { return a.c.Stats().Unlogged > 0 && !a.c.Logs() })
	}
	resume(s)
	f.lead(a.url)
	g.returned(t, id, !long)
	if long {
		g.forget()
		if _, err := socketio.Call[bool](t.Context(), g, "join", "x"); err != nil {
			t.Fatal(err)
		}
		until(t, "JetStream is back", a.c.Logs)
		emit(1)
	}
	until(t, "what was missed comes", func() bool { return g.has("a") == n })
	emit(100)
	until(t, "all comes", func() bool { return g.has("a") == n })
}
