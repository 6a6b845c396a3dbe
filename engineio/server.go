package engineio

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
	alarms "github.com/parleyws/parley/internal/alarm"
)

// The names of the transports in a query.
const (
	pollingName   = "polling"
	websocketName = "websocket"
)

// A Server is an http.Handler that keeps sessions. All methods may be called
// from any goroutine.
type Server struct {
	open func(*Session) Receiver
	o    *Options // resolved

	clock alarms.Clock // of the sessions

	mu       sync.Mutex
	sessions map[string]*Session     // by id; an ended session stays until its last GET; nil: about to open
	conns    map[*conn.Conn]struct{} // those that goroutines close
	holds    int                     // calls of hold without unhold
	shared   []*shared               // the last ones that were made
	closing  bool                    // Shutdown was called
	empty    chan struct{}           // closed when nothing is left; nil: nobody waits for that
}

// NewServer makes a server. open is called with each new session before the
// client learns of it, and returns the receiver of its messages, which must not
// be nil. open may already send to the session, and should not take long. nil
// options are the defaults; an error says which option is wrong.
func NewServer(open func(*Session) Receiver, o *Options) (*Server, error) {
	if open == nil {
		return nil, errors.New("engine.io: NewServer: open is nil: it must return the Receiver of each session")
	}
	resolved, err := o.resolve()
	if err != nil {
		return nil, err
	}
	return &Server{open: open, o: resolved, sessions: make(map[string]*Session), conns: make(map[*conn.Conn]struct{})}, nil
}

// Path returns the path that the server answers, with a slash at its end.
func (s *Server) Path() string { return s.o.Path }

// ServeHTTP serves requests of long-polling and takes over the connections of
// WebSocket requests. A request for another path than the server's is answered
// 404. A refusal does not wait for the request's body, and no body takes longer than
// PingInterval and PingTimeout.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 { // net/http waits also for a body that nobody reads, up to 256 KiB
		_ = http.NewResponseController(w).SetReadDeadline(s.o.bodyDeadline())
	}
	if p := r.URL.Path; p != s.o.Path && p != strings.TrimSuffix(s.o.Path, "/") {
		http.NotFound(w, r)
		return
	}
	q := r.URL.Query()
	if h := s.foreign(r, q.Get("sid")); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	if s.AnswerCORS(w, r) {
		return
	}
	if s.o.Hooks.Header != nil {
		s.o.Hooks.Header(w.Header(), r)
	}
	var refused *Refusal
	if q.Has("sid") { // an empty one is of no session
		refused = s.serveSession(w, r, q.Get("sid"), q.Get("transport"), q.Get("EIO"))
	} else {
		refused = s.serveHandshake(w, r, q)
	}
	if refused != nil {
		s.refuse(w, r, refused)
	}
}

// foreign returns who serves a request for a session of another node, nil if it is for this
// one. Preflights are answered here.
func (s *Server) foreign(r *http.Request, sid string) http.Handler {
	if s.o.Hooks.Foreign == nil || sid == "" || r.Method == http.MethodOptions || s.session(sid) != nil {
		return nil
	}
	return s.o.Hooks.Foreign(r, sid)
}

// Register makes mux serve the server's path, with and without its slash at the end:
// a request without it would be redirected otherwise, which no client follows.
func (s *Server) Register(mux *http.ServeMux) {
	mux.Handle(s.o.Path, s)
	if bare := strings.TrimSuffix(s.o.Path, "/"); bare != "" {
		mux.Handle(bare, s)
	}
}

// A Count tells how many sessions there are on each transport.
type Count struct{ Polling, WebSocket int }

// Count counts the sessions that are open.
func (s *Server) Count() (n Count) {
	s.mu.Lock()
	sessions := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	for _, x := range sessions {
		switch {
		case x == nil || x.ended():
		case x.ws.Load() != nil:
			n.WebSocket++
		default:
			n.Polling++
		}
	}
	return n
}

// isUpgrade reports whether r asks for a WebSocket. Accepting it shows whether
// the request is right.
func isUpgrade(r *http.Request) bool {
	return strings.Contains(strings.ToLower(r.Header.Get("Upgrade")), websocketName)
}

// serveSession serves a request that names a session.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, id, transport, version string) *Refusal {
	upgrade := isUpgrade(r)
	if !slices.Contains(s.o.Transports, transport) {
		return unknownTransport
	}
	n := s.session(id)
	switch {
	case n == nil:
		return unknownSession
	case cmp.Or(version, "3") != strconv.Itoa(n.codec.Version): // version 3 may go without saying
		return badVersion
	case upgrade != (transport == websocketName):
		return badRequest
	case upgrade && s.o.NoUpgrades:
		return badRequest
	case upgrade:
		return s.upgrade(w, r, n)
	case r.Method == http.MethodGet:
		n.get(w, r)
	case r.Method == http.MethodPost:
		n.post(w, r)
	default:
		return badRequest
	}
	return nil
}

// serveHandshake opens a session. q is the query of r.
func (s *Server) serveHandshake(w http.ResponseWriter, r *http.Request, q url.Values) *Refusal {
	upgrade, transport := isUpgrade(r), q.Get("transport")
	codec, unspoken := s.o.codec(q)
	switch {
	case !slices.Contains(s.o.Transports, transport):
		return unknownTransport
	case r.Method != http.MethodGet:
		return badMethod
	case upgrade != (transport == websocketName):
		return badRequest
	case unspoken != nil:
		return unspoken
	}
	if s.o.Hooks.Allow != nil {
		if err := s.o.Hooks.Allow(r); err != nil {
			return forbidden(err)
		}
	}
	id, err := s.newID(r)
	if err != nil {
		s.o.Logger.Error("engine.io: NewID failed", "error", err)
		return badRequest
	}
	if !s.reserve(id) {
		return unavailable
	}
	returned := false
	defer func() {
		if !returned { // a function of the user's has panicked
			s.unreserve(id)
		}
	}()
	if upgrade {
		s.openWebSocket(w, r, id, codec)
	} else {
		s.openPolling(w, r, id, codec)
	}
	returned = true
	return nil
}

// openPolling opens a session on long-polling.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request, id string, codec *packet.Codec) {
	n := newSession(s, id, codec, r, nil)
	n.begin()
	if c := s.o.cookie(id); c != nil {
		http.SetCookie(w, c)
	}
	body := codec.Text.Append(nil, packet.Packet{Type: packet.Open, Data: s.openData(id, true)})
	s.writeBody(w, codec.Text.ContentType, body)
}

// codec returns the Codec of a client that opens a session with the query q, or why
// it is refused.
func (o *Options) codec(q url.Values) (*packet.Codec, *Refusal) {
	version := q.Get("EIO")
	switch {
	case version == "4":
		return packet.V4, nil
	case !o.AllowEIO3, version != "3" && q.Has("EIO"): // version 3 may go without saying
		return nil, badVersion
	case q.Has("j"): // JSONP: the client expects a script
		return nil, unknownTransport
	case q.Get("b64") != "":
		return packet.V3Base64, nil
	}
	return packet.V3, nil
}

// openData returns the data of the open packet (Engine.IO protocol v4,
// "Handshake").
func (s *Server) openData(id string, upgrades bool) []byte {
	data := struct {
		ID           string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int64    `json:"maxPayload"`
	}{id, []string{}, s.o.Limits.PingInterval.Milliseconds(), s.o.Limits.PingTimeout.Milliseconds(), s.o.Limits.MaxPayload}
	if upgrades && !s.o.NoUpgrades && slices.Contains(s.o.Transports, websocketName) {
		data.Upgrades = []string{websocketName}
	}
	b, _ := json.Marshal(data)
	return b
}

// idSize is the length of a session id in bytes, before base64.
const idSize = 20

func (s *Server) newID(r *http.Request) (string, error) {
	if s.o.Hooks.NewID != nil {
		return s.o.Hooks.NewID(r)
	}
	var b [idSize]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// reserve takes an id for a session that is about to open. It fails if the id
// is in use, or if the server is shutting down.
func (s *Server) reserve(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, used := s.sessions[id]; used || s.closing {
		return false
	}
	s.sessions[id] = nil
	return true
}

// unreserve gives back an id whose session has not been made known.
func (s *Server) unreserve(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[id] == nil {
		delete(s.sessions, id)
		s.check()
	}
}

// publish makes a session known whose id is reserved, unless the session is over
// already. It returns false if the server is shutting down. Called with the
// session's mu held.
func (s *Server) publish(n *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := n.ID()
	if _, reserved := s.sessions[id]; reserved {
		s.sessions[id] = n
	}
	return !s.closing
}

// session returns the session with an id, nil if there is none.
func (s *Server) session(id string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

func (s *Server) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
	s.check()
}
