package engineio

import (
	"time"
)

// expire does what is due. The next moments are counted from when something was
// due, and not from when the timer has run. Called with mu held.
func (s *Session) expire(now time.Time) {
	b := &s.beat
	if due(b.ping, now) {
		planned := b.ping
		s.control(pingMessage)
		if s.state != closed {
			b.sent(planned)
		}
	}
	if due(b.beat, now) {
		if s.delivering {
			b.busy(now)
		} else {
			s.end(silent[s.codec.Beat])
		}
	}
	if due(b.probe, now) {
		s.dropProbe()
	}
	if due(b.release, now) {
		b.release = time.Time{}
		if s.waiting != nil {
			s.answer(answer{messages: []*Message{noopMessage}})
		}
	}
	if due(b.forget, now) {
		s.leave()
	}
	s.arm()
}

// arm sets the timer to the next moment. A timer that fires too early is left as
// it is, since it costs less than setting it again. Called with mu held.
func (s *Session) arm() {
	next := s.beat.next()
	switch {
	case next.IsZero():
		if s.timer != nil {
			s.timer.Stop()
		}
		s.timerAt = time.Time{}
		return
	case !s.timerAt.IsZero() && !next.Before(s.timerAt):
		return
	}
	s.timerAt = next
	if s.timer == nil {
		s.timer = time.AfterFunc(time.Until(next), s.tick)
	} else {
		s.timer.Reset(time.Until(next))
	}
}

// tick is called by the timer.
func (s *Session) tick() {
	s.mu.Lock()
	defer s.unlock()
	s.timerAt = time.Time{}
	s.expire(time.Now())
}
