package natsadapter_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// An absence is a client that was away while an event was emitted on a node for which
// JetStream is not there: the client must not come back as if it had missed nothing.
type absence struct {
	*testing.T
	server  *server.Server
	a, b    *node  // in this order behind the front
	way     *front // of b to NATS
	without *node
	front   *front
	client  *listener
	id      string // of the client's socket
	emitted int
}

func newAbsence(t *testing.T) *absence {
	t.Helper()
	s := serve(t, func(o *server.Options) {
		o.JetStream, o.StoreDir = true, t.TempDir()
		plain := &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{">"}, Deny: []string{"$JS.API.>"}}}
		o.Users = []*server.User{{Username: "all", Password: "p"}, {Username: "plain", Password: "p", Permissions: plain}}
		o.NoAuthUser = "all"
	})
	x := &absence{T: t, server: s, way: newFront(t), front: newFront(t)}
	x.way.lead(strings.TrimPrefix(s.ClientURL(), "nats://"))
	x.b = startLogging(t, strings.Replace(x.way.url, "http://", "nats://", 1))
	x.b.located() // where a is not yet
	x.a = startLogging(t, s.ClientURL())
	x.a.located()
	x.without = startLogging(t, strings.Replace(s.ClientURL(), "nats://", "nats://plain:p@", 1))
	ready(t, x.a, x.b, x.without)
	x.front.lead(x.a.url)
	x.client = x.front.listen("room")
	x.kept(x.a)
	x.emit()
	until(t, "the event comes", func() bool { return x.client.has("without") == 1 })
	return x
}

// kept waits until the session of the client is in JetStream.
func (x *absence) kept(on *node) {
	x.Helper()
	until(x, "the session is kept", func() bool { return on.c.Sessions() == 1 && on.c.Flying() == 0 })
}

// leave cuts the client off, and waits until its session is written.
func (x *absence) leave(from *node) {
	x.Helper()
	x.id = x.client.ID()
	x.front.lead(closedURL(x))
	x.front.cut()
	until(x, "the session is written", func() bool { return from.c.Sessions() == 0 && from.c.Flying() == 0 })
}

// emit emits an event that JetStream does not get.
func (x *absence) emit() {
	x.Helper()
	x.emitted++
	check(x, x.without.io.To("room").Emit("n", "without", x.emitted))
	until(x, "it has left", func() bool { return x.without.c.Stats().Unlogged == int64(x.emitted) })
}

// isNew lets the client come back to a node, on which it must be new.
func (x *absence) isNew(to *node) {
	x.Helper()
	x.client.forget()
	x.front.lead(to.url)
	x.client.returned(x, x.id, false)
}

// comesBack waits until the client, which is on from, comes back to to and from in turn.
func (x *absence) comesBack(from, to *node) {
	x.Helper()
	until(x, "clients come back", func() bool {
		x.kept(from)
		from, to = to, from
		id := x.client.ID()
		x.front.lead(from.url)
		x.front.cut()
		return <-x.client.back && x.client.ID() == id
	})
}

// While events of a node go without JetStream no client comes back anywhere. When the node has
// gone those come back again that have been there since.
func TestNodeWithoutJetStream(t *testing.T) {
	x := newAbsence(t)
	x.leave(x.a)
	x.emit()
	x.isNew(x.b)
	x.without.end()
	x.comesBack(x.b, x.a)
}

// Clients move from node to node while nothing is emitted.
func TestMoves(t *testing.T) {
	s := withJetStream(t)
	b := startLogging(t, s.ClientURL())
	b.located() // where a is not yet
	a := startLogging(t, s.ClientURL())
	a.located()
	ready(t, a, b)
	x := &absence{T: t, a: a, b: b, front: newFront(t)}
	x.front.lead(a.url)
	x.client = x.front.listen("room")
	from, to := a, b
	for range 4 {
		x.kept(from)
		x.leave(from)
		x.front.lead(to.url)
		x.client.returned(t, x.id, true)
		from, to = to, from
	}
}

// What a node has to say of a namespace it says also when that is closed.
func TestClosedNamespaceLacks(t *testing.T) {
	x := newAbsence(t)
	x.leave(x.a)
	x.emit()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	check(t, x.without.io.Shutdown(ctx))
	// Heartbeats come each second.
	nc, err := nats.Connect(x.server.ClientURL())
	check(t, err)
	defer nc.Close()
	links, err := nc.SubscribeSync("parley.links")
	check(t, err)
	for seen := map[string]int{}; len(seen) < 3 || seen[minimum(seen)] < 2; {
		m, err := links.NextMsgWithContext(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen[strings.TrimSuffix(string(m.Data), "!")]++
	}
	x.isNew(x.b)
}

// minimum returns a key with the least count.
func minimum(counts map[string]int) (least string) {
	for key, n := range counts {
		if least == "" || n < counts[least] {
			least = key
		}
	}
	return least
}

// A node that was cut off from NATS lets nobody come back before it has heard whose events
// are missing.
func TestLackingWhileDisconnected(t *testing.T) {
	x := newAbsence(t)
	x.leave(x.a)
	x.way.lead(closedURL(t))
	x.way.cut()
	until(t, "the node is cut off", func() bool { return x.b.c.Stats().Gaps == 1 })
	x.emit()
	x.way.lead(strings.TrimPrefix(x.server.ClientURL(), "nats://"))
	x.isNew(x.b)
}

// A node whose events JetStream refuses says so, and does not say it without end.
func TestRefusedEvents(t *testing.T) {
	s := withJetStream(t)
	a, b := startLogging(t, s.ClientURL()), startLogging(t, s.ClientURL())
	ready(t, a, b)
	a.located()
	b.located()
	js := manage(t, s)
	stream, state := events(t, js)
	c := stream.CachedInfo().Config
	c.Discard, c.MaxMsgs = jetstream.DiscardNew, int64(state.Msgs)
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.ClientURL())
	check(t, err)
	defer nc.Close()
	var lacking, all, holes atomic.Int64
	_, err = nc.Subscribe("parley.links", func(m *nats.Msg) {
		all.Add(1)
		if strings.HasSuffix(string(m.Data), "!") {
			lacking.Add(1)
		}
	})
	check(t, err)
	_, err = nc.Subscribe("parley.log.*.hole", func(*nats.Msg) { holes.Add(1) })
	check(t, err)
	check(t, nc.Flush())
	check(t, a.io.To("x").Emit("refused"))
	began := time.Now()
	until(t, "it is said, and said again", func() bool { return lacking.Load() > 1 && holes.Load() > 1 })
	// Two nodes beat once a second, and once more for each change.
	if most := 2*int64(time.Since(began)/time.Second) + 8; all.Load() > most || holes.Load() > most {
		t.Errorf("%d heartbeats and %d holes in %v", all.Load(), holes.Load(), time.Since(began))
	}
	c.Discard, c.MaxMsgs = jetstream.DiscardOld, 1000
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	until(t, "it stands in the stream", a.c.Logs)
}
