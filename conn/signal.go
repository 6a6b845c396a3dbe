package conn

// A signal wakes, at once and for good, all that wait for it. Its owner guards
// it. The zero value is ready.
type signal struct{ c chan struct{} }

// fired is a channel that is closed.
var fired = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// wait returns a channel that is closed when the signal is fired, or one that is
// closed already if it was.
func (s *signal) wait(already bool) <-chan struct{} {
	if already {
		return fired
	}
	if s.c == nil {
		s.c = make(chan struct{})
	}
	return s.c
}

// fire wakes all that wait. A later wait is for the next time.
func (s *signal) fire() {
	if s.c != nil {
		close(s.c)
		s.c = nil
	}
}

// A turn lets one goroutine at a time do something for as long as it takes:
// read, or send a message in several steps. The mutex of its owner guards it.
type turn struct {
	held bool
	free signal // fired when it is given up
}

// vacancy returns a channel that is closed when the turn is given up.
func (t *turn) vacancy() <-chan struct{} { return t.free.wait(false) }

func (t *turn) giveUp() {
	t.held = false
	t.free.fire()
}
