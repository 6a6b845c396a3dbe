package socketio

import (
	"errors"
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

// A function that is added to a namespace whose adapter has failed does not ask for it again,
// which may take long.
func TestRegisterAsksForNoAdapter(t *testing.T) {
	asked := 0
	s := newServer(t, nil)
	s.o.Adapter = func(*Local) (Adapter, error) { // that of the main namespace would fail NewServer
		asked++
		return nil, errors.New("not today")
	}
	n := s.Of("/x")
	before := asked
	n.OnConnect(func(*Socket) {})
	if before == 0 || asked != before {
		t.Errorf("asked %d times, and %d times afterwards", before, asked)
	}
}
