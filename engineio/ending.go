package engineio

import (
	"time"

	"github.com/parleyws/parley/conn"
)

// Close ends the session. What is queued is still sent: over the WebSocket,
// before the Close frame, or to the GET that waits, before a close packet. If no
// GET waits, the next one within 30 s gets it, or the WebSocket to which the client is
// just moving. Close does not wait for that. The receiver is told ForcedClose, or
// ForcedServerClose if no GET waited.
func (s *Session) Close() { s.shut(closedHere, closedBetween) }

// shut is Close for a cause, and for another one if no GET waits.
func (s *Session) shut(now, later *cause) {
	s.mu.Lock()
	defer s.unlock()
	if s.state < upgraded && s.waiting == nil {
		s.endLater(later, closeMessage)
		return
	}
	s.end(now)
}

// end ends the session: it closes the transport, answers a GET that waits with a
// close packet, and drops what is queued for a later GET. Called with mu held;
// unlock tells the receiver and the log.
func (s *Session) end(why *cause) {
	if s.finish(why) {
		s.endRequests()
		s.server.forget(s.ID())
	}
}

// endRequests lets go of what a session on long-polling has. Called with mu held.
func (s *Session) endRequests() {
	if s.requests != nil {
		s.hangUp(s.probing)
		s.requests = nil
	}
	s.arm()
}

// endLater ends a session on long-polling, but one more GET gets what is queued and
// then last. A client that was told to move to a WebSocket may send no GET any more: that
// WebSocket stays until then, and gets what is queued if the client comes there. Called
// with mu held.
func (s *Session) endLater(why *cause, last *Message) {
	if s.finish(why) {
		s.farewell, s.forget = last, momentOf(time.Now().Add(lingerTime))
		s.arm()
	}
}

// finish does what both ways to end have in common. It returns false if the
// session was over already.
func (s *Session) finish(why *cause) bool {
	if s.state.on(end) != closeSession {
		return false
	}
	s.why = why
	s.server.hold() // until the receiver has been told
	s.beat.stop()
	if q := s.requests; q != nil {
		if q.waiting != nil {
			s.server.hold()
			s.answer(answer{messages: []*Message{closeMessage}, last: true})
		}
		q.probe, q.release = 0, 0
	}
	s.hangUp(s.ws.Load())
	s.arm()
	return true
}

// hangUp closes a WebSocket of the session because of the end. c may be nil.
func (s *Session) hangUp(c *conn.Conn) {
	if c != nil {
		s.server.run(c, func() { c.Close(s.why.closeCode(), "") })
	}
}

// unlock unlocks mu. If the session has ended meanwhile it tells the log and the
// receiver: neither is ever called with a lock held.
func (s *Session) unlock() {
	tell := s.untold()
	s.mu.Unlock()
	if tell {
		s.tell()
	}
}

// untold reports whether the end is to be told. The caller has to do it, once it
// has unlocked mu: the next call returns false.
func (s *Session) untold() bool {
	if s.state != closed || s.told || s.receiver == nil {
		return false
	}
	s.told = true
	return true
}

// tell tells the log and the receiver of the end. Called without any lock.
func (s *Session) tell() {
	defer s.server.unhold()
	s.why.log(s)
	returned := false
	defer caught(s.server.o.Logger, &returned)
	s.receiver.Closed(s.why.reason)
	returned = true
}

// gone reports whether the session has ended.
func (s *Session) gone() bool {
	s.mu.Lock()
	defer s.unlock()
	s.expire(time.Now())
	return s.state == closed
}

// ended reports whether the session has ended.
func (s *Session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == closed
}

// leave ends the wait of a session that is over for one more GET, and returns
// what is left to send.
func (s *Session) leave() []*Message {
	var messages []*Message
	if s.requests != nil {
		messages = append(s.take(), s.farewell)
		s.endRequests()
	}
	s.server.forget(s.ID())
	return messages
}

// dismiss ends that wait for a client that has closed the session itself, and
// need not come again.
func (s *Session) dismiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lingers() && s.farewell == noopMessage {
		s.leave()
	}
}
