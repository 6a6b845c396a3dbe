package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/parleyws/parley/socketio"
)

// newServer makes the server with its namespaces.
func newServer(o *socketio.Options) (*socketio.Server, error) {
	io, err := socketio.NewServer(o)
	if err != nil {
		return nil, err
	}
	w := &world{io: io, endings: make(map[string]chan struct{}), reasons: make(map[string]string), stored: make(map[string][]int)}
	io.OnConnect(w.serve)
	io.Of("/custom").OnConnect(w.serve)
	io.OfPattern(regexp.MustCompile(`^/dynamic-\d+$`)).OnConnect(w.serve)

	io.Of("/refused").Use(func(context.Context, *socketio.Socket) error {
		why := map[string]any{"list": []any{"ž", nil}}
		return &socketio.Error{Message: "not you", Data: map[string]any{"code": 42, "why": why}}
	})
	io.Of("/closed").Use(func(_ context.Context, s *socketio.Socket) error {
		auth, err := socketio.Auth[struct{ Token any }](s)
		return errors.Join(err, &socketio.Error{Message: "closed", Data: map[string]any{"token": auth.Token}})
	})
	early := io.Of("/early")
	early.Use(func(_ context.Context, s *socketio.Socket) error {
		if err := s.Emit("early", "before the consent"); err != nil {
			return err
		}
		if auth, _ := socketio.Auth[struct{ Token string }](s); auth.Token == "wrong" {
			return &socketio.Error{Message: "too early"}
		}
		return nil
	})
	early.OnConnect(w.serve)
	late := io.Of("/late")
	late.Use(func(context.Context, *socketio.Socket) error {
		time.Sleep(200 * time.Millisecond)
		return nil
	})
	late.OnConnect(w.serve)
	members := io.Of("/members")
	members.Use(func(_ context.Context, s *socketio.Socket) error {
		auth, err := socketio.Auth[struct{ Token string }](s)
		if err != nil || auth.Token != "secret" {
			return &socketio.Error{Message: "members only"}
		}
		return nil
	})
	members.OnConnect(w.serve)
	return io, nil
}

// A world holds the state that all sockets share.
type world struct {
	io *socketio.Server

	mu      sync.Mutex
	endings map[string]chan struct{} // by socket id: closed when the socket has ended
	reasons map[string]string
	stored  map[string][]int // by key: the arguments of "store"
}

// ending returns the channel of a socket. The caller must hold mu.
func (w *world) ending(id string) chan struct{} {
	if w.endings[id] == nil {
		w.endings[id] = make(chan struct{})
	}
	return w.endings[id]
}

// serve registers the handlers of a socket.
func (w *world) serve(s *socketio.Socket) {
	s.OnDisconnect(func(reason socketio.Reason) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, again := w.reasons[s.ID()]; !again { // a recovered socket keeps its id
			close(w.ending(s.ID()))
		}
		w.reasons[s.ID()] = reason.String()
	})
	s.Emit("hello", map[string]any{"id": s.ID(), "recovered": s.Recovered()})
	thereAndBack(s)
	numbers(s)
	w.store(s)
	rooms(s)
	w.elsewhere(s)
	w.ends(s)
}

// see is middleware that keeps what it sees of a socket.
func see(_ context.Context, s *socketio.Socket) error {
	rooms := slices.DeleteFunc(s.Rooms(), func(room string) bool { return room == s.ID() })
	s.Set("seen", map[string]any{"recovered": s.Recovered(), "rooms": append([]string{}, rooms...)})
	return nil
}

// elsewhere registers what happens later, or in another namespace.
func (w *world) elsewhere(s *socketio.Socket) {
	s.OnEvent("later", func(e *socketio.Event) error {
		ms, event, args, err := question(e, 0)
		if err != nil {
			return err
		}
		time.AfterFunc(ms, func() { s.Emit(event, args...) })
		return nil
	})
	s.OnEvent("seen", func(e *socketio.Event) error { return e.Ack(s.Value("seen")) })
	s.OnEvent("in-namespace", func(e *socketio.Event) error {
		var name, event string
		if err := errors.Join(e.Decode(0, &name), e.Decode(1, &event)); err != nil {
			return err
		}
		args, err := e.Args()
		if err != nil {
			return err
		}
		return w.io.Of(name).Emit(event, args[2:]...)
	})
}

func thereAndBack(s *socketio.Socket) {
	s.OnEvent("echo", func(e *socketio.Event) error {
		args, err := e.Args()
		if err != nil {
			return err
		}
		return s.Emit("echo", args...)
	})
	s.OnEvent("echo-ack", func(e *socketio.Event) error {
		args, err := e.Args()
		if err != nil {
			return err
		}
		return e.Ack(args...)
	})
	s.OnEvent("ask", func(e *socketio.Event) error {
		ms, event, args, err := question(e, 0)
		if err != nil {
			return err
		}
		answer, err := socketio.Call[*socketio.Args](context.Background(), s.Timeout(ms), event, args...)
		if err != nil {
			return e.Ack(nil)
		}
		list := make([]any, answer.Len())
		for i := range list {
			if err := answer.Decode(i, &list[i]); err != nil {
				return err
			}
		}
		return e.Ack(list)
	})
	s.OnEvent("who", func(e *socketio.Event) error {
		h := s.Handshake()
		return e.Ack(map[string]any{
			"id": s.ID(), "transport": s.Transport(), "rooms": s.Rooms(),
			"auth": h.Auth, "query": h.Query.Get("q"), "header": first(h.Header["X-Parley"]),
		})
	})
}

// question reads the arguments (timeout, event, ...args), starting at argument i.
func question(e *socketio.Event, i int) (timeout time.Duration, event string, args []any, err error) {
	var ms int
	if err := e.Decode(i, &ms); err != nil {
		return 0, "", nil, err
	}
	if err := e.Decode(i+1, &event); err != nil {
		return 0, "", nil, err
	}
	all, err := e.Args()
	if err != nil {
		return 0, "", nil, err
	}
	return time.Duration(ms) * time.Millisecond, event, all[i+2:], nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func numbers(s *socketio.Socket) {
	count, ordered := 0, true
	socketio.On(s, "number", func(_ context.Context, i int) error {
		ordered = ordered && i == count
		count++
		return nil
	})
	s.OnEvent("numbers", func(e *socketio.Event) error {
		return e.Ack(map[string]any{"count": count, "ordered": ordered})
	})
	socketio.On2(s, "flood", func(_ context.Context, first, end int) error {
		for i := first; i < end; i++ {
			if err := s.Emit("number", i); err != nil {
				return err
			}
		}
		return nil
	})
	socketio.On(s, "volatile", func(_ context.Context, n int) error {
		for i := range n {
			if err := s.Volatile().Emit("maybe", i); err != nil {
				return err
			}
		}
		return s.Emit("volatile-end")
	})
}

func (w *world) store(s *socketio.Socket) {
	s.OnEvent("store", func(e *socketio.Event) error {
		var key string
		var i int
		if err := e.Decode(0, &key); err != nil {
			return err
		}
		if err := e.Decode(1, &i); err != nil {
			return err
		}
		w.mu.Lock()
		w.stored[key] = append(w.stored[key], i)
		w.mu.Unlock()
		return e.Ack()
	})
	socketio.Handle(s, "stored", func(_ context.Context, key string) ([]int, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return append([]int{}, w.stored[key]...), nil
	})
}

func rooms(s *socketio.Socket) {
	s.OnEvent("join", func(e *socketio.Event) error {
		var rooms []string
		if err := e.Decode(0, &rooms); err != nil {
			return err
		}
		if err := s.Join(rooms...); err != nil {
			return err
		}
		return e.Ack()
	})
	s.OnEvent("leave", func(e *socketio.Event) error {
		var room string
		if err := e.Decode(0, &room); err != nil {
			return err
		}
		s.Leave(room)
		return e.Ack()
	})
	s.OnEvent("to", func(e *socketio.Event) error { return relay(e, s.To) })
	s.OnEvent("in", func(e *socketio.Event) error { return relay(e, s.Namespace().In) })
	s.OnEvent("ask-room", func(e *socketio.Event) error {
		var room string
		if err := e.Decode(0, &room); err != nil {
			return err
		}
		ms, event, args, err := question(e, 1)
		if err != nil {
			return err
		}
		answers, err := socketio.CallAll[any](context.Background(), s.Namespace().In(room).Timeout(ms), event, args...)
		return e.Ack(err == nil, append([]any{}, answers...))
	})
	socketio.Handle(s, "sockets", func(ctx context.Context, room string) ([]string, error) {
		sockets, err := s.Namespace().In(room).FetchSockets(ctx)
		var ids []string
		for _, other := range sockets {
			ids = append(ids, other.ID)
		}
		slices.Sort(ids)
		return ids, err
	})
}

// relay reads the arguments (rooms, except, event, ...args) and emits the event.
func relay(e *socketio.Event, to func(...string) socketio.Emitter) error {
	var rooms, except []string
	var event string
	for i, v := range []any{&rooms, &except, &event} {
		if err := e.Decode(i, v); err != nil {
			return err
		}
	}
	args, err := e.Args()
	if err != nil {
		return err
	}
	return to(rooms...).Except(except...).Emit(event, args[3:]...)
}

func (w *world) ends(s *socketio.Socket) {
	socketio.On2(s, "disconnect-room", func(_ context.Context, room string, connection bool) error {
		return s.Namespace().In(room).DisconnectSockets(connection)
	})
	socketio.On(s, "disconnect-me", func(_ context.Context, connection bool) error {
		s.Disconnect(connection)
		return nil
	})
	socketio.Handle(s, "ended", func(ctx context.Context, id string) (string, error) {
		w.mu.Lock()
		over := w.ending(id)
		w.mu.Unlock()
		select {
		case <-over:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.reasons[id], nil
	})
}
