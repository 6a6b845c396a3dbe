package main

import (
	"testing"
	"time"
)

func newWatch() (*watch, *tally) {
	t := newTally()
	return &watch{all: t, now: func() time.Duration { return 0 }, kind: "test", room: new(room), gone: make(chan struct{})}, t
}

// What is lost, doubled and swapped on a healthy connection is counted as that.
func TestWatch(t *testing.T) {
	w, all := newWatch()
	for range 4 {
		w.send()
	}
	w.room.published.Store(7)
	w.echoed(0, 0)
	w.room.published.Store(10)
	for _, n := range []int{8, 7, 9, 9} { // a swap and a double
		w.published(n, 0)
	}
	w.echoed(2, 0)
	w.finish() // 1 and 3 are lost
	if got, want := all.healthy, (Faults{Lost: 2, Doubled: 1, Swapped: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := all.window.Len(); got != 6 {
		t.Errorf("%d messages were counted", got)
	}
}

// The first message to the room that was published after joining may not be missing.
func TestWatchJoined(t *testing.T) {
	w, all := newWatch()
	w.room.published.Store(7)
	w.enter()
	w.room.published.Store(9)
	if w.complete() {
		t.Error("complete without 7 and 8")
	}
	w.published(8, 0)
	w.finish()
	if all.healthy.Lost != 1 {
		t.Errorf("%+v", all.healthy)
	}
}

// What is missing on a connection that was killed does not count, nor does its end.
func TestWatchHurt(t *testing.T) {
	w, all := newWatch()
	w.enter()
	w.send()
	w.hurting()
	w.published(5, 0)
	w.end("it was killed")
	w.finish()
	if healthy, back, wrong := all.found(); healthy != (Faults{}) || back != (Faults{}) || wrong != 0 {
		t.Errorf("%+v, %+v, %d", healthy, back, wrong)
	}
}

// A healthy connection that ends is counted, once.
func TestWatchEnd(t *testing.T) {
	w, all := newWatch()
	w.end("for no reason")
	w.end("for another one")
	select {
	case <-w.gone:
	default:
		t.Error("the slot does not learn of it")
	}
	if _, _, wrong := all.found(); wrong != 1 {
		t.Errorf("counted %d times", wrong)
	}
}

// A client that comes back and has recovered misses no message of its room; what it has sent may
// be lost. One that has not recovered begins anew.
func TestWatchBack(t *testing.T) {
	for _, c := range []struct {
		recovered bool
		first     int // number after it has come back
		want      Faults
	}{
		{true, 1, Faults{}},
		{true, 2, Faults{Lost: 1}},
		{true, 0, Faults{Doubled: 1}},
		{false, 4, Faults{}},
		{false, 5, Faults{Lost: 1}},
	} {
		w, all := newWatch()
		w.enter()
		w.published(0, 0)
		w.send()
		if !w.leave() || w.leave() {
			t.Error("it can be cut once")
		}
		w.send()
		w.room.published.Store(4)
		w.returned(c.recovered)
		w.enter()
		w.published(c.first, 0)
		w.echoed(w.send(), 0)
		if all.back != c.want || all.healthy != (Faults{}) {
			t.Errorf("recovered %v, then %d: %+v, want %+v", c.recovered, c.first, all.back, c.want)
		}
	}
}
