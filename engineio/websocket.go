package engineio

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// accept takes over the connection of a request, as a WebSocket. If it returns
// nil the request was refused, and the response has been written.
func (s *Server) accept(w http.ResponseWriter, r *http.Request) *conn.Conn {
	l := s.o.Limits
	c, err := conn.Accept(w, r, &conn.AcceptOptions{
		Handshake: handshake.Options{CheckOrigin: s.o.CORS.allows, Subprotocols: s.subprotocols(r), Deflate: s.o.Deflate},
		Conn:      connOptions(l.MaxPayload, l.QueueBytes, s.o.Loop),
	})
	if err != nil {
		s.o.Logger.Warn("engine.io: WebSocket refused", "error", err,
			"origin", r.Header.Get("Origin"), "host", r.Host, "address", r.RemoteAddr)
		e := &Refusal{http.StatusInternalServerError, badRequest.Code, err.Error()}
		if h, ok := errors.AsType[*handshake.Error](err); ok {
			e.Status = h.Status
		}
		s.refused(r, e)
		return nil
	}
	return c
}

// connOptions returns the options of a WebSocket with limits of ours.
func connOptions(message int64, queueBytes int, loop *conn.Loop) conn.Options {
	return conn.Options{Loop: loop, Limits: conn.Limits{
		Message:       message,
		QueueBytes:    queueBytes,
		QueueMessages: queueBytes / messageOverhead,
		PingInterval:  -1, // Engine.IO has a heartbeat of its own
	}}
}

// subprotocols returns the subprotocol for the answer to r, if there is one. What is
// no list of tokens the handshake refuses.
func (s *Server) subprotocols(r *http.Request) []string {
	var offered []string
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); isToken(name) {
				offered = append(offered, name)
			}
		}
	}
	switch {
	case len(offered) == 0:
		return nil
	case s.o.Hooks.Subprotocol == nil:
		return offered[:1]
	}
	if chosen := s.o.Hooks.Subprotocol(r, offered); slices.Contains(offered, chosen) {
		return []string{chosen}
	}
	return nil
}

// openWebSocket opens a session on WebSocket.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request, id string, codec *packet.Codec) {
	c := s.accept(w, r)
	if c == nil {
		s.forget(id)
		return
	}
	n := newSession(s, id, codec, r, c)
	open := packet.Packet{Type: packet.Open, Data: s.openData(id, false)}.Append(nil)
	c.Send(conn.NewPrepared(conn.Text, open)) // the reader learns of an error
	n.begin()
	n.receive(c)
}

// upgrade takes over a WebSocket that came with the id of a session.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, n *Session) *Refusal {
	if n.gone() {
		return unknownSession
	}
	s.hold()
	defer s.unhold()
	if c := s.accept(w, r); c != nil {
		n.attach(c)
	}
	return nil
}

// attach takes a WebSocket that came with the session's id. It is probed, or
// closed at once.
func (s *Session) attach(c *conn.Conn) {
	s.mu.Lock()
	defer s.unlock()
	s.expire(time.Now())
	if s.state.on(attach) != keepProbe {
		s.server.run(c, func() { c.Close(frame.StatusPolicyViolation, "") })
		return
	}
	s.probing = c
	s.probe = momentOf(time.Now().Add(s.server.o.Limits.UpgradeTimeout))
	s.arm()
	s.receive(c)
}

// receive receives from a WebSocket until it ends, also from one that has been dropped and
// is about to be closed.
func (s *Session) receive(c *conn.Conn) {
	s.server.hold()
	c.Receive((*sessionReceiver)(s))
}

// A sessionReceiver is a Session as its WebSockets see it.
type sessionReceiver Session

// Message implements conn.Receiver.
func (r *sessionReceiver) Message(c *conn.Conn, m conn.Message) error {
	(*Session)(r).received(c, m)
	return nil
}

// Ended implements conn.Receiver.
func (r *sessionReceiver) Ended(c *conn.Conn, err error) {
	s := (*Session)(r)
	defer s.server.unhold()
	s.lost(c, err)
}

// received handles a message of a WebSocket, which may be the transport or the
// one that is probed.
func (s *Session) received(c *conn.Conn, m conn.Message) {
	if s.ws.Load() != c {
		s.mu.Lock()
		defer s.unlock()
		s.probed(c, m)
		if s.ws.Load() == c {
			c.Quiet()
		}
		return
	}
	s.delivery.Lock()
	defer s.delivery.Unlock()
	s.carried = true
	defer func() { s.carried = false }()
	p, err := s.codec.Parse(m.Payload, m.Type == conn.Binary)
	if err != nil {
		s.parseError(err)
		return
	}
	s.handle(p)
	s.renewal.after(c, p.Type == s.codec.Beat)
}

// Later has w done when the Receiver's Message has returned, as conn.Conn.Later does. It
// returns false, and does nothing, where a goroutine must do it: on long-polling, and on
// a WebSocket that has one of its own. Only Message, and what it calls, may call it.
func (s *Session) Later(w conn.Work) bool { return s.carried && s.ws.Load().Later(w) }

// Hurry has goroutines do at once what Later was given, because Message, the caller, is about
// to wait for it.
func (s *Session) Hurry() {
	if s.carried {
		s.ws.Load().Hurry()
	}
}

// A renewal says when the peer will probably be silent: after the first beat that follows
// other messages. The zero value is that of a WebSocket from which nothing has come.
type renewal struct {
	grown bool // a message has come since the last beat
}

// after takes note of a packet, which is a beat of the peer or another one.
func (r *renewal) after(c *conn.Conn, beat bool) {
	if beat && r.grown {
		c.Quiet()
	}
	r.grown = !beat
}

// probed handles a message on the WebSocket that is probed: "2probe" or "5". For
// anything else the WebSocket is dropped. Called with mu held.
func (s *Session) probed(c *conn.Conn, m conn.Message) {
	if !s.tries(c) {
		return
	}
	switch text := string(m.Payload); {
	case m.Type == conn.Text && text == "2probe":
		if s.state.on(probe) == answerProbe {
			c.Send(probeMessage.frame)
			s.release = momentOf(time.Now().Add(releaseAfter))
			s.arm()
		}
	case m.Type == conn.Text && text == "5":
		switch s.state.on(switchTo) {
		case moveOver:
			s.moveOver(c)
		case sendRest:
			s.sendRest(c)
		}
	default:
		s.dropProbe()
	}
}

// moveOver makes the WebSocket the transport. What is queued leaves first, in
// order. Called with mu held.
func (s *Session) moveOver(c *conn.Conn) {
	s.ws.Store(c)
	if s.waiting != nil {
		s.answer(answer{refusal: badRequest})
	}
	queue := s.take()
	s.requests = nil
	s.transmit(queue)
}

// sendRest sends what is queued in a session that is over, but lingers, on the WebSocket to
// which the client has moved meanwhile, and closes that. Called with mu held.
func (s *Session) sendRest(c *conn.Conn) {
	s.ws.Store(c)
	s.transmit(s.take())
	s.leave()
}

// dropProbe closes the WebSocket that is probed. The session goes on polling.
// Called with mu held.
func (s *Session) dropProbe() {
	if s.state.on(abandon) != dropProbe {
		return
	}
	c := s.probing
	s.probing, s.probe, s.release = nil, 0, 0
	s.server.run(c, func() { c.Close(frame.StatusNormalClosure, "") })
}

// lost is called at the end of a WebSocket, with the error that ended it.
func (s *Session) lost(c *conn.Conn, err error) {
	s.mu.Lock()
	defer s.unlock()
	switch {
	case c == s.ws.Load():
		s.end(lossOf(err))
	case s.tries(c):
		s.dropProbe()
	}
}
