package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/parleyws/parley/engineio"
)

// A Server is an http.Handler that speaks Socket.IO. It has the methods of its root
// namespace, "/".
type Server struct {
	*Namespace
	engine *engineio.Server
	o      *Options // resolved
	files  *clientFiles
	work   crew

	mu         sync.Mutex
	namespaces map[string]*Namespace
	parents    []*parent
}

// A parent makes namespaces when clients ask for them.
type parent struct {
	match    func(name string, auth json.RawMessage) bool
	template *Namespace
}

// NewServer makes a server. nil options are the defaults; an error says which
// option is wrong, or is that of Options.Adapter for the root namespace.
func NewServer(o *Options) (*Server, error) {
	resolved, err := o.resolve()
	if err != nil {
		return nil, err
	}
	s := &Server{o: resolved, files: newClientFiles(resolved.ClientFiles), namespaces: make(map[string]*Namespace)}
	s.engine, err = engineio.NewServer(func(session *engineio.Session) engineio.Receiver {
		return newConnection(s, session)
	}, &resolved.Engine)
	if err != nil {
		return nil, fmt.Errorf("socket.io: Options.Engine: %w", err)
	}
	if s.Namespace, err = s.namespace("/"); err != nil {
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

// Of returns the namespace with a name, which begins with a slash. If there is none
// it makes one, and from then on clients may join it. It waits for
// Options.Adapter, and panics if that fails.
func (s *Server) Of(name string) *Namespace {
	n, err := s.namespace("/" + strings.TrimPrefix(name, "/"))
	if err != nil {
		panic(err)
	}
	return n
}

// namespace is Of with an error.
func (s *Server) namespace(name string) (*Namespace, error) {
	s.mu.Lock()
	n := s.namespaces[name]
	if n == nil {
		n = newNamespace(s, name, nil)
		s.namespaces[name] = n
	}
	n.users++ // until it is known whether it stays
	s.mu.Unlock()
	err := n.attached()
	s.mu.Lock()
	n.fixed = n.fixed || err == nil
	s.mu.Unlock()
	s.unuse(n)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// OfPattern lets clients join every namespace whose name matches pattern. Such a
// namespace is made when its first client comes, with the middleware and handlers
// of the Namespace that OfPattern returns, and is forgotten when its last client
// has left.
func (s *Server) OfPattern(pattern *regexp.Regexp) *Namespace {
	need(pattern != nil, "OfPattern: nil pattern")
	return s.OfFunc(func(name string, _ json.RawMessage) bool { return pattern.MatchString(name) })
}

// OfFunc is OfPattern with a function, which also gets the auth of the client: a
// JSON object, which it must not modify. Nothing is read from the client while
// match runs.
func (s *Server) OfFunc(match func(name string, auth json.RawMessage) bool) *Namespace {
	need(match != nil, "OfFunc: nil function")
	s.mu.Lock()
	defer s.mu.Unlock()
	template := newNamespace(s, "", nil)
	s.parents = append(s.parents, &parent{match, template})
	return template
}

// lookup returns the namespace with a name, and counts one more user of it. It
// returns nil if the client may not join it.
func (s *Server) lookup(name string, auth json.RawMessage) *Namespace {
	s.mu.Lock()
	parents := s.parents
	n := s.namespaces[name]
	if n != nil {
		n.users++
	}
	s.mu.Unlock()
	for _, p := range parents {
		if n == nil && p.match(name, auth) {
			n = s.child(name, p)
		}
	}
	if n == nil {
		return nil
	}
	if err := n.attached(); err != nil {
		s.o.Logger.Error("socket.io: adapter failed, client refused", "namespace", n.name, "error", err)
		s.unuse(n)
		return nil
	}
	return n
}

// child returns a namespace, which p makes if there is none, and counts one more
// user of it.
func (s *Server) child(name string, p *parent) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.namespaces[name]
	if n == nil {
		n = newNamespace(s, name, p.template)
		s.namespaces[name] = n
	}
	n.users++
	return n
}

// unuse counts one user of n less. A namespace without users is forgotten, unless
// it is fixed. If its adapter had failed, the next client that asks for it tries
// again.
func (s *Server) unuse(n *Namespace) {
	s.mu.Lock()
	n.users--
	over := n.users == 0 && !n.fixed && s.namespaces[n.name] == n
	if over {
		delete(s.namespaces, n.name)
	}
	s.mu.Unlock()
	if over {
		n.detach()
	}
}

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
		if n.ready {
			attached = append(attached, n)
		}
	}
	s.namespaces = make(map[string]*Namespace)
	s.mu.Unlock()
	for _, n := range attached {
		n.detach()
	}
	return err
}
