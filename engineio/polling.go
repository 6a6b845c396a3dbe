package engineio

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
)

// requests is what a session on long-polling has. mu guards it.
type requests struct {
	probing  *conn.Conn // the WebSocket that is probed, in the states probing and probed
	waiting  *poll      // the GET that waits
	queue    []*Message // to be sent
	queued   int        // size of the queue, in bytes
	farewell *Message   // the last packet for a GET that comes after the end

	probe   moment // drop the probing WebSocket
	release moment // answer the waiting GET with a noop
	forget  moment // forget the session, which has ended
	posting bool   // a POST is being read or handled
}

// tries reports whether the session probes a WebSocket. Called with mu held.
func (s *Session) tries(c *conn.Conn) bool { return s.requests != nil && s.probing == c }

// lingers reports whether the session has ended, but is there for one more GET. Called
// with mu held.
func (s *Session) lingers() bool { return s.requests != nil && s.farewell != nil }

// posted takes note of the end of a POST. Called with mu held.
func (s *Session) posted() {
	if s.requests != nil {
		s.posting = false
	}
}

// A poll is a GET that waits for its answer.
type poll struct {
	answer chan answer // has room for the one that comes
}

// An answer is what a GET gets: messages, or a refusal.
type answer struct {
	messages []*Message
	refusal  *Refusal // nil: messages
	last     bool     // it tells the client of the end; Server.hold was called for it
}

// flush answers the GET that waits with what is queued. From then on the client
// may send the next GET. Called with mu held.
func (s *Session) flush() {
	if s.waiting != nil && len(s.queue) > 0 {
		s.answer(answer{messages: s.take()})
	}
}

// take empties the queue and returns what was in it.
func (s *Session) take() []*Message {
	queue := s.queue
	s.queue, s.queued = nil, 0
	return queue
}

// answer answers the GET that waits. Called with mu held.
func (s *Session) answer(a answer) {
	s.waiting.answer <- a
	s.waiting = nil
	s.release = 0
}

// get serves a GET with the session's id.
func (s *Session) get(w http.ResponseWriter, r *http.Request) {
	a, p := s.poll(time.Now())
	if p != nil {
		select {
		case a = <-p.answer:
		case <-r.Context().Done():
			s.abandonPoll(p).write(w, r)
			return
		}
	}
	if a.refusal != nil {
		s.server.refuse(w, r, a.refusal)
		return
	}
	if a.last {
		defer s.server.unhold()
		defer http.NewResponseController(w).Flush() // if w can't, the response leaves when the handler returns
	}
	body, form := payload(s.codec, a.messages)
	if s.server.writeBody(w, form.ContentType, body) != nil {
		s.mu.Lock()
		s.end(answerLost) // and what was taken from the queue is lost
		s.unlock()
	}
}

// poll returns the answer to a GET, or the place where it will be.
func (s *Session) poll(now time.Time) (a answer, p *poll) {
	s.mu.Lock()
	defer s.unlock()
	s.expire(now)
	switch {
	case s.state == closed:
		switch {
		case !s.lingers():
			return answer{refusal: unknownSession}, nil
		case len(s.queue) > 0: // without the close packet: clients drop what comes in one payload with it
			return answer{messages: s.take()}, nil
		}
		s.server.hold()
		return answer{messages: s.leave(), last: true}, nil
	case s.state == upgraded:
		return answer{refusal: badRequest}, nil
	case s.waiting != nil: // one GET at a time
		s.end(twoGETs)
		return answer{refusal: badRequest}, nil
	case len(s.queue) > 0:
		return answer{messages: s.take()}, nil
	}
	p = &poll{make(chan answer, 1)}
	s.waiting = p
	if s.state == probed {
		s.release = momentOf(now.Add(releaseAfter))
		s.arm()
	}
	return a, p
}

// abandonPoll ends the session because the client has cut its GET. If an upgrade
// has refused that GET already nothing is lost with it, and the session goes on.
// It returns the answer for a client that is still there, since some middleware may have
// ended the context. Without an answer net/http would send 200 with an empty body, which
// holds no packet.
func (s *Session) abandonPoll(p *poll) *Refusal {
	s.mu.Lock()
	defer s.unlock()
	select {
	case a := <-p.answer:
		if a.last {
			s.server.unhold()
		}
		if a.refusal != nil {
			return a.refusal
		}
	default:
		s.waiting = nil
	}
	s.end(getCut)
	return unknownSession
}

// writeBody answers 200 with a body that must not be cached. The client may take
// as long to read the body as it may take to send one.
func (s *Server) writeBody(w http.ResponseWriter, contentType string, body []byte) error {
	_ = http.NewResponseController(w).SetWriteDeadline(s.o.bodyDeadline())
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	_, err := w.Write(body)
	return err
}

// post serves a POST with the session's id.
func (s *Session) post(w http.ResponseWriter, r *http.Request) {
	form := s.form(r)
	if refused := s.beginPost(form); refused != nil {
		s.server.refuse(w, r, refused)
		return
	}
	body, why := s.readBody(w, r)
	if why != nil {
		s.refuseBody(w, r, why)
		return
	}
	refused := s.handleBody(form, body)
	s.mu.Lock()
	s.posted() // before the answer: the client may send the next POST then
	s.unlock()
	if refused != nil {
		s.server.refuse(w, r, refused)
		return
	}
	s.server.writeBody(w, "text/html", []byte("ok"))
}

// refuseBody answers a POST whose body can't be taken, and then ends the session.
// In the other order the answer to a waiting GET might tell the client of the end
// before it learns of the limit.
func (s *Session) refuseBody(w http.ResponseWriter, r *http.Request, why *cause) {
	refused := badRequest
	if why == longBody {
		refused = tooLarge
	}
	refused.write(w, r)
	_ = http.NewResponseController(w).Flush() // if w can't, the response leaves when the handler returns
	s.mu.Lock()
	s.posted()
	s.end(why)
	s.unlock()
	s.server.refused(r, refused)
}

// form returns the form of a POST's body, nil if the client may not send such a
// body.
func (s *Session) form(r *http.Request) *packet.Form {
	if r.Header.Get("Content-Type") == "application/octet-stream" {
		return s.codec.Binary
	}
	return s.codec.Text
}

// beginPost begins a POST whose body has a form, or returns why it may not begin.
func (s *Session) beginPost(form *packet.Form) *Refusal {
	s.mu.Lock()
	defer s.unlock()
	s.expire(time.Now())
	switch {
	case s.state == closed && !s.lingers():
		return unknownSession
	case s.state == upgraded:
		return badRequest
	case s.posting: // one POST at a time
		s.end(twoPOSTs)
		return badRequest
	case form == nil:
		s.end(binaryPOST)
		return badRequest
	}
	s.posting = true
	return nil
}

// readBody reads the body of a POST: at most Limits.MaxPayload bytes, and until the
// deadline that ServeHTTP has set. Without a body it returns why the session has to end.
func (s *Session) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *cause) {
	limits := &s.server.o.Limits
	if r.ContentLength > limits.MaxPayload {
		return nil, longBody
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, limits.MaxPayload), r.ContentLength)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, longBody
	}
	if err != nil {
		return nil, postCut
	}
	return body, nil
}

// readAll reads a body up to its end. Its length as the peer has declared it, -1 for
// unknown, is where the memory for it begins, up to 64 KiB: more only follows what has
// come.
func readAll(in io.Reader, length int64) ([]byte, error) {
	body := make([]byte, 0, min(max(length, 512), 64<<10)+1)
	for {
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, err
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

// handleBody handles the packets of a POST.
func (s *Session) handleBody(form *packet.Form, body []byte) *Refusal {
	s.delivery.Lock()
	defer s.delivery.Unlock()
	if s.gone() {
		return s.partWith(form, body)
	}
	if form.Text && !utf8.Valid(body) {
		s.lose(notUTF8)
		return badRequest
	}
	for p, err := range form.Packets(body) {
		if err != nil {
			s.parseError(err)
			return badRequest
		}
		if !s.handle(p) {
			if misdirected[p.Type] != nil && p.Type != s.codec.Beat {
				return badRequest
			}
			break
		}
	}
	return nil
}

// partWith handles a POST to a session that is over. A client that closes the
// session itself does not come for the farewell.
func (s *Session) partWith(form *packet.Form, body []byte) *Refusal {
	last := packet.Noop
	for p, err := range form.Packets(body) {
		if last = p.Type; err != nil {
			return unknownSession
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.lingers() || last != packet.Close {
		return unknownSession
	}
	s.leave()
	return nil
}

// parseError ends the session because of bytes that are no packet.
func (s *Session) parseError(err error) { s.lose(violation(ParseError, err)) }

// lose ends the session.
func (s *Session) lose(why *cause) {
	s.mu.Lock()
	defer s.unlock()
	s.end(why)
}
