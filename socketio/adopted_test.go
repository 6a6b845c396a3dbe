package socketio

import (
	"regexp"
	"testing"
)

// A namespace that is given a handler of server events while the first client comes by a
// pattern, and leaves, is not forgotten, and neither is the handler.
func TestAdoptedWhileRegistering(t *testing.T) {
	s := newServer(t, nil)
	n := s.Of("/x")
	s.OfPattern(regexp.MustCompile("^/x$"))
	n.register(false, func(n *Namespace) {
		s.unuse(s.child("/x", s.parents[0]))
		n.serverEvents.handle("event", func(*ServerEvent) {})
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.namespaces["/x"] != n || !n.fixed.Load() || !n.serverEvents.any() {
		t.Errorf("forgotten: %t, fixed: %t", s.namespaces["/x"] != n, n.fixed.Load())
	}
}
