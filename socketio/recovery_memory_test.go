package socketio

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What a namespace remembers takes about as much memory as it counts, however
// small the events are: an endless stream of them is bounded by EventBytes.
func TestRecoveryMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's memory would be counted")
	}
	const most = 4 << 20
	for _, tt := range []struct {
		name  string
		rooms func(i int) []string
		args  []any
	}{
		{"tiny", func(int) []string { return nil }, nil},
		{"rooms", func(i int) []string {
			return []string{fmt.Sprint("room ", i), strings.Repeat("r", 200) + fmt.Sprint(i)}
		}, nil},
		{"attachments", func(int) []string { return nil }, []any{[]byte("x"), []byte("y"), []byte{}}},
		{"long attachment", func(int) []string { return nil }, []any{bytes.Repeat([]byte("x"), 1000)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, &Options{Recovery: &Recovery{EventBytes: most}})
			before := heapInUse()
			for i := range 3 * most / eventOverhead {
				if err := s.Namespace.To(tt.rooms(i)...).Emit("e", tt.args...); err != nil {
					t.Fatal(err)
				}
			}
			took := heapInUse() - before
			r := s.recovery
			if r.bytes > most || r.events.n > most/eventOverhead {
				t.Errorf("%d events count %d, want at most %d", r.events.n, r.bytes, most)
			}
			if took > most*5/4 {
				t.Errorf("%d bytes of memory for %d", took, most)
			}
			t.Logf("%d events, %d bytes of memory", r.events.n, took)
			r.mu.Lock()
			r.forget(r.events.at(r.events.n - 1).at.Add(r.o.MaxAge + 1))
			if r.bytes != 0 || r.events.n != 0 || r.events.buf != nil {
				t.Errorf("%d events, which count %d, are left of none", r.events.n, r.bytes)
			}
			r.mu.Unlock()
			r.stop()
		})
	}
}

// Events that count EventBytes are kept, and one more takes the place of the oldest.
func TestRecoveryEventBytes(t *testing.T) {
	s := newServer(t, &Options{Recovery: &Recovery{EventBytes: 1 << 20}})
	r := s.recovery
	defer r.stop()
	emit := func(want int) {
		t.Helper()
		if err := s.Emit("e"); err != nil {
			t.Fatal(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.events.n != want {
			t.Errorf("%d events are kept, want %d", r.events.n, want)
		}
	}
	emit(1)
	r.mu.Lock()
	r.o.EventBytes = 3 * r.bytes
	r.mu.Unlock()
	for _, want := range []int{2, 3, 3} {
		emit(want)
	}
}

// A namespace that remembers nothing has no timer.
func TestRecoveryTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &Options{Recovery: &Recovery{MaxAge: time.Minute}})
		for _, tt := range []struct {
			emit  bool
			after time.Duration
			want  bool
		}{{false, 0, false}, {true, 0, true}, {false, time.Minute, true}, {false, 2 * time.Minute, false}} {
			if tt.emit {
				s.Emit("e")
			}
			time.Sleep(tt.after)
			synctest.Wait()
			s.recovery.mu.Lock()
			if runs := s.recovery.timer != nil; runs != tt.want {
				t.Errorf("%+v: a timer runs: %t", tt, runs)
			}
			s.recovery.mu.Unlock()
		}
	})
}

// A namespace that is forgotten leaves no timer, which would keep what it remembers in memory,
// perhaps for ever.
func TestRecoveryForgotten(t *testing.T) {
	s := newServer(t, &Options{Recovery: &Recovery{MaxAge: -1}})
	s.OfPattern(regexp.MustCompile("^/x$"))
	s.mu.Lock()
	n := s.hold("/x", nil)
	s.mu.Unlock()
	if err := n.Emit("e"); err != nil || n.recovery.events.n != 1 {
		t.Fatal(err, n.recovery.events.n)
	}
	s.unuse(n)
	if len(s.Namespaces()) != 1 {
		t.Fatalf("namespaces %q", s.Namespaces())
	}
	if n.recovery.timer.Stop() {
		t.Error("its timer still ran")
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // pools take two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
