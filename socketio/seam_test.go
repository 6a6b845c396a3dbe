package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// twoNodes runs f with two nodes of a bus.
func twoNodes(t *testing.T, o socketio.Options, f func(here, there *site)) {
	t.Helper()
	b := new(bus)
	o.Adapter = b.join
	inBubble(t, &o, func(here *site) {
		there, end := newSite(t, &o)
		there.t = here.t
		defer end()
		f(here, there)
	})
}

// aLocal returns the Local of a server of its own.
func aLocal(t *testing.T, o socketio.Options) (io *socketio.Server, l *socketio.Local) {
	t.Helper()
	o.Adapter = func(x *socketio.Local) (socketio.Adapter, error) {
		l = x
		return new(bus).join(x)
	}
	o.Logger = slog.New(slog.DiscardHandler)
	return newServer(t, &o), l
}

// What comes from a broker is judged before anybody gets it.
func TestLocalJudges(t *testing.T) {
	_, l := aLocal(t, socketio.Options{})
	for _, data := range []string{"", "{}", "[]", `["connect"]`, "[\"\xff\"]", `["e",]`, `["e"] 1`} {
		e := socketio.Encoded{Data: []byte(data)}
		if err := l.Broadcast(socketio.Target{}, e); !breaksRule(err) {
			t.Errorf("Broadcast of %q: %v", data, err)
		}
		if clients, wait, err := l.Call(socketio.Target{}, e); !breaksRule(err) || clients != 0 || wait != nil {
			t.Errorf("Call of %q: %d clients, %v", data, clients, err)
		}
		if err := l.ServerSideEvent(e, nil); !breaksRule(err) {
			t.Errorf("ServerSideEvent of %q: %v", data, err)
		}
	}
}

// breaksRule reports whether err says which rule of the protocol is broken.
func breaksRule(err error) bool {
	_, ok := errors.AsType[*parser.Error](err)
	return ok
}

// Each node gives an event an offset of its own, and hands it to others without.
func TestAdapterRecovery(t *testing.T) {
	twoNodes(t, socketio.Options{Recovery: &socketio.Recovery{}}, func(here, there *site) {
		clients := []*raw{here.client(), there.client()}
		synctest.Wait()
		if err := here.io.Emit("e", 1); err != nil {
			t.Error(err)
		}
		for _, r := range clients {
			if got, _ := offset(t, r.read()); got != `2["e",1]` {
				t.Errorf("read %q", got)
			}
		}
	})
}

// Space around the JSON of another node's event is not part of it.
func TestAdapterSpace(t *testing.T) {
	for _, recovery := range []*socketio.Recovery{nil, {}} {
		var l *socketio.Local
		o := &socketio.Options{Recovery: recovery, Adapter: func(x *socketio.Local) (socketio.Adapter, error) {
			l = x
			return new(bus).join(x)
		}}
		inBubble(t, o, func(s *site) {
			r := s.client()
			if err := l.Broadcast(socketio.Target{}, socketio.Encoded{Data: []byte(" [\"e\",1] \r\n\t")}); err != nil {
				t.Error(err)
			}
			got := r.read()
			if recovery != nil {
				got, _ = offset(t, got)
			}
			if got != `2["e",1]` {
				t.Errorf("read %q", got)
			}
		})
	}
}

// A strict parser judges where placeholders are in the events that it encodes.
type strict struct {
	packet.Text
	t *testing.T
}

func (s strict) Encode(p *parser.Packet) ([]byte, [][]byte) {
	var again packet.Unit
	limits := parser.Limits{Attachments: 10, Arguments: 10, Depth: 10}
	if p.Type == parser.Event && (again.Read(p.Type, p.Data, p.Binary, limits) != nil || !slices.Equal(again.Placeholders, p.Placeholders)) {
		s.t.Errorf("%s with placeholders at %v", p.Data, p.Placeholders)
	}
	return s.Text.Encode(p)
}

// A Parser is told where placeholders are, also in events of other nodes.
func TestAdapterPlaceholders(t *testing.T) {
	twoNodes(t, socketio.Options{Parser: strict{t: t}}, func(here, there *site) {
		clients := []*raw{here.client(), there.client()}
		synctest.Wait()
		if err := here.io.Emit("e", []byte("x"), 1, []any{[]byte("y")}); err != nil {
			t.Error(err)
		}
		for _, r := range clients {
			r.want(`52-["e",{"_placeholder":true,"num":0},1,[{"_placeholder":true,"num":1}]]`)
			r.want("binary:x")
			r.want("binary:y")
		}
	})
}

// A binaryText is a parser of binary messages, which need no placeholders.
type binaryText struct{ packet.Text }

func (binaryText) Binary() bool { return true }

// Other nodes look for placeholders whatever the parser is: they are sent nothing that looks like
// one and is none.
func TestAdapterMisleading(t *testing.T) {
	twoNodes(t, socketio.Options{Parser: binaryText{}}, func(here, there *site) {
		there.io.OnServerEvent("e", func(e *socketio.ServerEvent) {
			var got any
			t.Error("the other node got", e.Decode(1, &got), got)
		})
		args := []any{[]byte("x"), map[string]any{"_placeholder": true, "num": 0}}
		if err := here.io.ServerSideEmit("e", args...); err == nil {
			t.Error("ServerSideEmit: no error")
		}
		if err := here.io.Emit("e", args...); err == nil {
			t.Error("Emit: no error")
		}
		if _, err := socketio.CallAll[any](here.t.Context(), here.io, "e", args...); err == nil {
			t.Error("CallAll: no error")
		}
		err := here.io.Emit("e", t.Error)
		if _, ok := errors.AsType[*json.UnsupportedTypeError](err); !ok {
			t.Errorf("Emit of a function: %v", err)
		}
		synctest.Wait()
	})
	alone := newServer(t, &socketio.Options{Parser: binaryText{}})
	if err := alone.Emit("e", []byte("x"), map[string]any{"_placeholder": true, "num": 0}); err != nil {
		t.Errorf("without other nodes: %v", err)
	}
}

// nested returns JSON with arrays to a depth.
func nested(depth int) json.RawMessage {
	return json.RawMessage(strings.Repeat("[", depth) + strings.Repeat("]", depth))
}

// What other nodes would refuse is an error where it is sent, and no client of this node gets it.
// The array of the arguments counts as one.
func TestAdapterLimits(t *testing.T) {
	most, over := nested(socketio.MaxDepth-1), nested(socketio.MaxDepth)
	for _, recovery := range []*socketio.Recovery{nil, {}} {
		b := new(logBus)
		inLog(t, b, recovery, func(here, there *site) {
			sockets := here.sockets(nil)
			r := here.client()
			socket := <-sockets
			for _, args := range [][]any{make([]any, socketio.MaxArguments+1), {over}} {
				if err := here.io.Emit("e", args...); err == nil {
					t.Error("Emit: no error")
				}
				if err := here.io.ServerSideEmit("e", args...); err == nil {
					t.Error("ServerSideEmit: no error")
				}
				if _, err := socketio.CallAll[any](here.t.Context(), here.io, "e", args...); err == nil {
					t.Error("CallAll: no error")
				}
				if _, err := here.io.ServerSideCall(here.t.Context(), "e", args...); err == nil {
					t.Error("ServerSideCall: no error")
				}
				if err := socket.Emit("e", args...); (err != nil) != (recovery != nil) {
					t.Errorf("Emit of a socket, recovery %v: %v", recovery, err)
				} else if err == nil {
					r.read() // it goes to no other node
				}
				if err := here.io.Local().Emit("e", args...); err != nil {
					t.Errorf("Emit on this node only: %v", err)
				}
				r.read()
			}
			r.wantNothing()
			got := there.client()
			for _, args := range [][]any{make([]any, socketio.MaxArguments), {most}} {
				if err := here.io.Emit("e", args...); err != nil {
					t.Error(err)
				}
				r.read()
				got.read()
			}
			there.io.OnServerEvent("q", func(e *socketio.ServerEvent) {
				if err := e.Ack(over); err == nil {
					t.Error("Ack: no error")
				}
				if err := e.Ack(most); err != nil {
					t.Error(err)
				}
			})
			if answers, err := here.io.ServerSideCall(here.t.Context(), "q"); err != nil || len(answers) != 1 {
				t.Errorf("%d answers, %v", len(answers), err)
			}
		})
	}
}

// A socket of another node can be called like one of this node.
func TestCallRemoteSocket(t *testing.T) {
	twoNodes(t, socketio.Options{}, func(here, there *site) {
		r := here.client()
		synctest.Wait()
		list, err := there.io.FetchSockets(here.t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		answer := make(chan string)
		go func() {
			a, err := socketio.Call[*socketio.Args](here.t.Context(), &list[0], "q", 1)
			var data []byte
			if err != nil || a.Len() != 1 || a.Decode(0, &data) != nil {
				t.Errorf("%v, %v", a, err)
			}
			answer <- string(data)
		}()
		r.want(`20["q",1]`)
		r.send(`62-0[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
		r.sendBinary("second")
		r.sendBinary("first")
		if got := <-answer; got != "first" {
			t.Errorf("answer %q", got)
		}
		go func() {
			a, err := socketio.Call[any](here.t.Context(), &list[0], "q")
			answer <- fmt.Sprint(a, err)
		}()
		r.want(`21["q"]`)
		r.send("31[]")
		if got := <-answer; got != "<nil><nil>" && got != "<nil> <nil>" {
			t.Errorf("an acknowledgement without arguments: %s", got)
		}
		ctx, cancel := context.WithTimeout(here.t.Context(), time.Second)
		defer cancel()
		if _, err := socketio.Call[any](ctx, &list[0], "q"); err == nil || strings.Contains(err.Error(), "gone") {
			t.Errorf("a socket that is there and does not answer: %v", err)
		}
		r.c.CloseNow()
		synctest.Wait()
		if _, err := socketio.Call[any](here.t.Context(), &list[0], "q"); err == nil || !strings.Contains(err.Error(), "gone") {
			t.Errorf("a socket that is gone: %v", err)
		}
		if _, err := socketio.Call[any](here.t.Context(), new(socketio.RemoteSocket), "q"); err == nil {
			t.Error("a RemoteSocket of nobody has answered")
		}
	})
}

// An answer that another node's client owes is missing, however many have come here.
func TestCallAllWithoutAnother(t *testing.T) {
	twoNodes(t, socketio.Options{}, func(here, there *site) {
		a, b := here.client(), there.client()
		synctest.Wait()
		answers := make(chan string)
		go func() {
			list, err := socketio.CallAll[int](here.t.Context(), here.io, "q")
			if err == nil {
				t.Error("no error")
			}
			answers <- fmt.Sprint(list)
		}()
		a.want(`20["q"]`)
		b.want(`20["q"]`)
		a.send("30[1]")
		b.c.CloseNow()
		if got := <-answers; got != "[1]" {
			t.Errorf("answers %s", got)
		}
	})
}

// Handlers of different events, and several of one, are all called.
func TestServerEventHandlers(t *testing.T) {
	twoNodes(t, socketio.Options{}, func(here, there *site) {
		var d diary
		for _, name := range []string{"a", "b", "a"} {
			here.io.OnServerEvent(name, func(*socketio.ServerEvent) { d.add("%s", name) })
		}
		for _, name := range []string{"b", "a"} {
			if err := there.io.ServerSideEmit(name); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		d.want(t, "b", "a", "a")
		if here.log.String() != "" {
			t.Errorf("log %s", here.log)
		}
	})
}

// Events of other servers are handled one after the other, whatever a handler does, and
// not on the adapter's goroutine; those that are too many are refused.
func TestServerEventQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		io, l := aLocal(t, socketio.Options{Limits: socketio.Limits{HandlerQueueBytes: 1000}})
		defer io.Shutdown(context.Background())
		hold := make(chan struct{})
		var handled []string
		io.OnServerEvent("e", func(e *socketio.ServerEvent) {
			var what string
			if err := e.Decode(0, &what); err != nil {
				t.Error(err)
			}
			<-hold
			handled = append(handled, what)
			switch what {
			case "panic":
				panic(what)
			case "exit":
				runtime.Goexit()
			case "unencodable":
				if err := e.Ack(func() {}); err == nil {
					t.Error("a function was encoded")
				}
				e.Ack("first")
				e.Ack("second")
			}
			if e.Ack(what) != nil {
				t.Error("Ack failed")
			}
		})
		var answers []string
		add := func(what string) error {
			return l.ServerSideEvent(socketio.Encoded{Data: fmt.Appendf(nil, `["e",%q]`, what)}, func(e socketio.Encoded) {
				answers = append(answers, string(e.Data))
			})
		}
		if err := l.ServerSideEvent(socketio.Encoded{Data: []byte(`["nobody's"]`)}, nil); err != nil {
			t.Error(err)
		}
		var err error
		for _, what := range []string{"panic", "exit", "unencodable", "plain"} {
			err = errors.Join(err, add(what))
		}
		if err == nil || !strings.Contains(err.Error(), "HandlerQueueBytes") {
			t.Errorf("the queue has no end: %v", err)
		}
		synctest.Wait()
		close(hold)
		synctest.Wait()
		if err := add("plain"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if want := []string{"panic", "exit", "unencodable", "plain"}; !slices.Equal(handled, want) {
			t.Errorf("handled %q, want %q", handled, want)
		}
		if want := []string{`"first"`, `"plain"`}; !slices.Equal(answers, want) {
			t.Errorf("answers %q, want %q", answers, want)
		}
	})
}

// late is an adapter to which an event comes while it is being closed.
type late struct {
	*node
	l *socketio.Local
}

func (a *late) Close(context.Context) error {
	return a.l.ServerSideEvent(socketio.Encoded{Data: []byte(`["late"]`)}, nil)
}

// Shutdown waits for the handlers of events that came until the adapter was closed, until its
// ctx ends.
func TestShutdownWaitsForServerEvents(t *testing.T) {
	for patience, want := range map[time.Duration]error{time.Second: context.DeadlineExceeded, time.Hour: nil} {
		synctest.Test(t, func(t *testing.T) {
			io := newServer(t, &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
				return &late{new(node), l}, nil
			}})
			handled := false // read without a lock: the detector sees whether Shutdown has waited
			io.OnServerEvent("late", func(*socketio.ServerEvent) {
				<-time.After(time.Minute)
				handled = true
			})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := io.Shutdown(ctx); !errors.Is(err, want) {
				t.Errorf("Shutdown within %v: %v, want %v", patience, err, want)
			}
			if want == nil && !handled {
				t.Error("Shutdown has not waited for the handler")
			}
			time.Sleep(time.Hour)
		})
	}
}

// A closer counts how often it was closed.
type closer struct {
	*node
	closed *atomic.Int32
}

func (c *closer) Close(context.Context) error { c.closed.Add(1); return nil }

// An adapter is closed once, also if something still needs its namespace when the server is shut
// down.
func TestAdapterClosesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		log := new(logbook)
		o := &socketio.Options{Logger: slog.New(slog.NewTextHandler(log, nil)), Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
			return &closer{&node{new(bus), l}, &closed}, nil
		}}
		io := newServer(t, o)
		io.OfPattern(regexp.MustCompile("^/x$"))
		io.Of("/x") // which is kept for a while
		time.Sleep(time.Hour)
		synctest.Wait()
		if closed.Load() != 1 {
			t.Errorf("closed %d times, want once for a namespace that is forgotten", closed.Load())
		}
		closed.Store(0)
		io.Of("/x")
		if err := io.Shutdown(t.Context()); err != nil || closed.Load() != 2 {
			t.Errorf("%v, %d namespaces were closed, want / and /x", err, closed.Load())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if closed.Load() != 2 {
			t.Errorf("closed %d times", closed.Load())
		}
		if got := log.String(); got != "" {
			t.Errorf("logged %q", got)
		}
	})
}

// Arguments that can't be encoded are refused, wherever they are meant to go.
func TestUnencodableFromHere(t *testing.T) {
	twoNodes(t, socketio.Options{}, func(here, _ *site) {
		ctx := context.Background()
		for name, err := range map[string]error{
			"Emit": here.io.Emit("e", func() {}), "ServerSideEmit": here.io.ServerSideEmit("e", func() {}),
			"ServerSideCall": second(here.io.ServerSideCall(ctx, "e", func() {})),
			"CallAll":        second(socketio.CallAll[any](ctx, here.io, "e", func() {})),
		} {
			if err == nil {
				t.Errorf("%s has sent a function", name)
			}
		}
	})
}

// A watcher notes what its RoomWatcher is told.
type watcher struct {
	*node
	mu      sync.Mutex
	changes []string
	within  func()
}

func (w *watcher) RoomsChanged(opened, closed []string) {
	slices.Sort(opened)
	slices.Sort(closed)
	w.mu.Lock()
	w.changes = append(w.changes, fmt.Sprint(opened, closed))
	within := w.within
	w.within = nil
	w.mu.Unlock()
	if within != nil {
		within()
	}
}

func (w *watcher) took() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	changes := w.changes
	w.changes = nil
	return changes
}

// A RoomWatcher is told of the first member of a room and of the end of the last, in
// order, and of nothing that has changed back meanwhile.
func TestRoomWatcher(t *testing.T) {
	w := new(watcher)
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		w.node = a.(*node)
		return w, err
	}}
	inBubble(t, o, func(s *site) {
		sockets, clients := people(s, "a", "b")
		a, b := sockets["a"], sockets["b"]
		want := func(what string, list ...string) {
			t.Helper()
			synctest.Wait()
			if got := w.took(); !slices.Equal(got, list) {
				t.Errorf("%s: told %q, want %q", what, got, list)
			}
		}
		ids := []string{fmt.Sprintf("[%s] []", a.ID()), "[a all] []", fmt.Sprintf("[%s] []", b.ID()), "[b] []"}
		want("two sockets", ids...)
		a.Leave("all")
		want("not the last one")
		b.Leave("all")
		want("the last one", "[] [all]")
		a.Join("x", b.ID())
		want("a room that is a socket's", "[x] []")
		w.within = func() { // somebody else's changes wait for this call
			a.Join("y")
			a.Leave("y")
			a.Join("z")
		}
		a.Join("w")
		want("changes during a call", "[w] []", "[z] []")
		clients["b"].c.CloseNow()
		want("a socket ends whose room has another member", "[] [b]")
		a.Leave(b.ID())
		want("its room is empty", fmt.Sprintf("[] [%s]", b.ID()))
		w.within = func() { panic("watcher") }
		func() {
			defer func() { recover() }()
			a.Join("after a panic")
		}()
		a.Join("next")
		want("after a panic", "[after a panic] []", "[next] []")
	})
}

// A RoomWatcher is told of the rooms that a socket leaves at its end before the handlers of
// OnDisconnect are called, which may take their time, and also if a handler ends its goroutine.
func TestRoomWatcherAtEnd(t *testing.T) {
	w := new(watcher)
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		w.node = a.(*node)
		return w, err
	}}
	inBubble(t, o, func(s *site) {
		sockets, clients := people(s, "a", "b")
		synctest.Wait()
		w.took()
		want := func(what string, closed ...string) {
			t.Helper()
			slices.Sort(closed)
			if got, want := w.took(), []string{fmt.Sprint("[] ", closed)}; !slices.Equal(got, want) {
				t.Errorf("%s: told %q, want %q", what, got, want)
			}
		}
		a, b := sockets["a"], sockets["b"]
		a.OnDisconnect(func(socketio.Reason) { want("OnDisconnect", a.ID(), "a") })
		clients["a"].cut()
		b.OnDisconnecting(func(socketio.Reason) { runtime.Goexit() })
		clients["b"].cut()
		want("a handler has ended its goroutine", b.ID(), "b", "all")
	})
}

// A room that a socket joins and leaves before it is let in has neither got a first member
// nor lost a last one. Somebody else's first member is told of, whatever else was going on.
func TestRoomWatcherBeforeConnect(t *testing.T) {
	w := new(watcher)
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		w.node = a.(*node)
		return w, err
	}}
	inBubble(t, o, func(s *site) {
		sockets := s.sockets(nil)
		s.client()
		member := <-sockets
		synctest.Wait()
		w.took()
		s.io.Use(func(_ context.Context, x *socketio.Socket) error {
			x.Join("x", "y")
			x.Leave("x")
			w.within = func() { // what changes meanwhile is told of together
				x.Leave("y")
				member.Join("y")
			}
			member.Join("z")
			return errors.New("no")
		})
		refused := s.dial()
		refused.send("0")
		refused.want(`4{"message":"no"}`)
		synctest.Wait()
		if got, want := w.took(), []string{"[z] []", "[y] []"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// The rooms of a client that may come back stay open, so that an adapter goes on
// bringing what the client misses; until the client is in them again, was refused, or was
// forgotten.
func TestRoomWatcherKeepsRooms(t *testing.T) {
	for _, refused := range []bool{false, true} {
		w := new(watcher)
		o := &socketio.Options{Recovery: &socketio.Recovery{MaxAge: time.Minute, RunMiddleware: true}, Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
			a, err := new(bus).join(l)
			w.node = a.(*node)
			return w, err
		}}
		inBubble(t, o, func(s *site) {
			var refuse error
			s.io.Use(func(context.Context, *socketio.Socket) error { return refuse })
			_, clients := people(s, "a")
			r := clients["a"]
			synctest.Wait()
			w.took()
			want := func(what string, open bool, list ...string) {
				t.Helper()
				synctest.Wait()
				if got := w.took(); !slices.Equal(got, list) || w.local.HasRoom("all") != open {
					t.Errorf("%s: told %q, want %q; the room is open: %t", what, got, list, !open)
				}
			}
			r.cut()
			want("a client is lost", true)
			again, sid := s.comeBack(r.pid, "")
			if sid != r.sid {
				t.Fatal("it has not come back")
			}
			want("it has come back", true)
			again.cut()
			want("it is lost again", true)
			closed := fmt.Sprintf("[] [%s]", strings.Join(sorted(sid, "a", "all"), " "))
			if !refused {
				time.Sleep(time.Minute + 2*time.Second)
				want("it was forgotten", false, closed)
				return
			}
			refuse = errors.New("no")
			last := s.dial()
			last.send(fmt.Sprintf(`0{"pid":%q}`, r.pid))
			last.want(`4{"message":"no"}`)
			want("it was refused", false, closed)
		})
	}
}

// A RoomWatcher is told nothing once its adapter was closed, also if sockets leave their rooms only
// then, because Shutdown could not wait for their handlers.
func TestRoomWatcherEnds(t *testing.T) {
	w := new(watcher)
	o := &socketio.Options{Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		w.node = a.(*node)
		return w, err
	}}
	inBubble(t, o, func(s *site) {
		hold := make(chan struct{})
		s.io.OnConnect(func(x *socketio.Socket) { x.OnDisconnecting(func(socketio.Reason) { <-hold }) })
		r := s.client()
		synctest.Wait()
		w.took()
		ctx, cancel := context.WithCancel(s.t.Context())
		cancel()
		if err := s.io.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown: %v", err)
		}
		synctest.Wait()
		if !w.local.HasRoom(r.sid) {
			t.Fatal("the socket has not waited for its handler")
		}
		close(hold)
		synctest.Wait()
		if got := w.took(); w.local.HasRoom(r.sid) || len(got) > 0 {
			t.Errorf("told %q; the room is open: %t", got, w.local.HasRoom(r.sid))
		}
	})
}

// An adapter that is no RoomWatcher is told of no rooms, and so its end waits for nothing.
func TestNoRoomWatcherEnds(t *testing.T) {
	inBubble(t, &socketio.Options{Adapter: new(bus).join}, func(s *site) {
		s.client().cut()
		start := time.Now()
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		defer cancel()
		if err := s.io.Shutdown(ctx); err != nil || time.Since(start) > 0 {
			t.Errorf("Shutdown: %v, after %v", err, time.Since(start))
		}
	})
}

// A client that turns out to have been away for too long as an event comes is out of its
// rooms then, and not only when somebody looks after what is left.
func TestRoomWatcherForgets(t *testing.T) {
	w := new(watcher)
	o := &socketio.Options{Recovery: &socketio.Recovery{MaxAge: time.Minute}, Adapter: func(l *socketio.Local) (socketio.Adapter, error) {
		a, err := new(bus).join(l)
		w.node = a.(*node)
		return w, err
	}}
	inBubble(t, o, func(s *site) {
		_, clients := people(s, "a")
		synctest.Wait()
		w.took()
		clients["a"].cut()
		time.Sleep(time.Minute + time.Millisecond) // the timer fires later
		synctest.Wait()
		if got := w.took(); len(got) > 0 {
			t.Errorf("told %q, too early", got)
		}
		if err := s.io.Emit("e"); err != nil {
			t.Error(err)
		}
		want := []string{fmt.Sprintf("[] [%s]", strings.Join(sorted(clients["a"].sid, "a", "all"), " "))}
		if got := w.took(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func sorted(list ...string) []string {
	slices.Sort(list)
	return list
}
