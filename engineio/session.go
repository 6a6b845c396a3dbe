package engineio

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
)

// A Receiver takes the messages of one session. Its methods are called with no
// lock held.
type Receiver interface {
	// Message is called with each message of the client, one at a time, in the
	// order in which the client sent them, whichever transport carried them.
	// data is valid until Message returns, and may be modified. Text is UTF-8.
	//
	// While Message runs nothing is read from the client: a Receiver that takes
	// its time makes the client wait. A pong that is late for this reason does
	// no harm. If Message panics, or ends its goroutine, the session closes.
	Message(data []byte, binary bool)
	// Closed is called once, when the session has ended. No call of Message
	// begins after Closed, but one may still be running. A panic of Closed is
	// logged, and that is all.
	Closed(Reason)
}

// A Session is the connection with one client, over one transport after the
// other. All methods may be called from any goroutine at any time.
type Session struct {
	*shared
	ws atomic.Pointer[conn.Conn] // the transport, if that is a WebSocket; set with mu held

	// delivery is the turn to deliver messages. A POST that is handled while the
	// session moves to WebSocket holds it, and the WebSocket's reader waits. It
	// guards the fields below, up to mu, and nothing that a Receiver may call.
	delivery sync.Mutex
	carried  bool    // the message that is delivered has come by ws
	renewal  renewal // of the goroutine that reads ws

	mu         sync.Mutex // guards the fields below, up to kept
	state      state
	told       bool     // the receiver and the log know of the end, or are about to
	delivering bool     // Receiver.Message runs
	place      int32    // in the server's clock, whom it belongs to
	receiver   Receiver // nil until the server's open has returned
	why        *cause   // of the end; nil before it
	*requests           // nil once a WebSocket carries everything, or nothing is left to send
	beat       heartbeat
	alarm      alarm

	kept   kept
	opened int64 // nanoseconds of Unix time
}

// ErrClosed is what Send returns once the session has ended.
var ErrClosed = errors.New("engine.io: session is closed")

// ErrQueueFull is what Send returns when the messages would have exceeded
// Limits.QueueBytes, which has closed the session.
var ErrQueueFull = errors.New("engine.io: Limits.QueueBytes exceeded, session closed")

// newSession makes the session that r opens on a WebSocket, or on long-polling if ws is nil.
func newSession(server *Server, id string, codec *packet.Codec, r *http.Request, ws *conn.Conn) *Session {
	now := time.Now()
	s := &Session{shared: server.share(codec, r), kept: keep(id, r), opened: now.UnixNano()}
	if ws == nil {
		s.requests = new(requests)
	} else {
		s.state = upgraded
		s.ws.Store(ws)
	}
	s.beat.start(now, s.rhythm())
	return s
}

// rhythm returns the rhythm of the heartbeat.
func (s *Session) rhythm() rhythm {
	return rhythmOf(&s.server.o.Limits, s.codec.Beat == packet.Ping)
}

// ID returns the session's id, which is a secret between client and server.
func (s *Session) ID() string { return s.kept.id() }

// Version returns the version of the Engine.IO protocol that the client speaks: 4,
// or 3; see Options.AllowEIO3.
func (s *Session) Version() int { return s.codec.Version }

// Handshake describes the request that opened the session. Each call returns a
// new value, which belongs to the caller.
func (s *Session) Handshake() *Handshake {
	h := s.kept.handshake()
	h.Secure, h.Time = s.secure, time.Unix(0, s.opened)
	return h
}

// Value returns the value that the ctx of the request which has opened the session
// has for key, such as one that middleware has put there; nil if there is none. What
// net/http itself puts into a ctx may be missing.
func (s *Session) Value(key any) any { return s.values.Value(key) }

// Transport returns the transport that carries the session's packets: "polling"
// or "websocket". It may change once, from the former to the latter.
func (s *Session) Transport() string {
	if s.ws.Load() != nil {
		return websocketName
	}
	return pollingName
}

// Send sends messages one after the other, with nothing but control packets
// between them. It never waits, and may be called with locks held: it calls
// neither the receiver nor a hook nor the logger. Messages that can't leave are
// queued; a session whose queue exceeds Limits.QueueBytes closes, and Send
// returns ErrQueueFull. After the end it returns ErrClosed. Messages are
// delivered at most once, in the order of the calls.
func (s *Session) Send(ms ...*Message) error {
	s.mu.Lock()
	err := s.send(ms)
	tell := s.untold()
	s.mu.Unlock()
	if tell {
		go s.tell()
	}
	return err
}

// send is Send. Called with mu held.
func (s *Session) send(ms []*Message) error {
	switch s.state {
	case closed:
		return ErrClosed
	case upgraded:
		return s.transmit(ms)
	}
	for _, m := range ms {
		s.queued += m.size()
	}
	if s.queued > s.server.o.Limits.QueueBytes {
		s.end(lagging)
		return ErrQueueFull
	}
	s.queue = append(s.queue, ms...)
	s.flush()
	return nil
}

// transmit sends messages over the WebSocket. It is called with mu held, which
// keeps them together; conn.Send does not wait.
func (s *Session) transmit(ms []*Message) error {
	err := transmit(s.ws.Load(), s.codec, ms)
	if err == ErrQueueFull {
		s.end(lagging)
	}
	return err
}

// transmit sends messages over a WebSocket. It returns ErrQueueFull if that has ended
// the WebSocket, and ErrClosed if something else has, as its reader finds out.
func transmit(c *conn.Conn, codec *packet.Codec, ms []*Message) error {
	for _, m := range ms {
		switch err := c.Send(m.frameFor(codec)); {
		case err == nil:
		case errors.Is(err, conn.ErrQueueFull):
			return ErrQueueFull
		default:
			return ErrClosed
		}
	}
	return nil
}

// Writable reports whether a message would leave at once: a GET waits for it, or
// everything that was sent over the WebSocket has left.
func (s *Session) Writable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case closed:
		return false
	case upgraded:
		return !s.ws.Load().Unsent()
	}
	return s.waiting != nil
}

// A Cork holds back what is sent until it is released; see Session.Cork.
type Cork = conn.Cork

// Cork holds back what is sent over the WebSocket until the Cork is released, so
// that several messages leave in one piece. A caller that blocks before Release
// delays nothing: see conn.Conn.Cork. On long-polling Cork does nothing.
func (s *Session) Cork() Cork {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != upgraded {
		return Cork{}
	}
	return s.ws.Load().Cork()
}

// Hold is Cork for a caller that blocks at nothing before Release, as conn.Conn.Hold is.
func (s *Session) Hold() Cork {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != upgraded {
		return Cork{}
	}
	return s.ws.Load().Hold()
}

// begin gets the session's receiver from the server's open and makes the session
// known. The client learns of the session later.
func (s *Session) begin() {
	defer func() {
		if s.receiver == nil { // open has panicked, or returned nil
			s.mu.Lock()
			defer s.mu.Unlock()
			s.end(panicked)
			s.server.unhold() // there is nobody to tell
		}
	}()
	r := s.server.open(s)
	if r == nil {
		s.server.o.Logger.Error("engine.io: session closed, its Receiver is nil")
		return
	}
	s.mu.Lock()
	defer s.unlock()
	s.receiver = r
	if !s.server.publish(s) {
		s.end(shutDown)
	}
	s.arm()
}

// handle handles a packet from the client, of either transport. ok is false if
// the packet has ended the session. The caller holds delivery.
func (s *Session) handle(p packet.Packet) (ok bool) {
	if p.Type == packet.Message {
		return s.deliver(p.Data, p.Binary)
	}
	s.mu.Lock()
	defer s.unlock()
	if s.state == closed {
		return false
	}
	switch p.Type {
	case s.codec.Beat:
		s.beat.heard(time.Now(), s.rhythm())
		if p.Type == packet.Ping {
			s.control(pongMessage)
		}
		s.arm()
	case packet.Ping, packet.Pong:
		s.end(misdirected[p.Type])
	case packet.Close:
		switch {
		case s.state == upgraded:
			s.end(clientClosed)
		case s.waiting != nil:
			s.answer(answer{messages: []*Message{noopMessage}})
			s.end(clientClosed)
		default: // the client's next GET may be on its way
			s.take()
			s.endLater(clientClosed, noopMessage)
		}
	}
	return s.state != closed
}

// deliver hands a message to the receiver. The caller holds delivery.
func (s *Session) deliver(data []byte, binary bool) (ok bool) {
	s.mu.Lock()
	if s.state == closed {
		s.mu.Unlock()
		return false
	}
	s.delivering = true
	s.mu.Unlock()
	handed := false
	defer func() {
		s.mu.Lock()
		defer s.unlock()
		s.delivering = false
		if !handed {
			s.end(panicked)
		}
		ok = s.state != closed
	}()
	handed = hand(s.receiver, s.server.o.Logger, data, binary)
	return // the deferred function sets ok
}

// hand gives a message to a receiver. If that panics, or ends its goroutine by
// runtime.Goexit, it is logged, and ok is false. It ends the session and nothing
// else, on either transport.
func hand(r Receiver, log *slog.Logger, data []byte, binary bool) (ok bool) {
	defer caught(log, &ok)
	r.Message(data, binary)
	return true
}

// caught logs how a call of a receiver has ended, if that has not returned. It is
// deferred.
func caught(log *slog.Logger, returned *bool) {
	v := recover()
	if *returned {
		return
	}
	if v == nil {
		v = "runtime.Goexit was called"
	}
	log.Error("engine.io: receiver panicked", "panic", v, "stack", string(debug.Stack()))
}

// control sends a packet that is not the application's. A client that pings and does
// not fetch the pongs makes the queue exceed its limit. Called with mu held.
func (s *Session) control(m *Message) {
	if s.state == upgraded {
		s.transmit([]*Message{m})
		return
	}
	if s.queued > s.server.o.Limits.QueueBytes {
		s.end(lagging)
		return
	}
	s.queue = append(s.queue, m)
	s.queued += m.size()
	s.flush()
}
