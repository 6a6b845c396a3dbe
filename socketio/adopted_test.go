package socketio

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"testing/synctest"
	"time"
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

// A namespace of a pattern that was forgotten is connected with other nodes again once it gets a
// function, and not forgotten any more; unless Options.Adapter panics.
func TestRegisterAfterForgotten(t *testing.T) {
	for _, panics := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, nil)
			s.OfPattern(regexp.MustCompile("^/x$"))
			asked := 0
			s.o.Adapter = func(*Local) (Adapter, error) {
				if asked++; asked == 2 && panics {
					panic("no adapter")
				}
				return idle{}, nil
			}
			n := s.Of("/x")
			time.Sleep(2 * lingerTime)
			func() {
				defer func() {
					if v := recover(); (v != nil) != panics {
						t.Errorf("panic: %v", v)
					}
				}()
				n.OnServerEvent("event", func(*ServerEvent) {})
			}()
			time.Sleep(2 * lingerTime)
			s.mu.Lock()
			now := s.namespaces["/x"]
			s.mu.Unlock()
			if asked != 2 || (now == nil) != panics {
				t.Errorf("panics: %t: asked %d times, forgotten: %t", panics, asked, now == nil)
			}
		})
	}
}

// An idle Adapter does nothing.
type idle struct{ Adapter }

func (idle) Close(context.Context) error { return nil }
