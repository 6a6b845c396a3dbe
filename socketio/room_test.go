package socketio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A model is who is where, as plain sets.
type model map[*Socket]map[string]bool

func (m model) selected(t *Target) map[*Socket]bool {
	in := func(s *Socket, list []string) bool {
		return slices.ContainsFunc(list, func(room string) bool { return m[s][room] })
	}
	set := map[*Socket]bool{}
	for s := range m {
		if (len(t.Rooms) == 0 || in(s, t.Rooms)) && !in(s, t.Except) {
			set[s] = true
		}
	}
	return set
}

// openRooms is a RoomWatcher that knows which rooms are open from what it is told.
type openRooms struct {
	Adapter
	t    *testing.T
	open map[string]bool
}

func (o *openRooms) RoomsChanged(opened, closed []string) {
	for _, room := range opened {
		if o.open[room] {
			o.t.Errorf("room %s was opened twice", room)
		}
		o.open[room] = true
	}
	for _, room := range closed {
		if !o.open[room] {
			o.t.Errorf("room %s was closed, and was not open", room)
		}
		delete(o.open, room)
	}
}

// watchRooms returns the watcher of r.
func watchRooms(t *testing.T, r *rooms) *openRooms {
	w := &openRooms{t: t, open: map[string]bool{}}
	r.watch(w)
	return w
}

// want checks which rooms are open.
func (o *openRooms) want(what string, rooms ...string) {
	o.t.Helper()
	if got := slices.Sorted(maps.Keys(o.open)); !slices.Equal(got, rooms) {
		o.t.Errorf("%s: the watcher knows of rooms %q, want %q", what, got, rooms)
	}
}

// Rooms do what sets do, over 10^6 random steps, and the watcher knows them.
func TestRoomsModel(t *testing.T) {
	steps := 1_000_000
	if testing.Short() {
		steps = 10_000
	}
	random := rand.New(rand.NewPCG(1, 2))
	r := newRooms()
	w := watchRooms(t, &r)
	m := model{}
	var sockets []*Socket
	names := make([]string, 12)
	for i := range names {
		names[i] = fmt.Sprint("room", i)
	}
	some := func(n int) (list []string) {
		for range random.IntN(n) {
			list = append(list, names[random.IntN(len(names))])
		}
		if len(sockets) > 0 && random.IntN(4) == 0 {
			list = append(list, sockets[random.IntN(len(sockets))].id)
		}
		return list
	}
	for step := range steps {
		if step%3 == 0 { // otherwise changes gather
			r.tell()
		}
		switch random.IntN(6) {
		case 0:
			if len(sockets) < 20 {
				s := &Socket{id: fmt.Sprint(step)}
				m[s] = map[string]bool{s.id: true}
				for _, room := range some(3) { // before it is known
					if r.join(s, []string{room}, 100) == nil {
						m[s][room] = true
					}
				}
				for _, room := range some(3) {
					r.leave(s, []string{room})
					delete(m[s], room)
				}
				r.add(s, func() {})
				sockets = append(sockets, s)
			}
		case 1:
			if len(sockets) > 0 && random.IntN(3) == 0 {
				i := random.IntN(len(sockets))
				r.remove(sockets[i])
				delete(m, sockets[i])
				sockets = slices.Delete(sockets, i, i+1)
			}
		case 2, 3:
			if len(sockets) > 0 {
				s, list := sockets[random.IntN(len(sockets))], some(4)
				if err := r.join(s, list, 100); err != nil {
					t.Fatal(err)
				}
				for _, room := range list {
					m[s][room] = true
				}
			}
		case 4:
			if len(sockets) > 0 {
				s, list := sockets[random.IntN(len(sockets))], some(4)
				r.leave(s, list)
				for _, room := range list {
					if room != s.id {
						delete(m[s], room)
					}
				}
			}
		default:
			target := &Target{Rooms: some(4), Except: some(3)}
			checkSelected(t, step, r.selected(nil, target), m.selected(target), target)
			for _, room := range target.Rooms {
				if got, want := r.countIn(room), len(m.selected(&Target{Rooms: []string{room}})); got != want {
					t.Errorf("step %d: %d sockets in %s, want %d", step, got, room, want)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	inhabited := map[string]bool{}
	for _, rooms := range m {
		maps.Copy(inhabited, rooms)
	}
	all := slices.Sorted(maps.Keys(inhabited))
	if got := r.all(); !slices.Equal(got, all) {
		t.Errorf("all rooms are %q, want %q", got, all)
	}
	r.tell()
	w.want("in the end", all...)
	for _, s := range sockets {
		if got, want := r.of(s), slices.Sorted(maps.Keys(m[s])); !slices.Equal(got, want) {
			t.Errorf("rooms %q, want %q", got, want)
		}
		r.remove(s)
	}
	if len(r.sockets)+len(r.members)+len(r.all()) != 0 {
		t.Errorf("%d sockets and %d rooms are left", len(r.sockets), len(r.members))
	}
	r.tell()
	w.want("after the end")
}

// A room of a socket's id that another socket has joined is one room.
func TestRoomOfSocketJoined(t *testing.T) {
	r := newRooms()
	a, b := &Socket{id: "a"}, &Socket{id: "b"}
	r.add(a, func() {})
	r.add(b, func() {})
	if err := r.join(a, []string{"b"}, 100); err != nil {
		t.Fatal(err)
	}
	if got := r.all(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("rooms %q", got)
	}
}

// A socket that was removed joins no room any more, and its user learns that. To remove it once
// more changes nothing, neither for the watcher nor for another socket that has its id by then.
func TestRoomsRemoved(t *testing.T) {
	r := newRooms()
	w := watchRooms(t, &r)
	gone, back := &Socket{id: "a"}, &Socket{id: "a"}
	r.add(gone, func() {})
	r.remove(gone)
	r.tell()
	if err := r.join(gone, []string{"room"}, 100); !errors.Is(err, ErrDisconnected) || len(r.of(gone)) > 0 {
		t.Errorf("join: %v; it is in rooms %q", err, r.of(gone))
	}
	r.remove(gone)
	r.tell()
	w.want("it was removed twice")
	r.add(back, func() {})
	r.remove(gone)
	r.tell()
	if s, _ := r.socket("a"); s != back {
		t.Error("another socket with its id was removed")
	}
	w.want("another socket has its id", "a")
}

func checkSelected(t *testing.T, step int, got []*Socket, want map[*Socket]bool, target *Target) {
	seen := map[*Socket]bool{}
	for _, s := range got {
		if seen[s] || !want[s] {
			t.Errorf("step %d: %+v gives %s, twice or wrongly", step, target, s.id)
		}
		seen[s] = true
	}
	if len(seen) != len(want) {
		t.Errorf("step %d: %+v gives %d sockets, want %d", step, target, len(seen), len(want))
	}
}

// A room stays open until the last client that may come back to it has come, or is forgotten.
// It opens for such a client if its last member has gone meanwhile.
func TestRoomsKept(t *testing.T) {
	r := newRooms()
	w := watchRooms(t, &r)
	r.keep([]string{"a"})
	r.keep([]string{"a"})
	r.tell()
	w.want("two clients are lost", "a")
	for _, want := range [][]string{{"a"}, nil} {
		r.unkeep([]string{"a"})
		if got := r.has("a"); got != (want != nil) {
			t.Errorf("open: %v, want %v", got, want != nil)
		}
		r.tell()
		w.want("one of them is forgotten", want...)
	}
}

// Once nobody watches the rooms any more, nobody is told of them, not even of what was noted
// before; and nothing is noted that nobody would be told of.
func TestRoomsUnwatched(t *testing.T) {
	r := newRooms()
	r.keep([]string{"a"})
	if len(r.watcher.changed) > 0 {
		t.Errorf("noted for nobody: %v", r.watcher.changed)
	}
	w := watchRooms(t, &r)
	r.keep([]string{"b"})
	r.unwatch(t.Context())
	r.tell()
	w.want("nobody watches")
}

// slowRooms is a RoomWatcher whose calls take a second.
type slowRooms struct {
	Adapter
	calls, returned atomic.Int32
}

func (s *slowRooms) RoomsChanged(_, _ []string) {
	s.calls.Add(1)
	time.Sleep(time.Second)
	s.returned.Add(1)
}

// No call of a watcher lasts longer than the watching, or comes after it, as an adapter is closed
// then. The wait for it ends with the call, or with ctx.
func TestRoomsUnwatchedWhileTelling(t *testing.T) {
	for patience, returned := range map[time.Duration]int32{time.Minute: 1, time.Millisecond: 0} {
		synctest.Test(t, func(t *testing.T) {
			r, w := newRooms(), new(slowRooms)
			r.watch(w)
			r.keep([]string{"a"})
			go r.tell()
			synctest.Wait()
			r.keep([]string{"b"})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			start := time.Now()
			r.unwatch(ctx)
			if got := w.returned.Load(); got != returned {
				t.Errorf("%v: %d calls have returned, want %d", patience, got, returned)
			}
			if took, want := time.Since(start), min(patience, time.Second); took != want {
				t.Errorf("waited for %v, want %v", took, want)
			}
			time.Sleep(time.Minute)
			if got := w.calls.Load(); got != 1 {
				t.Errorf("%d calls, want 1", got)
			}
			r.unwatch(ctx) // has nothing to wait for
		})
	}
}
