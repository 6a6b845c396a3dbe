package adaptertest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/socketio"
)

// A bus connects nodes in memory, as a broker does: what is published is copied, and each
// other node does it later, in order, on a goroutine of its own. fault is what is wrong with
// it: a key of the table of TestBroken, or "".
type bus struct {
	fault string

	mu      sync.Mutex
	members []*member
	dead    int // members that have left
	sent    int // events
}

// A member is a node's adapter for a namespace.
type member struct {
	bus   *bus
	local *socketio.Local

	mu     sync.Mutex
	inbox  []func()
	more   *sync.Cond
	closed bool
	done   sync.WaitGroup
	held   func() // an event that comes too late, or a request whose answer goes elsewhere
	other  socketio.Replies
}

func (b *bus) attach(l *socketio.Local) (socketio.Adapter, error) {
	m := &member{bus: b, local: l}
	m.more = sync.NewCond(&m.mu)
	m.done.Go(m.run)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = append(b.members, m)
	if b.fault == "leaves a goroutine" {
		go func() { select {} }()
	}
	return m, nil
}

// run does what comes.
func (m *member) run() {
	for {
		m.mu.Lock()
		for len(m.inbox) == 0 && !m.closed {
			m.more.Wait()
		}
		if m.closed {
			m.mu.Unlock()
			return
		}
		f := m.inbox[0]
		m.inbox = m.inbox[1:]
		m.mu.Unlock()
		f()
	}
}

func (m *member) put(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inbox = append(m.inbox, f)
	m.more.Signal()
}

// others returns the members of the same namespace on other nodes.
func (m *member) others() []*member {
	m.bus.mu.Lock()
	defer m.bus.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.bus.members), func(o *member) bool {
		return o == m && !m.bus.is("echoes") || !m.bus.is("mixes namespaces") && o.local.Name() != m.local.Name()
	})
}

func (b *bus) is(fault string) bool { return b.fault == fault }

// each has every other member do something.
func (m *member) each(do func(l *socketio.Local)) {
	for _, o := range m.others() {
		o.put(func() { do(o.local) })
	}
}

func clone(e socketio.Encoded) socketio.Encoded {
	c := socketio.Encoded{Data: slices.Clone(e.Data)}
	for _, a := range e.Attachments {
		c.Attachments = append(c.Attachments, slices.Clone(a))
	}
	return c
}

func (m *member) Broadcast(t socketio.Target, event socketio.Encoded) error {
	event = m.bus.event(event)
	for _, t := range m.bus.targets(t) {
		send := func() { m.each(func(l *socketio.Local) { _ = l.Broadcast(t, event) }) }
		for _, f := range m.bus.order(send, m, len(event.Data)) {
			f()
		}
	}
	return nil
}

func (m *member) Call(ctx context.Context, t socketio.Target, event socketio.Encoded, r socketio.Replies) error {
	t, event = m.bus.targets(t)[0], clone(event)
	r = m.bus.replies(r, m)
	if m.bus.is("ignores ctx") {
		ctx = context.WithoutCancel(ctx)
	}
	others := m.others()
	all := newGather(len(others))
	for _, o := range others {
		o.put(func() {
			clients, wait, err := o.local.Call(t, event)
			if err != nil {
				all.one()
				return
			}
			r.Expect(clients)
			go func() {
				defer all.one()
				_ = wait(ctx, func(e socketio.Encoded) { r.Reply(m.bus.answer(clone(e))) })
			}()
		})
	}
	return m.await(ctx, all)
}

// A gather waits for a number of things.
type gather struct {
	left atomic.Int64
	done chan struct{}
}

func newGather(n int) *gather {
	g := &gather{done: make(chan struct{})}
	g.left.Store(int64(n) + 1)
	g.one()
	return g
}

func (g *gather) one() {
	if g.left.Add(-1) == 0 {
		close(g.done)
	}
}

// await waits for all, until ctx ends.
func (m *member) await(ctx context.Context, all *gather) error {
	if m.bus.is("does not wait") {
		return nil
	}
	if m.bus.is("waits for the dead") && m.bus.dead > 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil { // though all have answered
		return err
	}
	select {
	case <-all.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *member) Join(t socketio.Target, rooms []string) error {
	rooms = slices.Clone(rooms)
	join := func() { m.each(func(l *socketio.Local) { _ = l.Join(t, rooms) }) }
	switch m.bus.fault {
	case "does not join":
	case "emits before it joins":
		m.held = join
	default:
		join()
	}
	return nil
}

func (m *member) Leave(t socketio.Target, rooms []string) error {
	rooms = slices.Clone(rooms)
	if !m.bus.is("does not leave") {
		m.each(func(l *socketio.Local) { l.Leave(t, rooms) })
	}
	return nil
}

func (m *member) Disconnect(t socketio.Target, connection bool) error {
	connection = connection && !m.bus.is("leaves connections open")
	if m.bus.is("disconnects all") {
		t.Rooms = nil
	}
	m.each(func(l *socketio.Local) { l.Disconnect(t, connection) })
	return nil
}

func (m *member) Fetch(ctx context.Context, t socketio.Target) ([]socketio.RemoteSocket, error) {
	var mu sync.Mutex
	var list []socketio.RemoteSocket
	others := m.others()
	all := newGather(len(others))
	for _, o := range others {
		o.put(func() {
			defer all.one()
			mu.Lock()
			defer mu.Unlock()
			list = append(list, o.local.Fetch(t)...)
		})
	}
	err := m.await(ctx, all)
	mu.Lock()
	defer mu.Unlock()
	return m.bus.sockets(slices.Clone(list)), err
}

func (m *member) Rooms(context.Context) (rooms []string, err error) {
	if m.bus.is("does not know rooms") {
		return nil, nil
	}
	for _, o := range m.others() {
		rooms = append(rooms, o.local.Rooms()...)
	}
	return rooms, nil
}

func (m *member) Nodes(context.Context) (int, error) {
	n := 1 + len(m.others())
	if m.bus.is("counts the dead") {
		n += m.bus.dead
	}
	return n, nil
}

func (m *member) ServerSideEmit(event socketio.Encoded) error {
	event = m.bus.event(event)
	send := func() { m.each(func(l *socketio.Local) { _ = l.ServerSideEvent(event, nil) }) }
	for _, f := range m.bus.order(send, m, len(event.Data)) {
		f()
	}
	return nil
}

func (m *member) ServerSideCall(ctx context.Context, event socketio.Encoded, r socketio.Replies) error {
	event = clone(event)
	r = m.bus.replies(r, m)
	others := m.others()
	all := newGather(len(others))
	r.Expect(len(others))
	for _, o := range others {
		o.put(func() {
			_ = o.local.ServerSideEvent(event, func(e socketio.Encoded) { r.Reply(m.bus.answer(clone(e))); all.one() })
		})
	}
	return m.await(ctx, all)
}

// Close does what has come before, unless the fault is that it goes on.
func (m *member) Close(context.Context) error {
	m.bus.mu.Lock()
	m.bus.dead++
	if m.bus.is("goes on") {
		m.bus.mu.Unlock()
		return nil
	}
	m.bus.members = slices.DeleteFunc(m.bus.members, func(o *member) bool { return o == m })
	m.bus.mu.Unlock()
	m.mu.Lock()
	m.closed = true
	m.more.Signal()
	m.mu.Unlock()
	m.done.Wait()
	return nil
}
