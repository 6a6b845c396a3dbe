package engineio

import (
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
)

// A Receiver takes what comes out of one session. Its methods are called by
// the goroutines that serve the client.
type Receiver interface {
	// Message is called with each message, one at a time, in the order in
	// which the client sent them, whatever transport they came by. data is a
	// view, valid until Message returns, and may be modified. Text is UTF-8.
	//
	// While Message runs the client is not read from, which is how to make it
	// wait; its pong may be late then. If it panics the session closes.
	Message(data []byte, binary bool)
	// Closed is called once, when the session has ended. No call of Message
	// begins after it; one that runs may still be running.
	Closed(Reason)
}

// A Session is a client, as long as it is connected. All methods may be called
// from any goroutine at any time.
type Session struct {
	server *Server
	id     string
	ws     atomic.Pointer[conn.Conn] // the transport of upgraded; set with mu held

	mu         sync.Mutex
	state      state
	told       bool // the receiver knows of the end
	delivering bool
	posting    bool       // a POST is being read or handled
	why        *cause     // of the end; nil before it
	receiver   Receiver   // nil until Open has returned
	probing    *conn.Conn // the transport of probing and probed
	waiting    *poll      // the GET that waits
	queue      []*Message // to be sent by polling
	queued     int        // their size
	beat       heartbeat
	timer      *time.Timer
	timerAt    time.Time // when it fires; zero: it does not
	farewell   *Message  // the last packet for a GET that comes after the end

	delivery sync.Mutex // held while messages are delivered
	greeted  bool       // a message has come over the WebSocket; guarded by delivery, as is
	grown    bool       // one has come since its reading goroutine was started

	opened  time.Time
	secure  bool // TLS ended at this server
	request kept
}

// ErrClosed is what Send returns once the session has ended.
var ErrClosed = errors.New("engine.io: session is closed")

// ErrQueueFull is what Send returns when the messages would have gone over
// Limits.QueueBytes, which has closed the session.
var ErrQueueFull = errors.New("engine.io: Limits.QueueBytes exceeded, session closed")

func newSession(server *Server, id string, r *http.Request) *Session {
	now := time.Now()
	s := &Session{server: server, id: id, opened: now, secure: r.TLS != nil, request: keep(r)}
	s.beat = heartbeat{interval: server.o.Limits.PingInterval, timeout: server.o.Limits.PingTimeout}
	s.beat.start(now)
	return s
}

// ID returns the session's id, which is a secret between client and server.
func (s *Session) ID() string { return s.id }

// Handshake returns what is known of the request that opened the session. Each
// call makes it anew from what is kept of it.
func (s *Session) Handshake() *Handshake {
	h := s.request.handshake()
	h.Secure, h.Time = s.secure, s.opened
	return h
}

// Transport returns what carries the session's packets: "polling" or
// "websocket". It may change once, from the one to the other.
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
	tell := err != nil && s.untold()
	s.mu.Unlock()
	if tell {
		s.server.runPending(s.tell)
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

// transmit sends messages over the WebSocket. Called with mu held: that keeps
// them together, and conn.Send does not wait.
func (s *Session) transmit(ms []*Message) error {
	c := s.ws.Load()
	for _, m := range ms {
		switch err := c.Send(m.frame); {
		case err == nil:
		case errors.Is(err, conn.ErrQueueFull):
			s.end(lagging)
			return ErrQueueFull
		default:
			return ErrClosed // the reading goroutine finds out why
		}
	}
	return nil
}

// Writable reports whether a message would leave at once: a GET waits for it,
// or all that was sent over the WebSocket has left.
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

// Cork holds back what is sent over the WebSocket until Release, so that it
// leaves in one piece: for those who are about to send several messages. Who
// blocks in between is no hindrance: see conn.Conn.Cork.
func (s *Session) Cork() Cork {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != upgraded {
		return Cork{}
	}
	c := s.ws.Load()
	c.Cork()
	return Cork{c}
}

// A Cork is what Session.Cork has put in.
type Cork struct{ c *conn.Conn } // nil: nothing

// Release takes the cork out. It never waits.
func (k Cork) Release() {
	if k.c != nil {
		k.c.Uncork()
	}
}

// begin asks open for the session's receiver and takes the session into use.
// The client learns of it later.
func (s *Session) begin() {
	defer func() {
		if s.receiver == nil { // open has panicked, or returned nil
			s.mu.Lock()
			defer s.mu.Unlock()
			s.end(panicked)
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

// packet handles a packet of the client's, of either transport. ok is false
// when it has ended the session.
func (s *Session) packet(p packet.Packet) (ok bool) {
	if p.Type == packet.Message {
		return s.deliver(p.Data, p.Binary)
	}
	s.mu.Lock()
	defer s.unlock()
	switch p.Type {
	case packet.Pong:
		s.beat.answered(time.Now())
		s.arm()
	case packet.Ping:
		s.end(clientPing) // the heartbeat is the server's
	case packet.Close:
		switch {
		case s.waiting != nil:
			s.answer(answer{messages: []*Message{noopMessage}})
			s.end(clientClosed)
		case s.state == upgraded:
			s.end(clientClosed)
		default: // the client's next GET may be on its way
			s.queue = nil
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
	ok = s.hand(data, binary)
	s.mu.Lock()
	defer s.unlock()
	s.delivering = false
	if !ok {
		s.end(panicked)
	}
	return s.state != closed
}

// hand calls the receiver. A panic is logged: it ends the session and nothing
// else, on either transport.
func (s *Session) hand(data []byte, binary bool) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			s.server.o.Logger.Error("engine.io: receiver panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	s.receiver.Message(data, binary)
	return true
}

// control sends a packet that is not of the application.
func (s *Session) control(m *Message) {
	if s.state == upgraded {
		s.transmit([]*Message{m})
		return
	}
	s.queue = append(s.queue, m)
	s.queued += m.size()
	s.flush()
}
