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

// arm sets the alarm to the next moment. Called with mu held.
func (s *Session) arm() { s.alarm.set(s.beat.next(), s) }

// tick is called by the alarm.
func (s *Session) tick() {
	s.mu.Lock()
	defer s.unlock()
	s.alarm.rang()
	s.expire(time.Now())
}

// An alarm is the one timer of a session. The mutex of its owner guards it. The
// zero value is ready.
type alarm struct {
	timer *time.Timer // nil: it was never set
	at    time.Time   // when it fires; zero: it does not
}

// set makes the alarm call the owner's tick at the moment next, or never if that is
// zero. An alarm that fires too early is left as it is, since it costs less than
// setting it again.
func (a *alarm) set(next time.Time, owner interface{ tick() }) {
	switch {
	case next.IsZero():
		if a.timer != nil {
			a.timer.Stop()
		}
		a.at = time.Time{}
		return
	case !a.at.IsZero() && !next.Before(a.at):
		return
	}
	a.at = next
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(next), owner.tick)
	} else {
		a.timer.Reset(time.Until(next))
	}
}

// rang takes note that the alarm has fired. The owner's tick calls it.
func (a *alarm) rang() { a.at = time.Time{} }
