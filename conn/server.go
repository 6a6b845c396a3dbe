package conn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/requestvalues"
)

// A Server is an http.Handler for WebSocket connections. For each it accepts
// the upgrade, lets net/http go, and serves the connection on a fresh goroutine, so
// that an idle connection costs little more than that goroutine's stack; or with
// Handle on a Loop, where it costs less than 1 KB. ServeConns serves a listener
// without net/http.
//
// Either Serve or Handle is set. The fields must not be changed once the Server
// is in use. What is wrong with them is the answer to the first request: 500, and
// OnRefuse is told.
type Server struct {
	// Options configure the connections; nil is the defaults.
	Options *AcceptOptions
	// Serve serves one connection, which is closed when it returns: with 1000,
	// with the code and reason of a *CloseError, or, after any other error, with
	// 1011. Nothing is done to a connection that has ended by then. ctx ends
	// when the connection does and has the values of r.Context(), whose
	// cancellation it does not share. r is the upgrade request; keeping it keeps
	// its memory.
	Serve func(ctx context.Context, c *Conn, r *http.Request) error
	// Handle may be set instead of Serve. It returns the function that is then
	// called with each message of the connection, as by Each, until it fails or
	// the connection ends. Its error closes the connection as that of Serve
	// does. Once there are many connections a Loop serves those that come; on other
	// systems, over TLS, and before that, each has a goroutine. What that function needs of
	// stack is given back when the connection falls silent, where the goroutine of Serve
	// keeps what it has grown to: decoding JSON, for one, takes 4 KiB.
	Handle func(ctx context.Context, c *Conn, r *http.Request) func(Message) error
	// OnError is told of the errors of Serve and Handle, and of their panics as
	// *PanicError, before the connection is closed. It is not told of a
	// *CloseError, nor of what only says that the connection has ended. If it is
	// nil they are logged by slog.Default at the level Error. The process lives.
	OnError func(c *Conn, err error)
	// OnEnd may be set. It is told of the end of each connection that Serve or Handle was
	// called with, once Serve has returned or the function of Handle is called no more: err
	// is the error of Serve, and with Handle why the connection has ended, as Each says it: a
	// *frame.Error if the peer has broken a rule or a limit. So a program with Handle can
	// tell its operator why a client was closed. The connection may still have to send its
	// Close frame, and waits for OnEnd to return.
	OnEnd func(c *Conn, err error)
	// OnRefuse is told of each request that was refused, once it has been
	// answered: err is a *handshake.Error, or says why the stream failed. With
	// ServeConns that may have been before the request was there: r has at least
	// RemoteAddr and TLS, and what was understood of the request, as
	// handshake.Opening.Request says; a hook that panics is told as *PanicError.
	// If OnRefuse is nil, refusals with a status of 500 or more and panics, which
	// are a fault of the program and not of its clients, are logged by
	// slog.Default at the level Error.
	OnRefuse func(r *http.Request, err error)
	// MaxHandshakes is how many handshakes ServeConns has under way at most, over
	// all listeners. Default 4,096, which hold 40 MB if no client says anything;
	// negative is no bound.
	MaxHandshakes int

	once     sync.Once
	settings *settings // of Options
	invalid  error     // what is wrong with the fields

	mu        sync.Mutex
	conns     []*Conn // in no order; each knows its place
	plain     *terms  // of the last connection that had only plain values
	reception reception
	idle      signal // fired when the last connection has ended after Shutdown
	down      bool
}

// A PanicError is a panic of Serve or Handle.
type PanicError struct {
	Value any    // what panic was called with; nil: the function ended its goroutine
	Stack []byte // of the goroutine that panicked, as by debug.Stack
}

// Error returns the value, without the stack.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "the goroutine was ended by runtime.Goexit"
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errShutdown refuses a request that comes after Shutdown.
var errShutdown error = &handshake.Error{Status: http.StatusServiceUnavailable, Reason: "shutting down"}

// ServeHTTP implements http.Handler. It returns when the handshake is done.
// After Shutdown requests are answered with 503.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := s.accept(w, r)
	if err != nil {
		s.refused(r, err)
		return
	}
	s.setValues(c, requestvalues.Of(r.Context()))
	if !s.add(c) {
		go c.Close(frame.StatusGoingAway, "")
		return
	}
	go s.run(c, r)
}

// accept answers the request.
func (s *Server) accept(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	s.once.Do(s.judge)
	if s.invalid != nil {
		return nil, refuse(w, s.invalid)
	}
	if s.isDown() {
		w.Header().Set("Connection", "close")
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return nil, errShutdown
	}
	return accept(w, r, s.handshakeOptions(), s.settings)
}

// handshakeOptions returns the options of the handshake, nil for the defaults.
func (s *Server) handshakeOptions() *handshake.Options {
	if s.Options == nil {
		return nil
	}
	return &s.Options.Handshake
}

// judge finds out what is wrong with the fields.
func (s *Server) judge() {
	if (s.Serve == nil) == (s.Handle == nil) {
		s.invalid = errors.New("conn.Server: either Serve or Handle must be set, and not both")
		return
	}
	judged := &defaults
	if s.Options != nil {
		if s.invalid = s.Options.Handshake.Check(); s.invalid == nil {
			judged, s.invalid = s.Options.Conn.settings()
		}
		if s.invalid != nil {
			return
		}
	}
	own := *judged
	own.server = s
	switch {
	case s.Serve != nil: // it reads as it likes, and waits
		own.loop = nil
	case own.loop == nil:
		own.loop = &Loop{After: DefaultAfter}
	}
	s.settings = &own
}

// refused tells of a request that was refused with err.
func (s *Server) refused(r *http.Request, err error) {
	if s.OnRefuse != nil {
		s.OnRefuse(r, err)
		return
	}
	attrs := func() []any { return []any{"error", err, "remote", r.RemoteAddr, "target", r.RequestURI} }
	if p, ok := errors.AsType[*PanicError](err); ok {
		slog.Error("websocket: a hook of the handshake failed", append(attrs(), "stack", string(p.Stack))...)
	} else if e, ok := errors.AsType[*handshake.Error](err); ok && e.Status >= 500 && err != errShutdown {
		slog.Error("websocket: request refused", attrs()...)
	}
}

// setValues makes values those of c's ctx, before anybody else knows c. Connections about
// which there is nothing else to say share what there is.
func (s *Server) setValues(c *Conn, values requestvalues.Values) {
	if c.terms != nil || !requestvalues.IsPlain(values) {
		c.setValues(values)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plain == nil || s.plain.values != values {
		s.plain = &terms{values: values}
	}
	c.terms = s.plain
}

// run serves c to its end. Nothing but the call itself holds r: an idle
// connection would keep the whole request, and its frames are few, for an idle
// goroutine's stack of 2 KiB.
func (s *Server) run(c *Conn, r *http.Request) {
	err := unreturned
	defer s.returned(c, &err)
	if s.Handle == nil {
		err = s.Serve(connContext{c}, c, r)
		return
	}
	f := s.Handle(connContext{c}, c, r)
	if f == nil {
		err = errNoFunction
		return
	}
	err = errMoved
	go c.receive(handled(f))
}

// errNoFunction is a Handle that has returned nil.
var errNoFunction = errors.New("conn.Server: Handle has returned no function")

// unreturned is the error of a function until it returns: it has ended its
// goroutine, or panicked.
var unreturned error = &PanicError{}

// recovered returns the error that a function has returned, or a *PanicError if it has
// ended by a panic with v, or has ended its goroutine.
func recovered(err error, v any) error {
	if v != nil {
		err = &PanicError{v, debug.Stack()}
	}
	return err
}

// returned is deferred by run.
func (s *Server) returned(c *Conn, returned *error) {
	if err := recovered(*returned, recover()); err != errMoved {
		s.ended(c, err)
	}
}

// handled is a Receiver: a function that Server.Handle has returned.
type handled func(Message) error

// Message implements Receiver.
func (f handled) Message(_ *Conn, m Message) error { return f(m) }

// Ended implements Receiver.
func (handled) Ended(c *Conn, err error) { c.settings.server.ended(c, err) }

// ended closes c with the error that its function has returned.
func (s *Server) ended(c *Conn, err error) {
	// Also if a hook ends its goroutine.
	defer s.remove(c)
	defer c.conclude(err, func(err error) { s.failed(c, err) })
	if s.OnEnd != nil {
		s.OnEnd(c, err)
	}
}

// conclude closes c, whose function has returned err, and waits until the stream
// is closed. failed is told of an error of the function's own before.
func (c *Conn) conclude(err error, failed func(error)) {
	chosen, isClose := errors.AsType[*CloseError](err)
	cause := c.life.writeErr()
	switch {
	case cause != nil && (errors.Is(err, cause) || errors.Is(err, context.Canceled)):
		// It only says that the connection has ended.
	case err == nil:
		c.Close(frame.StatusNormalClosure, "")
	case isClose:
		if c.Close(chosen.Code, chosen.Reason) == errCode {
			c.Close(frame.StatusInternalError, "")
		}
	default:
		func() {
			defer c.Close(frame.StatusInternalError, "")
			failed(err)
		}()
	}
	if c.life.is(broken) { // nobody is left to read what has arrived
		c.CloseNow()
	}
	<-c.life.gone()
}

// failed tells of an error of Serve or Handle.
func (s *Server) failed(c *Conn, err error) {
	if s.OnError != nil {
		s.OnError(c, err)
		return
	}
	attrs := []any{"error", err, "remote", c.RemoteAddr()}
	if p, ok := errors.AsType[*PanicError](err); ok {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	slog.Error("websocket: serving a connection failed", attrs...)
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

func (s *Server) add(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enter(c)
}

// enter is add with mu held.
func (s *Server) enter(c *Conn) bool {
	if s.down {
		return false
	}
	c.places.server = int32(len(s.conns))
	s.conns = append(s.conns, c)
	return true
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, last := c.places.server, len(s.conns)-1
	s.conns[place] = s.conns[last]
	s.conns[place].places.server = place
	s.conns[last] = nil
	s.conns = s.conns[:last]
	s.quieter()
}

// quiet reports whether nothing is left that Shutdown waits for. Called with mu held.
func (s *Server) quiet() bool { return len(s.conns) == 0 && s.reception.isEmpty() }

// quieter tells Shutdown when it need not wait any more. Called with mu held.
func (s *Server) quieter() {
	if s.down && s.quiet() {
		s.idle.fire()
	}
}

// Shutdown closes the listeners of ServeConns, cuts the connections that are in
// their handshake there, closes all connections with 1001 (going away), and waits
// until they, and what serves them, have ended. When ctx ends first it cuts those
// that are left and returns the error of ctx. It does not touch the http.Server,
// which should be shut down first, so that no new connections come.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.down = true
	conns := slices.Clone(s.conns)
	finish := s.reception.close()
	quiet, idle := s.quiet(), s.idle.wait()
	s.mu.Unlock()
	finish()
	if quiet {
		return nil
	}
	for _, c := range conns {
		go c.Close(frame.StatusGoingAway, "")
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	for _, c := range conns {
		c.end(cut, errClosed)
	}
	return contextError("shutdown", ctx)
}
