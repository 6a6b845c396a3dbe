package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/parleyws/parley/engineio"
)

// extras is what most sockets do without.
type extras struct {
	auth  json.RawMessage // constant; nil: an empty object
	track *track          // for recovery; nil without

	// Guarded by the socket's mu:
	data   map[string]any
	ctx    context.Context // nil until Context is called
	cancel context.CancelCauseFunc
	untold int // size of the events that wait for the handlers of OnAnyOutgoing, in bytes
}

// noAuth is the auth of a client that has sent none.
var noAuth = json.RawMessage("{}")

// extra returns extras, which it makes. Called with mu held.
func (s *Socket) extra() *extras {
	if s.extras == nil {
		s.extras = new(extras)
	}
	return s.extras
}

// sentAuth returns the auth that the client has sent with its CONNECT.
func (s *Socket) sentAuth() json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extras == nil || s.auth == nil {
		return noAuth
	}
	return s.auth
}

// Context returns a ctx that ends with the socket; its cause is a
// *DisconnectError. It has the values of the ctx of the request that has opened the
// session, such as those which middleware of net/http has put there; see
// engineio.Session.Value.
func (s *Socket) Context() context.Context { return socketContext{s} }

// A socketContext is a socket's ctx. Most handlers ask it nothing, and so there is nothing to
// it until it is asked.
type socketContext struct{ s *Socket }

// Deadline implements context.Context: there is none.
func (socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (c socketContext) Done() <-chan struct{} { return c.s.context().Done() }

// Err implements context.Context.
func (c socketContext) Err() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.state == over {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context. Package context asks for the cause in this way, too.
func (c socketContext) Value(key any) any { return c.s.context().Value(key) }

// context returns the ctx that there is once it is asked.
func (s *Socket) context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.extra()
	if x.ctx == nil {
		x.ctx, x.cancel = context.WithCancelCause(requestContext{context.Background(), s.session})
		if s.state == over {
			x.cancel(&DisconnectError{s.reason})
		}
	}
	return x.ctx
}

// A requestContext has the values of the request that has opened a session, and
// never ends.
type requestContext struct {
	context.Context
	session *engineio.Session
}

func (c requestContext) Value(key any) any { return c.session.Value(key) }

// Set keeps a value with the socket. FetchSockets returns it, from other nodes as
// JSON, and a client that comes back gets it back; see Recovery.
func (s *Socket) Set(key string, value any) {
	s.mu.Lock()
	x := s.extra()
	if x.data == nil {
		x.data = make(map[string]any)
	}
	x.data[key] = value
	s.mu.Unlock()
	s.changed()
}

// Value returns the value that Set has kept, nil if there is none.
func (s *Socket) Value(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extras == nil {
		return nil
	}
	return s.data[key]
}

// ValueOf returns the value that Socket.Set has kept, if it is a T.
func ValueOf[T any](s *Socket, key string) (v T, ok bool) {
	v, ok = s.Value(key).(T)
	return v, ok
}

// Auth decodes the auth that the client has sent with its CONNECT. Members that T
// does not have are ignored.
func Auth[T any](s *Socket) (auth T, err error) {
	if err = json.Unmarshal(s.sentAuth(), &auth); err != nil {
		err = fmt.Errorf("socket.io: auth: %w", err)
	}
	return auth, err
}

// cloneData returns a copy of what Set has kept.
func (s *Socket) cloneData() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extras == nil {
		return nil
	}
	return maps.Clone(s.data)
}
