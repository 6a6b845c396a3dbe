package socketio_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/socketio"
)

// A bus connects nodes in memory, in the way that a broker does: what is
// published is encoded, and every other node gets it.
type bus struct {
	mu    sync.Mutex
	nodes []*node
	fail  error // what every method returns
}

// A node is the adapter of one of them.
type node struct {
	bus   *bus
	local *socketio.Local
}

func (b *bus) join(l *socketio.Local) (socketio.Adapter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := &node{b, l}
	b.nodes = append(b.nodes, n)
	return n, b.fail
}

func (n *node) others() (list []*node) {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	for _, o := range n.bus.nodes {
		if o != n && o.local.Name() == n.local.Name() {
			list = append(list, o)
		}
	}
	return list
}

func (n *node) Broadcast(t socketio.Target, event socketio.Encoded) error {
	for _, o := range n.others() {
		if len(t.Rooms) > 0 && !slices.ContainsFunc(t.Rooms, o.local.HasRoom) {
			continue
		}
		if err := o.local.Broadcast(t, event); err != nil {
			return err
		}
	}
	return n.bus.fail
}

func (n *node) Call(ctx context.Context, t socketio.Target, event socketio.Encoded, r socketio.Replies) error {
	var all sync.WaitGroup
	for _, o := range n.others() {
		clients, wait, err := o.local.Call(t, event)
		if err != nil {
			return err
		}
		r.Expect(clients)
		all.Go(func() { wait(ctx, r.Reply) })
	}
	all.Wait()
	return n.bus.fail
}

func (n *node) Join(t socketio.Target, rooms []string) error {
	for _, o := range n.others() {
		o.local.Join(t, rooms)
	}
	return n.bus.fail
}

func (n *node) Leave(t socketio.Target, rooms []string) error {
	for _, o := range n.others() {
		o.local.Leave(t, rooms)
	}
	return n.bus.fail
}

func (n *node) Disconnect(t socketio.Target, connection bool) error {
	for _, o := range n.others() {
		o.local.Disconnect(t, connection)
	}
	return n.bus.fail
}

func (n *node) Fetch(_ context.Context, t socketio.Target) (list []socketio.RemoteSocket, err error) {
	for _, o := range n.others() {
		list = append(list, o.local.Fetch(t)...)
	}
	return list, n.bus.fail
}

func (n *node) Rooms(context.Context) (rooms []string, err error) {
	for _, o := range n.others() {
		rooms = append(rooms, o.local.Rooms()...)
	}
	return rooms, n.bus.fail
}

func (n *node) Nodes(context.Context) (int, error) { return 1 + len(n.others()), n.bus.fail }

func (n *node) ServerSideEmit(event socketio.Encoded) error {
	for _, o := range n.others() {
		if err := o.local.ServerSideEvent(event, nil); err != nil {
			return err
		}
	}
	return n.bus.fail
}

func (n *node) ServerSideCall(ctx context.Context, event socketio.Encoded, r socketio.Replies) error {
	if n.bus.fail != nil {
		return n.bus.fail
	}
	others := n.others()
	r.Expect(len(others))
	answers := make(chan socketio.Encoded, len(others))
	for _, o := range others {
		if err := o.local.ServerSideEvent(event, func(e socketio.Encoded) { answers <- e }); err != nil {
			return err
		}
	}
	for range others {
		select {
		case e := <-answers:
			r.Reply(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (n *node) Close(context.Context) error { return errors.New("closed") }

// Two nodes behave like one: what is done on the one reaches the other.
func TestAdapter(t *testing.T) {
	b := new(bus)
	o := &socketio.Options{Adapter: b.join}
	inBubble(t, o, func(here *site) {
		there := newServer(t, &socketio.Options{Adapter: b.join, Logger: slog.New(slog.DiscardHandler)})
		sockets, clients := people(here, "a", "b")
		a, c := sockets["a"], clients["a"]
		there.To("a").Emit("hello", []byte("x"))
		c.want(`51-["hello",{"_placeholder":true,"num":0}]`)
		c.want("binary:x")
		there.Local().Emit("not here")
		there.To("elsewhere").Emit("not here")
		clients["b"].wantNothing()

		type answer struct {
			list []int
			err  error
		}
		answers := make(chan answer, 1)
		go func() {
			list, err := socketio.CallAll[int](context.Background(), there.To("all"), "q")
			answers <- answer{list, err}
		}()
		c.want(`20["q"]`)
		clients["b"].want(`20["q"]`)
		c.send("30[1]")
		clients["b"].send("30[2]")
		if got := <-answers; got.err != nil || len(got.list) != 2 {
			t.Errorf("CallAll: %v, %v", got.list, got.err)
		}
		go func() {
			list, err := socketio.CallAll[string](context.Background(), there.To("a"), "q")
			if err == nil || list != nil {
				t.Errorf("CallAll of another type: %v, %v", list, err)
			}
			answers <- answer{}
		}()
		c.want(`21["q"]`)
		c.send(`51-["a",{"_placeholder":true,"num":0}]`)
		c.sendBinary("unrelated")
		c.send(`61-1[{"_placeholder":true,"num":0}]`)
		c.sendBinary("x")
		<-answers

		there.To("a").SocketsJoin("new")
		there.To("a").SocketsLeave("all")
		if got := a.Rooms(); !slices.Contains(got, "new") || slices.Contains(got, "all") {
			t.Errorf("rooms %q", got)
		}
		if list, err := there.FetchSockets(here.t.Context()); err != nil || len(list) != 2 {
			t.Errorf("FetchSockets: %v, %v", list, err)
		}
		if list, err := there.Local().FetchSockets(here.t.Context()); err != nil || len(list) != 0 {
			t.Errorf("FetchSockets, local: %v, %v", list, err)
		}
		if rooms, err := there.Rooms(here.t.Context()); err != nil || !slices.Contains(rooms, "new") {
			t.Errorf("Rooms: %q, %v", rooms, err)
		}

		heard := make(chan string, 2)
		here.io.OnServerEvent("ping", func(e *socketio.ServerEvent) {
			var name string
			if err := e.Decode(0, &name); err != nil || e.Decode(9, &name) != nil {
				t.Error(err)
			}
			heard <- name
			if err := e.Ack(map[string]any{"n": e.Len(), "b": []byte("x"), "wanted": e.WantsAck()}); err != nil {
				t.Error(err)
			}
		})
		if err := there.ServerSideEmit("ping", "one"); err != nil {
			t.Error(err)
		}
		list, err := there.ServerSideCall(here.t.Context(), "ping", "two", []byte("y"))
		var answer1 struct {
			N      int
			B      []byte
			Wanted bool
		}
		if err != nil || len(list) != 1 || list[0].Len() != 1 || list[0].Decode(0, &answer1) != nil ||
			answer1.N != 2 || string(answer1.B) != "x" || !answer1.Wanted {
			t.Errorf("ServerSideCall: %v, %v; %+v", list, err, answer1)
		}
		if one, two := <-heard, <-heard; one != "one" || two != "two" {
			t.Errorf("heard %q, %q", one, two)
		}
		if n, err := there.Nodes(here.t.Context()); n != 2 || err != nil {
			t.Errorf("%d nodes, %v", n, err)
		}

		there.To("a").DisconnectSockets(true)
		c.want("1")
		c.wantClosed()

		b.fail = errors.New("the broker is away")
		if err := here.io.Emit("still here"); !errors.Is(err, b.fail) {
			t.Errorf("Emit: %v", err)
		}
		clients["b"].want(`2["still here"]`)
		for name, err := range map[string]error{
			"SocketsJoin": here.io.SocketsJoin("x"), "SocketsLeave": here.io.SocketsLeave("x"),
			"FetchSockets": second(here.io.FetchSockets(here.t.Context())), "Rooms": second(here.io.Rooms(here.t.Context())),
			"Nodes": second(here.io.Nodes(here.t.Context())), "ServerSideEmit": here.io.ServerSideEmit("x"),
			"ServerSideCall": second(here.io.ServerSideCall(here.t.Context(), "x")),
			"CallAll":        second(socketio.CallAll[any](here.t.Context(), here.io.To("nobody"), "x")),
		} {
			if !errors.Is(err, b.fail) {
				t.Errorf("%s: %v", name, err)
			}
		}
		alone := sockets["b"].Volatile() // which is here: no other node is asked
		if list, err := alone.FetchSockets(here.t.Context()); err != nil || len(list) != 1 {
			t.Errorf("FetchSockets of one socket: %v, %v", list, err)
		}
		if err := alone.SocketsJoin("x"); err != nil {
			t.Errorf("SocketsJoin of one socket: %v", err)
		}
		clients["b"].c.CloseNow()
		synctest.Wait()
		x := there.Of("/x") // its clients are refused, and what it does elsewhere fails
		if err := x.Emit("nowhere"); !errors.Is(err, b.fail) {
			t.Errorf("Emit in a namespace without its adapter: %v", err)
		}
		away := b.fail
		b.fail = nil
		if err := x.Emit("nowhere"); !errors.Is(err, away) { // Emit connects nothing: that may wait
			t.Errorf("Emit before anybody has tried again: %v", err)
		}
		if err := there.Of("/x").Emit("everywhere"); err != nil {
			t.Errorf("Emit once the broker is back: %v", err)
		}
		there.Shutdown(context.Background())
	})
}

func second[T any](_ T, err error) error { return err }

// Without an adapter there are no other servers.
func TestNoAdapter(t *testing.T) {
	inBubble(t, nil, func(s *site) {
		if err := s.io.ServerSideEmit("x"); err != nil {
			t.Error(err)
		}
		if list, err := s.io.ServerSideCall(s.t.Context(), "x"); list != nil || err != nil {
			t.Errorf("%v, %v", list, err)
		}
		if n, err := s.io.Nodes(s.t.Context()); n != 1 || err != nil {
			t.Errorf("%d nodes, %v", n, err)
		}
	})
}

// A scribbler is an adapter that uses its memory again as soon as it may.
type scribbler struct{ *node }

// piece is an event whose argument is an attachment, and the attachment.
func piece() (socketio.Encoded, []byte) {
	data := []byte("x")
	return socketio.Encoded{Data: []byte(`["e",{"_placeholder":true,"num":0}]`), Attachments: [][]byte{data}}, data
}

func (s *scribbler) Call(_ context.Context, _ socketio.Target, _ socketio.Encoded, r socketio.Replies) error {
	e, data := piece()
	e.Data = e.Data[5 : len(e.Data)-1]
	r.Expect(1)
	r.Reply(e)
	data[0] = 'y'
	return nil
}

// Binary data of an adapter is copied before it comes into the hands of users.
func TestAdapterBuffers(t *testing.T) {
	var local *socketio.Local
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		local = l
		a, err := new(bus).join(l)
		return &scribbler{a.(*node)}, err
	}}
	inBubble(t, o, func(s *site) {
		sockets, clients := people(s, "a")
		var kept []byte
		sockets["a"].OnAnyOutgoing(func(event string, args []any) { kept = args[0].([]byte) })
		e, data := piece()
		if err := local.Broadcast(socketio.Target{}, e); err != nil {
			t.Fatal(err)
		}
		data[0] = 'y'
		clients["a"].want(`51-["e",{"_placeholder":true,"num":0}]`)
		clients["a"].want("binary:x")
		synctest.Wait()
		if string(kept) != "x" {
			t.Errorf("OnAnyOutgoing has kept %q", kept)
		}
		list, err := socketio.CallAll[[]byte](s.t.Context(), s.io.To("nobody"), "e")
		if err != nil || len(list) != 1 || string(list[0]) != "x" {
			t.Errorf("CallAll: %q, %v", list, err)
		}

		hold, handled := make(chan struct{}), make(chan string)
		s.io.OnServerEvent("e", func(e *socketio.ServerEvent) {
			<-hold
			var got []byte
			if err := e.Decode(0, &got); err != nil {
				t.Error(err)
			}
			handled <- string(got)
		})
		e, data = piece()
		if err := local.ServerSideEvent(e, nil); err != nil {
			t.Fatal(err)
		}
		data[0] = 'y'
		close(hold)
		if got := <-handled; got != "x" {
			t.Errorf("OnServerEvent got %q", got)
		}
	})
}
