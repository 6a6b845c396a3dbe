package engineio

import (
	"time"

	alarms "github.com/parleyws/parley/internal/alarm"
)

// expire does what is due. Called with mu held.
func (s *Session) expire(now time.Time) {
	b := &s.beat
	if due(b.ping, now) {
		s.control(pingMessage)
		if s.state != closed {
			b.sent(now, s.rhythm())
		}
	}
	if due(b.beat, now) {
		if s.delivering {
			b.busy(now, s.rhythm())
		} else {
			s.end(silent[s.codec.Beat])
		}
	}
	if s.requests != nil {
		s.expireRequests(now)
	}
	s.arm()
}

// expireRequests does what is due in a session on long-polling. Called with mu held.
func (s *Session) expireRequests(now time.Time) {
	q := s.requests
	if due(q.probe, now) {
		s.dropProbe()
	}
	if due(q.release, now) {
		q.release = 0
		if q.waiting != nil {
			s.answer(answer{messages: []*Message{noopMessage}})
		}
	}
	if due(q.forget, now) {
		s.leave()
	}
}

// arm sets the alarm to the next moment. The session has one alarm, for the earliest. A
// request that comes after that moment, but before the alarm has rung, does what is due first.
// Called with mu held.
func (s *Session) arm() {
	next := earliest(s.beat.ping, s.beat.beat)
	if q := s.requests; q != nil {
		next = earliest(next, q.probe, q.release, q.forget)
	}
	s.alarm.set(next, &s.server.clock, (*sleepingSession)(s))
}

// A sleepingSession is a Session as the server's clock sees it.
type sleepingSession Session

// Ring implements alarm.Sleeper. What is due may call a Receiver, which may block.
func (s *sleepingSession) Ring() { go (*Session)(s).tick() }

// Place implements alarm.Sleeper.
func (s *sleepingSession) Place() *int32 { return &s.place }

// tick does what is due.
func (s *Session) tick() {
	s.mu.Lock()
	defer s.unlock()
	s.alarm.rang()
	s.expire(time.Now())
}

// An alarm is the moment at which a clock wakes a session, or a client; zero is never. The
// mutex of its owner guards it.
type alarm moment

// set makes clock ring for the owner at the moment next, or never if that is zero. An alarm
// that rings too early is left as it is, since it costs less than setting it again.
func (a *alarm) set(next moment, clock *alarms.Clock, owner alarms.Sleeper) {
	switch {
	case next == 0:
		if *a != 0 {
			clock.Stop(owner)
		}
		*a = 0
	case *a == 0 || next < moment(*a):
		*a = alarm(next)
		clock.Set(owner, time.Until(next.time()))
	}
}

// rang takes note that the clock has rung.
func (a *alarm) rang() { *a = 0 }
