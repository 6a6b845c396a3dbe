package socketio

import (
	"fmt"
	"slices"
	"testing"
)

// Handlers are found by the name of their event in the order in which they were
// added, however many there are, until those of the name are removed.
func TestHandlersNamed(t *testing.T) {
	for _, n := range []int{1, fewEvents / 3, fewEvents, 3 * fewEvents} {
		var h handlers
		var called []int
		for i := range 3 * n { // 3 for each name
			h.add(fmt.Sprint("event", i%n), plainHandler(func(*Event) error {
				called = append(called, i)
				return nil
			}))
		}
		for i := range n {
			called = nil
			for _, f := range h.named(nil, fmt.Append(nil, "event", i)) {
				f.handle(nil)
			}
			if want := []int{i, i + n, i + 2*n}; !slices.Equal(called, want) {
				t.Errorf("event %d of %d: handlers %v, want %v", i, n, called, want)
			}
		}
		if got := h.named(nil, []byte("event")); len(got) > 0 {
			t.Errorf("%d handlers for a name that nobody asked for", len(got))
		}
		h.remove("event0")
		if got := h.named(nil, nil); len(got) > 0 {
			t.Errorf("%d handlers for the empty name once others were removed", len(got))
		}
		for i := range n {
			want := 3
			if i == 0 {
				want = 0
			}
			if got := len(h.named(nil, fmt.Append(nil, "event", i))); got != want {
				t.Errorf("event %d of %d: %d handlers after the first was removed, want %d", i, n, got, want)
			}
		}
	}
}
