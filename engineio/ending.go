package engineio

import (
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// Close ends the session. What is queued is still sent: over the WebSocket,
// ahead of the Close frame, or with a close packet behind it to the GET that
// waits. If none does, the next GET within 30 s gets it. Close does not wait
// for that. The receiver is told ForcedClose, or ForcedServerClose in the last
// case.
func (s *Session) Close() { s.shut(ForcedClose, ForcedServerClose) }

// shut is Close for a given reason, and another one if no GET waits.
func (s *Session) shut(reason, later Reason) {
	s.mu.Lock()
	defer s.unlock()
	if s.state < upgraded && s.waiting == nil {
		s.endLater(later, closeMessage)
		return
	}
	s.end(reason)
}

// end ends the session: the transport is closed, a GET that waits is answered
// with a close packet. What is queued for a later GET is dropped. Called with
// mu held; unlock tells the receiver.
func (s *Session) end(reason Reason) {
	if s.finish(reason, time.Time{}) {
		s.queue, s.queued = nil, 0
		s.server.forget(s.id)
	}
}

// endLater ends the session, but one more GET gets what is queued and then
// last.
func (s *Session) endLater(reason Reason, last *Message) {
	if s.finish(reason, time.Now().Add(lingerTime)) {
		s.farewell = last
	}
}

// finish is what both ways to end have in common. It reports whether the
// session was not over already.
func (s *Session) finish(reason Reason, forget time.Time) bool {
	ws, probing := s.ws.Load(), s.probing
	if s.state.on(end) != closeSession {
		return false
	}
	s.reason, s.probing = reason, nil
	s.beat.stop(forget)
	s.arm()
	if s.waiting != nil {
		s.answer(answer{messages: []*Message{closeMessage}})
	}
	for _, c := range []*conn.Conn{ws, probing} {
		if c != nil {
			s.server.run(c, func() { c.Close(closeCode(reason), "") })
		}
	}
	return true
}

// closeCode returns the status code of the Close frame. Clients don't look.
func closeCode(reason Reason) frame.StatusCode {
	switch reason {
	case ParseError, TransportError:
		return frame.StatusPolicyViolation
	case ServerShuttingDown:
		return frame.StatusGoingAway
	}
	return frame.StatusNormalClosure
}

// unlock unlocks mu and tells the receiver if the session has ended meanwhile.
func (s *Session) unlock() {
	tell := s.state == closed && !s.told && s.receiver != nil
	if tell {
		s.told = true
	}
	s.mu.Unlock()
	if tell {
		s.receiver.Closed(s.reason)
	}
}

// gone reports whether the session has ended.
func (s *Session) gone() bool {
	s.mu.Lock()
	defer s.unlock()
	s.expire(time.Now())
	return s.state == closed
}

// leave ends the wait of a session that is over for one more GET, and returns
// what is left to send.
func (s *Session) leave() []*Message {
	messages := append(s.take(), s.farewell)
	s.farewell = nil
	s.beat.stop(time.Time{})
	s.arm()
	s.server.forget(s.id)
	return messages
}

// dismiss ends that wait for a client which has closed the session itself, and
// need not come again.
func (s *Session) dismiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.farewell == noopMessage {
		s.leave()
	}
}
