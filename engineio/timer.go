package engineio

import (
	"time"

	alarms "github.com/parleyws/parley/internal/alarm"
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
		b.release = 0
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
func (s *Session) arm() { s.alarm.set(s.beat.next(), &s.server.clock, (*sleepingSession)(s)) }

// A sleepingSession is a Session as the server's clock sees it.
type sleepingSession Session

// Ring implements alarm.Sleeper. What is due may call a Receiver, which may block.
func (s *sleepingSession) Ring() { go (*Session)(s).tick() }

// Place implements alarm.Sleeper.
func (s *sleepingSession) Place() *int32 { return &s.alarm.place }

// tick does what is due.
func (s *Session) tick() {
	s.mu.Lock()
	defer s.unlock()
	s.alarm.rang()
	s.expire(time.Now())
}

// An alarm wakes a session, or a client, at the next moment. The mutex of its owner guards
// it. The zero value is ready.
type alarm struct {
	at    moment // when it wakes; zero: never
	place int32  // in the clock, whom it belongs to
}

// set makes clock ring for the owner at the moment next, or never if that is zero. An alarm
// that rings too early is left as it is, since it costs less than setting it again.
func (a *alarm) set(next moment, clock *alarms.Clock, owner alarms.Sleeper) {
	switch {
	case next == 0:
		if a.at != 0 {
			clock.Stop(owner)
		}
		a.at = 0
	case a.at == 0 || next < a.at:
		a.at = next
		clock.Set(owner, time.Until(next.time()))
	}
}

// rang takes note that the clock has rung.
func (a *alarm) rang() { a.at = 0 }
