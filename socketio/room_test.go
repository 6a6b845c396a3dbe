package socketio

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
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

// Rooms do what sets do, over 10^6 random steps.
func TestRoomsModel(t *testing.T) {
	steps := 1_000_000
	if testing.Short() {
		steps = 10_000
	}
	random := rand.New(rand.NewPCG(1, 2))
	r := newRooms()
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
		}
		if t.Failed() {
			return
		}
	}
	for _, s := range sockets {
		if got, want := r.of(s), slices.Sorted(maps.Keys(m[s])); !slices.Equal(got, want) {
			t.Errorf("rooms %q, want %q", got, want)
		}
		r.remove(s)
	}
	if len(r.sockets)+len(r.members)+len(r.all()) != 0 {
		t.Errorf("%d sockets and %d rooms are left", len(r.sockets), len(r.members))
	}
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
func TestRoomsKept(t *testing.T) {
	r := newRooms()
	r.keep([]string{"a"})
	r.keep([]string{"a"})
	for _, open := range []bool{true, false} {
		r.unkeep([]string{"a"})
		if got := r.has("a"); got != open {
			t.Errorf("open: %v, want %v", got, open)
		}
	}
}
