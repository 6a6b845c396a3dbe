package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/socketio"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A broker connects a server with others.
type broker interface {
	Adapter(*socketio.Local) (socketio.Adapter, error)
	Ready(context.Context) error
	Close(context.Context) error
}

// ours is a node of this module.
type ours struct {
	t   testing.TB
	io  *socketio.Server
	web *httptest.Server
	end func()

	mu    sync.Mutex
	heard []any // events of other servers
}

func startOurs(t testing.TB, b broker) *ours {
	t.Helper()
	return startOursWith(t, b, socketio.Options{})
}

func startOursWith(t testing.TB, b broker, options socketio.Options) *ours {
	t.Helper()
	o := &ours{t: t}
	options.Adapter, options.Logger = b.Adapter, quiet
	io, err := socketio.NewServer(&options)
	if err != nil {
		t.Fatal(err)
	}
	o.io = io
	o.serve(io.Namespace)
	o.serve(io.Of("/other"))
	o.web = httptest.NewServer(io)
	o.end = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := io.Shutdown(ctx); err != nil {
			t.Error("Shutdown:", err)
		}
		if err := b.Close(ctx); err != nil {
			t.Error("Close:", err)
		}
		o.web.Close()
	})
	t.Cleanup(o.end)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Ready(ctx); err != nil {
		t.Fatal("Ready:", err)
	}
	return o
}

// serve adds to a namespace what clients and other servers may ask for.
func (o *ours) serve(n *socketio.Namespace) {
	n.OnConnect(func(s *socketio.Socket) {
		socketio.Handle(s, "join", func(_ context.Context, rooms []string) (any, error) { return nil, s.Join(rooms...) })
		socketio.Handle2(s, "set", func(_ context.Context, name string, value any) (any, error) {
			s.Set(name, value)
			return nil, nil
		})
	})
	n.OnServerEvent("event", func(e *socketio.ServerEvent) {
		args := []any{}
		for i := range e.Len() {
			var arg any
			if err := e.Decode(i, &arg); err != nil {
				o.t.Error(err)
			}
			args = append(args, arg)
		}
		o.mu.Lock()
		o.heard = append(o.heard, args)
		o.mu.Unlock()
		var first any
		if len(args) > 0 {
			first = args[0]
		}
		if err := e.Ack(map[string]any{"of": "parley", "first": first}); err != nil {
			o.t.Error(err)
		}
	})
}

func (o *ours) stop() { o.end() }

func (o *ours) url() string { return o.web.URL }

// emitter returns what a command addresses.
func (o *ours) emitter(c command) (socketio.Emitter, error) {
	n := o.io.Of("/" + c.Namespace[min(1, len(c.Namespace)):])
	to := n.Compress(!c.Uncompressed)
	if c.Socket != "" {
		s, ok := n.Socket(c.Socket)
		if !ok {
			return to, errors.New("no such socket")
		}
		to = s.Broadcast().Compress(!c.Uncompressed)
	}
	if c.Volatile {
		to = to.Volatile()
	}
	if c.Local {
		to = to.Local()
	}
	if c.Timeout > 0 {
		to = to.Timeout(time.Duration(c.Timeout) * time.Millisecond)
	}
	if len(c.Rooms) > 0 {
		to = to.To(c.Rooms...)
	}
	if len(c.Except) > 0 {
		to = to.Except(c.Except...)
	}
	return to, nil
}

func (o *ours) do(c command, into any) error {
	to, err := o.emitter(c)
	if err != nil {
		return err
	}
	n := o.io.Of("/" + c.Namespace[min(1, len(c.Namespace)):])
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var event string
	var args []any
	if len(c.Args) > 0 {
		event, args = c.Args[0].(string), c.Args[1:]
	}
	rooms, _ := c.To.([]string)
	switch c.Do {
	case "emit":
		return to.Emit(event, args...)
	case "call":
		list, err := socketio.CallAll[any](ctx, to, event, args...)
		*into.(*answers) = answers{Answers: list}
		if err != nil {
			into.(*answers).Error = err.Error()
		}
		return nil
	case "join":
		return to.SocketsJoin(rooms...)
	case "leave":
		return to.SocketsLeave(rooms...)
	case "disconnect":
		return to.DisconnectSockets(c.Connection)
	case "fetch":
		return o.fetch(ctx, to, into.(*[]remote))
	case "rooms":
		return store(into, second(n.Rooms(ctx)))
	case "nodes":
		return store(into, second(n.Nodes(ctx)))
	case "serverSideEmit":
		return n.ServerSideEmit(event, args...)
	case "serverSideCall":
		list, err := n.ServerSideCall(ctx, event, args...)
		for _, a := range list {
			var v any
			err = errors.Join(err, a.Decode(0, &v))
			*into.(*[]any) = append(*into.(*[]any), v)
		}
		return err
	case "heard":
		o.mu.Lock()
		defer o.mu.Unlock()
		*into.(*[]any), o.heard = o.heard, nil
		return nil
	}
	return fmt.Errorf("no such command: %s", c.Do)
}

func (o *ours) fetch(ctx context.Context, to socketio.Emitter, into *[]remote) error {
	list, err := to.FetchSockets(ctx)
	for _, s := range list {
		r := remote{ID: s.ID, Rooms: s.Rooms, Data: s.Data}
		text, e := json.Marshal(s.Handshake)
		err = errors.Join(err, e, json.Unmarshal(text, &r.Handshake))
		*into = append(*into, r)
	}
	return err
}

// A result is a value or an error.
type result struct {
	v   any
	err error
}

func second[T any](v T, err error) result { return result{v, err} }

// store stores a value where a pointer points to.
func store(into any, r result) error {
	if r.err != nil {
		return r.err
	}
	text, err := json.Marshal(r.v)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
