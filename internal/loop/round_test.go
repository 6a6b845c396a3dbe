package loop

import "testing"

// A told is a Kernel that can only be asked.
type told struct {
	Kernel
	events []Event
	looks  int
}

func (k *told) Look(events []Event) int {
	k.looks++
	n := copy(events, k.events)
	k.events = k.events[n:]
	return n
}

// happen has the kernel tell of sockets.
func (k *told) happen(sockets []*Socket) {
	for _, s := range sockets {
		k.events = append(k.events, Event{s.fd, s.number, Readable})
	}
}

// drain is what happens to the state of a socket from which all is read in its turn.
func (s *Socket) drain() { s.state.Store(served) }

// moreSockets returns n more sockets of a Loop, which are served.
func (l *Loop) moreSockets(n int) []*Socket {
	first := len(l.sockets)
	for i := range n {
		s := &Socket{loop: l, fd: int32(first + i), number: int32(first + i + 1)}
		s.drain()
		l.sockets = append(l.sockets, s)
	}
	return l.sockets[first:]
}

// Sockets that always have more to read keep none waiting that becomes readable, at whatever
// moment: it waits for no more turns than there are such sockets, with the turn in which it
// becomes readable. However many come, those have one turn in each round.
func TestRounds(t *testing.T) {
	for _, floods := range []int{1, 2, 20} {
		for _, others := range []int{1, 2, batch, 3*batch + 1} {
			for moment := range floods {
				testRounds(t, floods, others, moment)
			}
		}
	}
}

// testRounds has others become readable in every third round, during the same turn in each.
func testRounds(t *testing.T, floods, others, moment int) {
	const rounds = 12
	k := &told{}
	l := &Loop{kernel: k, looked: make([]Event, batch)}
	flooded, calm := l.moreSockets(floods), l.moreSockets(others)
	turns := make(map[*Socket]int)
	for _, s := range flooded {
		s.state.Or(owned)
		l.queue.push(s)
	}
	waited := 0 // turns of floods since the others have become readable
	for turn := range rounds * floods {
		s := l.next()
		for ; int(s.fd) >= floods; s = l.next() {
			if turns[s]++; waited > floods {
				t.Fatalf("%d floods, %d others, moment %d: a socket has waited for %d turns", floods, others, moment, waited)
			}
			s.drain()
		}
		if turn%(3*floods) == moment {
			k.happen(calm)
			waited = 0
		}
		turns[s]++
		waited++
		l.queue.push(s)
	}
	for _, s := range flooded {
		if turns[s] != rounds {
			t.Errorf("%d floods, %d others, moment %d: one of the floods has had %d turns in %d rounds", floods, others, moment, turns[s], rounds)
		}
	}
	for _, s := range calm {
		if turns[s] != rounds/3 {
			t.Errorf("%d floods, %d others, moment %d: one of the others has had %d turns, want %d", floods, others, moment, turns[s], rounds/3)
		}
	}
}

// Where all is read in one turn the kernel is asked only by whoever waits for it.
func TestNoLookWithoutFlood(t *testing.T) {
	k := &told{}
	l := &Loop{kernel: k, looked: make([]Event, batch)}
	calm := l.moreSockets(batch)
	for range 10 {
		var events []Event
		for _, s := range calm {
			events = append(events, Event{s.fd, s.number, Readable})
		}
		l.told(events)
		turns := 0
		for s := l.next(); s != nil; s = l.next() {
			s.drain()
			turns++
		}
		if turns != batch || k.looks > 0 {
			t.Fatalf("%d turns of %d sockets, and the kernel was asked %d times", turns, batch, k.looks)
		}
	}
}
