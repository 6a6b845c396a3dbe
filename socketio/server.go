package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/engineio"
)

// A Server is an http.Handler that speaks Socket.IO. It has the methods of its root
// namespace, "/".
type Server struct {
	*Namespace
	engine *engineio.Server
	o      *Options // resolved
	side
	files *clientFiles

	mu         sync.Mutex
	namespaces map[string]*Namespace
	parents    []*parent
	over       bool // Shutdown has ended what connects namespaces with other nodes

	detaching sync.WaitGroup // the adapters that are being closed
}

// A parent makes namespaces when clients ask for them.
type parent struct {
	pattern  *regexp.Regexp // nil: match decides
	match    func(name string, auth json.RawMessage) bool
	template *Namespace
}

// takes reports whether a client with auth may join a namespace with this name as
// a child of p. Called without any lock.
func (p *parent) takes(name string, auth json.RawMessage) bool {
	if p.pattern != nil {
		return p.pattern.MatchString(name)
	}
	return p.match(name, auth)
}

// NewServer makes a server. nil options are the defaults; an error says which
// option is wrong, or is that of Options.Adapter for the root namespace.
func NewServer(o *Options) (*Server, error) {
	resolved, err := o.resolve()
	if err != nil {
		return nil, err
	}
	s := &Server{o: resolved, side: serverSide(resolved), files: newClientFiles(resolved.ClientFiles), namespaces: make(map[string]*Namespace)}
	s.engine, err = engineio.NewServer(func(session *engineio.Session) engineio.Receiver {
		return newConnection(s, session)
	}, &resolved.Engine)
	if err != nil {
		return nil, fmt.Errorf("socket.io: Options.Engine: %w", err)
	}
	s.mu.Lock()
	s.Namespace = s.hold("/", nil)
	s.declared = true
	s.mu.Unlock()
	if err := s.attached(); err != nil {
		return nil, fmt.Errorf("socket.io: Options.Adapter: %w", err)
	}
	return s, nil
}

// ServeHTTP serves the path of Options.Engine. A request for another path is
// answered 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, s.engine.Path()); ok && s.files.has(name) {
		if !s.engine.AnswerCORS(w, r) {
			s.files.serve(w, r, name)
		}
		return
	}
	s.engine.ServeHTTP(w, r)
}

// Register makes mux serve the server's path, with and without its slash at the end:
// a request without it would be redirected otherwise, which no client follows.
func (s *Server) Register(mux *http.ServeMux) {
	path := s.engine.Path()
	mux.Handle(path, s)
	if bare := strings.TrimSuffix(path, "/"); bare != "" {
		mux.Handle(bare, s)
	}
}

// Sessions counts the sessions that are open on this node, each of which is a
// client.
func (s *Server) Sessions() engineio.Count { return s.engine.Count() }

// Of returns the namespace with a name, which begins with a slash; Of adds one that
// is missing. If there is none it makes one, and waits for Options.Adapter. If that
// fails the failure is logged, the methods of the namespace that need other nodes
// return it, and the next call of Of, or the next client, tries again.
//
// A name that matches a pattern of OfPattern gets a child of the first such pattern,
// with its middleware and handlers. Of can't ask the functions of OfFunc, which need
// the auth of a client. So where a server has such functions, a namespace of Of that
// has neither middleware nor connect handlers of its own admits just those clients
// whom a function takes, and becomes its child then.
func (s *Server) Of(name string) *Namespace {
	s.mu.Lock()
	n := s.hold("/"+strings.TrimPrefix(name, "/"), nil)
	s.mu.Unlock()
	defer s.linger(n)
	if err := n.attached(); err != nil {
		s.adapterFailed(n, err)
	}
	return n
}

// errShutDown is the error of methods that need other nodes, once Shutdown has let go
// of these.
var errShutDown = errors.New("socket.io: server is shut down")

func (s *Server) adapterFailed(n *Namespace, err error) {
	if err == errShutDown {
		return
	}
	s.o.Logger.Error("socket.io: adapter failed", "namespace", n.name, "error", err)
}

// hold returns the namespace with a name, and counts one more user of it. If there
// is none it makes one, from the template, or else that of the first pattern that
// matches. Called with mu held.
func (s *Server) hold(name string, template *Namespace) *Namespace {
	n := s.namespaces[name]
	if n == nil {
		for _, p := range s.parents {
			if template == nil && p.pattern != nil && p.pattern.MatchString(name) {
				template = p.template
			}
		}
		n = newNamespace(s, name, template)
		n.fixed.Store(template == nil)
		s.namespaces[name] = n
	}
	n.users++
	return n
}

// Namespaces returns the names of the namespaces that there are, sorted.
func (s *Server) Namespaces() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.namespaces))
}

// OfPattern lets clients join every namespace whose name matches pattern. Such a
// namespace is made when its first client comes, or by Of, with the middleware and
// handlers of the Namespace that OfPattern returns, and is forgotten when its last
// client has left. It is not forgotten if it was given middleware or handlers of
// its own, which run after those of the pattern.
//
// A namespace that Of has made before, and that has middleware or connect handlers
// of its own, stays as it is.
func (s *Server) OfPattern(pattern *regexp.Regexp) *Namespace {
	need(pattern != nil, "OfPattern: nil pattern")
	return s.adopt(&parent{pattern: pattern})
}

// OfFunc is OfPattern with a function, which also gets the auth of the client: a
// JSON object, which it must not modify. It is asked for each client that wants to
// join one of its namespaces. Nothing is read from the client while match runs.
func (s *Server) OfFunc(match func(name string, auth json.RawMessage) bool) *Namespace {
	need(match != nil, "OfFunc: nil function")
	return s.adopt(&parent{match: match})
}

// adopt adds a parent and returns its template.
func (s *Server) adopt(p *parent) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.template = newNamespace(s, "", nil)
	s.parents = append(s.parents, p)
	return p.template
}

// lookup returns the namespace that a client with auth may join under a name, and
// counts one more user of it. It returns nil if the client may join none.
func (s *Server) lookup(name string, auth json.RawMessage) *Namespace {
	n := s.admit(name, auth)
	if n == nil {
		return nil
	}
	joins := false
	defer func() {
		if !joins { // also if Options.Adapter panics
			s.unuse(n)
		}
	}()
	if err := n.attached(); err != nil {
		s.adapterFailed(n, err)
		return nil
	}
	joins = true
	return n
}

// admit is lookup without the adapter. If no parent may claim the name, a namespace
// of Of admits everybody, and so does one with functions of its own that has no
// parent. Otherwise the namespace's parent decides, or, as long as it has none, the
// first parent that takes the client.
func (s *Server) admit(name string, auth json.RawMessage) *Namespace {
	for {
		s.mu.Lock()
		n, parents := s.namespaces[name], s.parents
		var template *Namespace
		if n != nil {
			template = n.template
			if template == nil && (n.declared || !claimed(parents, name)) {
				n.users++
				s.mu.Unlock()
				return n
			}
		}
		s.mu.Unlock()
		i := slices.IndexFunc(parents, func(p *parent) bool {
			return (template == nil || p.template == template) && p.takes(name, auth)
		})
		if i < 0 {
			return nil
		}
		if n := s.child(name, parents[i]); n != nil {
			return n
		}
	}
}

// claimed reports whether one of the parents may take clients to a namespace with
// this name: its pattern matches, or it has a function, which nobody can foretell.
func claimed(parents []*parent, name string) bool {
	return slices.ContainsFunc(parents, func(p *parent) bool { return p.pattern == nil || p.pattern.MatchString(name) })
}

// child returns a namespace as a child of p, which makes it if there is none, and
// counts one more user of it. It returns nil if the namespace has come to belong to
// somebody else meanwhile.
func (s *Server) child(name string, p *parent) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.namespaces[name]
	switch {
	case n == nil:
		n = s.hold(name, p.template)
		return n
	case n.template == p.template:
	case n.template == nil && !n.declared: // made by Of, before p or for a name that only p knows
		n.template = p.template
		n.fixed.Store(n.serverEvents.any())
	default:
		return nil
	}
	n.users++
	return n
}

// lingerTime is how long a namespace without clients stays connected with other
// nodes for the next call that needs it.
const lingerTime = time.Minute

// linger is unuse for a call that has needed n. If n is connected with other nodes
// it stays a while: to connect it again for each call would cost more.
func (s *Server) linger(n *Namespace) {
	s.mu.Lock()
	lingers := n.users == 1 && !n.fixed.Load() && s.o.Adapter != nil
	s.mu.Unlock()
	if lingers {
		time.AfterFunc(lingerTime, func() { s.unuse(n) })
	} else {
		s.unuse(n)
	}
}

// unuse counts one user of n less. A namespace without users is forgotten, unless
// it is fixed.
func (s *Server) unuse(n *Namespace) {
	s.mu.Lock()
	n.users--
	over := n.users == 0 && !n.fixed.Load() && s.namespaces[n.name] == n
	a, _ := n.remote()
	if over {
		delete(s.namespaces, n.name)
		if a != nil { // so Shutdown has not begun to wait for detaching
			s.detaching.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), detachTime)
				defer cancel()
				n.detach(ctx)
			})
		}
	}
	s.mu.Unlock()
	if over && a == nil {
		n.detach(context.Background()) // has nothing to wait for
	}
}

// detachTime is how long the adapter of a namespace that is forgotten has to send what is
// left.
const detachTime = 10 * time.Second

// Shutdown closes all connections, without DISCONNECT packets, so that clients come
// back when there is a server again. It waits until all clients have been told and
// all handlers have returned. If ctx ends first it returns the error of ctx. A
// Server can't be used again.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.engine.Shutdown(ctx)
	if e := s.work.wait(ctx); err == nil {
		err = e
	}
	s.mu.Lock()
	var attached []*Namespace // the others are not attached yet, and detach themselves
	for _, n := range s.namespaces {
		if n.isReady() {
			attached = append(attached, n)
		}
	}
	s.namespaces = make(map[string]*Namespace)
	s.over = true // no namespace is forgotten from now on
	s.mu.Unlock()
	for _, n := range attached {
		s.detaching.Go(func() { n.detach(ctx) })
	}
	if e := waitFor(ctx, &s.detaching); err == nil {
		err = e
	}
	// Events of other servers came until then.
	if e := s.work.wait(ctx); err == nil {
		err = e
	}
	return err
}

// waitFor waits for g. If ctx ends first it returns the error of ctx.
func waitFor(ctx context.Context, g *sync.WaitGroup) error {
	over := make(chan struct{})
	go func() { g.Wait(); close(over) }()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
