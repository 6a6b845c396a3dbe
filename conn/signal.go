package conn

// A signal wakes all that wait for it at once, again and again: who waits after
// it was fired waits for the next time. Its owner guards it. The zero value is
// ready.
type signal struct{ c chan struct{} }

// wait returns a channel that is closed when the signal is fired next.
func (s *signal) wait() <-chan struct{} {
	if s.c == nil {
		s.c = make(chan struct{})
	}
	return s.c
}

// fire wakes all that wait.
func (s *signal) fire() {
	if s.c != nil {
		close(s.c)
		s.c = nil
	}
}

// A milestone wakes all that wait for it, once and for good. Its owner guards it.
// The zero value is ready.
type milestone struct {
	c      chan struct{} // nil: nobody has asked
	closed bool          // c is
}

// wait returns a channel that is closed when the milestone is reached, always the
// same one. already tells that it was reached before anybody asked.
func (m *milestone) wait(already bool) <-chan struct{} {
	if m.c == nil {
		m.c = make(chan struct{})
		if already {
			m.reach()
		}
	}
	return m.c
}

// reach wakes all that wait.
func (m *milestone) reach() {
	if m.c != nil && !m.closed {
		close(m.c)
		m.closed = true
	}
}

// A turn lets one goroutine at a time do something for as long as it takes:
// read, or send a message in several steps. The mutex of its owner guards it. The zero
// value is free.
type turn struct {
	given chan struct{} // nil while it is free; closed when it is given up, unless it is unheard
}

// unheard is given while nobody waits for a turn that is held.
var unheard = make(chan struct{})

func (t *turn) held() bool { return t.given != nil }

// take takes a turn that is free, or is the caller's already.
func (t *turn) take() {
	if t.given == nil {
		t.given = unheard
	}
}

// vacancy returns a channel that is closed when the turn, which is held, is given up.
func (t *turn) vacancy() <-chan struct{} {
	if t.given == unheard {
		t.given = make(chan struct{})
	}
	return t.given
}

func (t *turn) giveUp() {
	if t.given != nil && t.given != unheard {
		close(t.given)
	}
	t.given = nil
}
