package engineio

import "testing"

// Every state has an answer to every event, and the answers fit: those of a session
// and those of a client.
func TestTransitions(t *testing.T) {
	for s := range states {
		for e := range events {
			next := s
			checkTransition(t, s, e, next.on(e), next)
			next = s
			do := next.follow(&clientTransitions, e)
			checkTransition(t, s, e, do, next)
			switch {
			case (do == pauseRequests) != (s == probing && e == probe):
				t.Errorf("state %d, event %d: action %d", s, e, do)
			case do == moveOver && s != probed:
				t.Errorf("a client in state %d moves over before requests pause", s)
			}
		}
	}
}

// checkTransition checks that a state, event, action and next state fit.
func checkTransition(t *testing.T, s state, e event, do action, next state) {
	t.Helper()
	switch {
	case s == closed && next != closed:
		t.Errorf("event %d leads out of closed", e)
	case e == end && next != closed:
		t.Errorf("state %d outlives the end", s)
	case s == upgraded && next < upgraded:
		t.Errorf("event %d leads back from upgraded", e)
	case (do == closeSession) != (e == end && s != closed):
		t.Errorf("state %d, event %d: action %d", s, e, do)
	case (do == moveOver) != (s != upgraded && next == upgraded):
		t.Errorf("state %d, event %d: action %d, next %d", s, e, do, next)
	case (do == keepProbe) != (s == polling && next == probing):
		t.Errorf("state %d, event %d: action %d, next %d", s, e, do, next)
	case e == attach && do != keepProbe && do != refuseProbe:
		t.Errorf("state %d leaves a WebSocket alone", s)
	case do == dropProbe && next != polling:
		t.Errorf("state %d, event %d: action %d, next %d", s, e, do, next)
	}
}
