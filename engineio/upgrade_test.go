package engineio

import "testing"

// Every state has an answer to every event, and the answers fit.
func TestTransitions(t *testing.T) {
	for s := range states {
		for e := range events {
			next := s
			do := next.on(e)
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
	}
}
