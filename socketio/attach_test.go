package socketio_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A slowBus answers only when it is told to, but for the root namespace.
type slowBus struct {
	bus
	asked  chan string
	answer chan error
	closed chan string
}

// open makes the channels, in the bubble that they are used in.
func (b *slowBus) open() {
	b.asked, b.answer, b.closed = make(chan string), make(chan error), make(chan string, 10)
}

func (b *slowBus) join(l *socketio.Local) (socketio.Adapter, error) {
	if l.Name() != "/" {
		b.asked <- l.Name()
		if err := <-b.answer; err != nil {
			return nil, err
		}
	}
	a, err := b.bus.join(l)
	return closing{a, func() { b.closed <- l.Name() }}, err
}

// closing tells when an adapter is closed.
type closing struct {
	socketio.Adapter
	told func()
}

func (c closing) Close(context.Context) error {
	c.told()
	return nil
}

// While an adapter keeps a namespace waiting all others are served; who wants
// that namespace waits, the adapter is asked once.
func TestSlowAdapter(t *testing.T) {
	b := new(slowBus)
	inBubble(t, &socketio.Options{Adapter: b.join}, func(s *site) {
		b.open()
		rooms := s.io.OfPattern(regexp.MustCompile("^/room-"))
		rooms.OnConnect(echo)
		s.io.OnConnect(echo)
		one, two := s.dial(), s.dial()
		one.send("0/room-1,")
		if got := <-b.asked; got != "/room-1" {
			t.Errorf("asked for %s", got)
		}
		two.send("0/room-1,")
		neighbour := s.client()
		neighbour.send(`2["message","served"]`)
		neighbour.want(`2["message-back","served"]`)
		if err := rooms.Emit("to nobody yet"); err != nil {
			t.Error(err)
		}
		made := make(chan string)
		go func() { made <- s.io.Of("/room-2").Name() }()
		if got := <-b.asked; got != "/room-2" {
			t.Errorf("asked for %s", got)
		}
		neighbour.send(`2["message","still served"]`)
		neighbour.want(`2["message-back","still served"]`)
		neighbour.c.CloseNow()

		b.answer <- nil
		b.answer <- nil
		if got := <-made; got != "/room-2" {
			t.Errorf("made %s", got)
		}
		for _, r := range []*raw{one, two} {
			if got := r.read(); len(got) < 10 || got[:10] != "0/room-1,{" {
				t.Errorf("CONNECT was answered %q", got)
			}
		}
		rooms.Emit("to both")
		one.want(`2/room-1,["to both"]`)
		two.want(`2/room-1,["to both"]`)
		one.send("1/room-1,")
		two.send("1/room-1,")
		if got := <-b.closed; got != "/room-1" {
			t.Errorf("closed %s", got)
		}
	})
}

// An adapter that fails costs those who have waited for it their CONNECT; the
// next one tries again.
func TestFailingAdapter(t *testing.T) {
	b := new(slowBus)
	inBubble(t, &socketio.Options{Adapter: b.join}, func(s *site) {
		b.open()
		s.io.OfPattern(regexp.MustCompile("^/room$"))
		r := s.dial()
		for range 2 {
			r.send("0/room,")
			<-b.asked
			b.answer <- errors.New("the broker is away")
			r.want(`4/room,{"message":"Invalid namespace"}`)
		}
		r.send("0/room,")
		<-b.asked
		b.answer <- nil
		if got := r.read(); len(got) < 8 || got[:8] != "0/room,{" {
			t.Errorf("CONNECT was answered %q", got)
		}
	})
}

// Where a namespace lacks its adapter, each call that is meant for other nodes too is an
// error, and one for this node alone is none. The log says once why.
func TestAdapterMissing(t *testing.T) {
	b := new(bus)
	inBubble(t, &socketio.Options{Adapter: b.join}, func(s *site) {
		b.fail = errors.New("the broker is away")
		n, ctx := s.io.Of("/x"), s.t.Context()
		for name, err := range map[string]error{
			"Emit": n.Emit("e"), "CallAll": second(socketio.CallAll[any](ctx, n, "e")), "FetchSockets": second(n.FetchSockets(ctx)),
			"SocketsJoin": n.SocketsJoin("x"), "SocketsLeave": n.SocketsLeave("x"), "DisconnectSockets": n.DisconnectSockets(true),
			"Rooms": second(n.Rooms(ctx)), "Nodes": second(n.Nodes(ctx)),
			"ServerSideEmit": n.ServerSideEmit("e"), "ServerSideCall": second(n.ServerSideCall(ctx, "e")),
		} {
			if !errors.Is(err, b.fail) {
				t.Errorf("%s: %v", name, err)
			}
		}
		here := n.Local()
		for name, err := range map[string]error{
			"Emit": here.Emit("e"), "CallAll": second(socketio.CallAll[any](ctx, here, "e")), "FetchSockets": second(here.FetchSockets(ctx)),
			"SocketsJoin": here.SocketsJoin("x"), "SocketsLeave": here.SocketsLeave("x"), "DisconnectSockets": here.DisconnectSockets(true),
		} {
			if err != nil {
				t.Errorf("%s on this node: %v", name, err)
			}
		}
		const want = `level=ERROR msg="socket.io: adapter failed" namespace=/x error="the broker is away"`
		if got := s.log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
			t.Errorf("log: %s", got)
		}
	})
}

// An adapter that answers after Shutdown is closed, and only once.
func TestAdapterAfterShutdown(t *testing.T) {
	b := new(slowBus)
	inBubble(t, &socketio.Options{Adapter: b.join}, func(s *site) {
		b.open()
		made := make(chan *socketio.Namespace)
		go func() { made <- s.io.Of("/late") }()
		<-b.asked
		ctx, cancel := context.WithCancel(s.t.Context())
		cancel()
		s.io.Shutdown(ctx)
		b.answer <- nil
		<-made
		for range 2 {
			s.io.Shutdown(ctx)
		}
		synctest.Wait()
		close(b.closed)
		var closed []string
		for name := range b.closed {
			closed = append(closed, name)
		}
		if slices.Sort(closed); !slices.Equal(closed, []string{"/", "/late"}) {
			t.Errorf("closed %q, want / and /late", closed)
		}
	})
}

// Shutdown does not wait for an adapter when its ctx has ended, and says so.
func TestShutdownLeavesAdapter(t *testing.T) {
	hold := make(chan struct{})
	adapter := func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		return closing{a, func() { <-hold }}, err
	}
	inBubble(t, &socketio.Options{Adapter: adapter}, func(s *site) {
		hold = make(chan struct{})
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		if err := s.io.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		close(hold)
	})
}

// A patient adapter has something left to send, and says how long it could try.
type patient struct {
	socketio.Adapter
	had *time.Duration
}

func (p patient) Close(ctx context.Context) error {
	start := time.Now()
	<-ctx.Done()
	*p.had = time.Since(start)
	return ctx.Err()
}

// The adapter of a namespace that is forgotten has ten seconds to send what is left.
func TestForgottenAdapterHasTime(t *testing.T) {
	var had time.Duration
	adapter := func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		if l.Name() != "/room" {
			return a, err
		}
		return patient{a, &had}, err
	}
	inBubble(t, &socketio.Options{Adapter: adapter}, func(s *site) {
		s.io.OfPattern(regexp.MustCompile("^/room$"))
		r := s.dial()
		r.connect("/room,")
		r.cut()
		time.Sleep(time.Minute)
		synctest.Wait()
		if had != 10*time.Second {
			t.Errorf("it had %v", had)
		}
	})
}

// A prompt adapter has nothing left to send, and keeps the ctx of Close.
type prompt struct {
	socketio.Adapter
	ctx *context.Context
}

func (p prompt) Close(ctx context.Context) error {
	*p.ctx = ctx
	return nil
}

// The ctx of an adapter's Close ends with Close, and so does whatever the adapter has begun
// with it.
func TestForgottenAdapterCtxEnds(t *testing.T) {
	var ctx context.Context
	adapter := func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		return prompt{a, &ctx}, err
	}
	inBubble(t, &socketio.Options{Adapter: adapter}, func(s *site) {
		s.io.OfPattern(regexp.MustCompile("^/room$"))
		r := s.dial()
		r.connect("/room,")
		r.cut()
		synctest.Wait()
		if ctx == nil || !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("ctx: %v", ctx)
		}
	})
}

// Who uses a namespace after Shutdown does not connect it with other nodes: nobody
// would close that again.
func TestNamespaceAfterShutdown(t *testing.T) {
	b := new(bus)
	inBubble(t, &socketio.Options{Adapter: b.join}, func(s *site) {
		s.io.Shutdown(s.t.Context())
		n := s.io.Of("/late")
		if err := n.Emit("x"); err == nil {
			t.Error("no error, and no other node")
		}
		if len(b.nodes) != 1 {
			t.Errorf("%d adapters, want that of the root namespace", len(b.nodes))
		}
		if strings.Contains(s.log.String(), "ERROR") {
			t.Errorf("log: %s", s.log)
		}
	})
}

// A namespace whose adapter panics is forgotten like others that nobody uses.
func TestAdapterPanics(t *testing.T) {
	adapter := func(l *socketio.Local) (socketio.Adapter, error) {
		if l.Name() != "/" {
			panic("adapter")
		}
		return new(bus).join(l)
	}
	inBubble(t, &socketio.Options{Adapter: adapter}, func(s *site) {
		s.io.OfPattern(regexp.MustCompile("^/room$"))
		r := s.client()
		r.send("0/room,")
		r.wantClosed()
		if got := s.io.Namespaces(); len(got) != 1 {
			t.Errorf("namespaces %q", got)
		}
	})
}

// So is one that is made anew for a call.
func TestAdapterPanicsInCall(t *testing.T) {
	broken := false
	adapter := func(l *socketio.Local) (socketio.Adapter, error) {
		if broken {
			panic("adapter")
		}
		return new(bus).join(l)
	}
	inBubble(t, &socketio.Options{Adapter: adapter}, func(s *site) {
		s.io.OfPattern(regexp.MustCompile("^/room$"))
		room := s.io.Of("/room")
		time.Sleep(2 * time.Minute)
		broken = true
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			room.Emit("x")
		}()
		if got := s.io.Namespaces(); len(got) != 1 {
			t.Errorf("namespaces %q", got)
		}
	})
}

// What a pattern's namespace emits reaches all children, also if the adapter of one
// fails.
func TestEmitToChildren(t *testing.T) {
	b := new(bus)
	inBubble(t, &socketio.Options{Adapter: b.join}, func(s *site) {
		rooms := s.io.OfPattern(regexp.MustCompile("^/room-"))
		one, two := s.dial(), s.dial()
		one.connect("/room-1,")
		two.connect("/room-2,")
		synctest.Wait()
		b.fail = errors.New("the broker is away")
		if err := rooms.Emit("x"); !errors.Is(err, b.fail) {
			t.Errorf("Emit: %v", err)
		}
		one.want(`2/room-1,["x"]`)
		two.want(`2/room-2,["x"]`)
	})
}
