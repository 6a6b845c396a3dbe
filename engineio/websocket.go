package engineio

import (
	"context"
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
		Conn:      connOptions(l.MaxPayload, l.QueueBytes),
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
func connOptions(message int64, queueBytes int) conn.Options {
	return conn.Options{Limits: conn.Limits{
		Message:       message,
		QueueBytes:    queueBytes,
		QueueMessages: max(queueBytes/messageOverhead, 1),
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
	n := newSession(s, id, codec, r)
	n.state = upgraded
	n.ws.Store(c)
	open := packet.Packet{Type: packet.Open, Data: s.openData(id, false)}.Append(nil)
	c.Send(conn.NewPrepared(conn.Text, open)) // the reader learns of an error
	n.begin()
	s.run(c, func() { n.read(c) })
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
	s.beat.probe = time.Now().Add(s.server.o.Limits.UpgradeTimeout)
	s.arm()
	s.server.run(c, func() { s.read(c) })
}

// errRenew tells read to go on in a new goroutine.
var errRenew = errors.New("renew")

// read reads a WebSocket until it ends, also one that has been dropped and is
// about to be closed.
//
// A goroutine begins with 2 KiB of stack, and handling a message needs more. A
// stack that has grown stays as large while its goroutine waits. So where a
// client is likely to be silent for a while a new goroutine waits for it.
func (s *Session) read(c *conn.Conn) {
	err := each(c, s.received)
	if err == errRenew {
		s.server.run(c, func() { s.read(c) })
		return
	}
	s.lost(c, err)
}

// each gives the messages of a WebSocket to received, until that asks for a new
// goroutine, by errRenew, or the WebSocket ends.
func each(c *conn.Conn, received func(*conn.Conn, conn.Message) (renew bool)) error {
	return c.Each(context.Background(), func(m conn.Message) error {
		if received(c, m) {
			return errRenew
		}
		return nil
	})
}

// received handles a message of a WebSocket, which may be the transport or the
// one that is probed. renew asks for a new goroutine: after the first message,
// which in most protocols is a greeting; after an upgrade; and after the first
// beat that follows other messages.
func (s *Session) received(c *conn.Conn, m conn.Message) (renew bool) {
	if s.ws.Load() != c {
		s.mu.Lock()
		defer s.unlock()
		s.probed(c, m)
		return s.ws.Load() == c
	}
	s.delivery.Lock()
	defer s.delivery.Unlock()
	p, err := s.codec.Parse(m.Payload, m.Type == conn.Binary)
	if err != nil {
		s.parseError(err)
		return false
	}
	s.handle(p)
	return s.renewal.after(p.Type == s.codec.Beat)
}

// A renewal decides when a new goroutine goes on reading a WebSocket; see read. The
// zero value is that of a WebSocket from which nothing has come.
type renewal struct {
	greeted bool // a message has come
	grown   bool // a message has come since the reader was started
}

// after reports whether a new goroutine goes on after a packet, which is a beat of
// the peer or another one.
func (r *renewal) after(beat bool) (renew bool) {
	switch {
	case beat:
		renew, r.grown = r.grown, false
	case !r.greeted:
		renew, r.greeted = true, true
	default:
		r.grown = true
	}
	return renew
}

// probed handles a message on the WebSocket that is probed: "2probe" or "5". For
// anything else the WebSocket is dropped. Called with mu held.
func (s *Session) probed(c *conn.Conn, m conn.Message) {
	if s.probing != c {
		return
	}
	switch text := string(m.Payload); {
	case m.Type == conn.Text && text == "2probe":
		if s.state.on(probe) == answerProbe {
			c.Send(probeMessage.frame)
			s.beat.release = time.Now().Add(releaseAfter)
			s.arm()
		}
	case m.Type == conn.Text && text == "5":
		if s.state.on(switchTo) == moveOver {
			s.moveOver(c)
		}
	default:
		s.dropProbe()
	}
}

// moveOver makes the WebSocket the transport. What is queued leaves first, in
// order. Called with mu held.
func (s *Session) moveOver(c *conn.Conn) {
	s.ws.Store(c)
	s.probing = nil
	s.beat.probe, s.beat.release = time.Time{}, time.Time{}
	if s.waiting != nil {
		s.answer(answer{refusal: badRequest})
	}
	s.transmit(s.take())
}

// dropProbe closes the WebSocket that is probed. The session goes on polling.
// Called with mu held.
func (s *Session) dropProbe() {
	c := s.probing
	if s.state.on(abandon) != dropProbe {
		return
	}
	s.probing = nil
	s.beat.probe, s.beat.release = time.Time{}, time.Time{}
	s.server.run(c, func() { c.Close(frame.StatusNormalClosure, "") })
}

// lost is called at the end of a WebSocket, with the error that ended it.
func (s *Session) lost(c *conn.Conn, err error) {
	s.mu.Lock()
	defer s.unlock()
	switch c {
	case s.ws.Load():
		s.end(lossOf(err))
	case s.probing:
		s.dropProbe()
	}
}
