package engineio

import (
	"cmp"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

// Options configure a Server. nil and the zero value are right for most:
// requests from the server's own origin at /engine.io/. NewServer checks them
// and keeps a copy.
type Options struct {
	// Path is the path that the server answers, with and without a slash at its
	// end. It must begin with a slash. Default /engine.io/.
	Path string
	// Transports are those that clients may use: "polling", "websocket", or both,
	// which is the default.
	Transports []string
	// NoUpgrades keeps sessions that begin on long-polling there.
	NoUpgrades bool
	// AllowEIO3 lets in clients that speak version 3 of the Engine.IO protocol,
	// beside those of version 4: the clients of Socket.IO 2. They send the pings
	// and the server answers them; such a client has PingInterval and PingTimeout
	// together from one ping to the next. JSONP, which they use in browsers
	// without XMLHttpRequest, is refused. The JavaScript client asks browsers to
	// send cookies along, so pages of other origins need CORS.Credentials.
	//
	// In package socketio it lets in the clients of Socket.IO 2. The id of such a
	// socket holds the id of its session, because the client takes it for that. Who
	// knows it can send and receive in its place while it is on long-polling: don't
	// tell it to other clients.
	AllowEIO3 bool
	// CORS lets in pages of other origins, over both transports. nil lets in
	// none.
	CORS *CORS
	// Cookie is sent with the answer to a polling handshake, for load balancers
	// that keep a client on one node. Its value is the session id. An empty
	// Name, Path and SameSite are io, / and Lax, and HttpOnly is always set.
	// nil sends no cookie.
	Cookie *http.Cookie
	// Hooks decide on requests.
	Hooks Hooks
	// Limits bound what a client can cost.
	Limits Limits
	// Deflate offers permessage-deflate on WebSocket; nil declines it.
	Deflate *handshake.DeflateOptions
	// Loop serves the WebSockets of the sessions; see conn.Loop. nil is one of the server's
	// own, which begins with the connection after the first conn.DefaultAfter.
	Loop *conn.Loop
	// Logger records refused origins and the ends of sessions that their clients
	// have caused; see the package's section on ends. It is never called with a
	// lock held. nil is slog's default logger.
	Logger *slog.Logger
}

// Hooks decide on requests. Each may be nil. The goroutine of the request calls
// them, with no lock held; they must neither read its body nor keep it.
type Hooks struct {
	// Allow is called before a session opens. An error refuses the session with
	// 403 and the error's text.
	Allow func(r *http.Request) error
	// Header may add fields to each response but that to a preflight request, which
	// CORS answers. The first request of a session is the one without the query
	// parameter sid.
	Header func(h http.Header, r *http.Request)
	// NewID returns the id of a new session. An id must be hard to guess and
	// not in use. The default is 20 bytes from crypto/rand, in base64.
	NewID func(r *http.Request) (string, error)
	// Foreign is called with a request for a session that is not here, which another
	// node may have: it returns who serves the request, or nil, and then the request is
	// refused. It adds all fields of the response itself. nil refuses all. See Relay.
	Foreign func(r *http.Request, sid string) http.Handler
	// Subprotocol chooses one of the subprotocols that a WebSocket request offers,
	// "" for none. nil chooses the first: a browser that has offered some closes
	// the connection if none of them is chosen.
	Subprotocol func(r *http.Request, offered []string) string
	// Refused is called with each request that was refused, once it is answered. A GET
	// that its client has cut is none.
	Refused func(r *http.Request, e *Refusal)
}

// Limits bound what a client can cost. In every field zero is the default. A
// negative value turns the limit off; the two fields of the heartbeat can't be
// turned off, so NewServer refuses a negative value there.
type Limits struct {
	// MaxPayload is the size of the body of a POST, and of a message on
	// WebSocket, in bytes. Default 1,000,000; at least 6. Clients are told, and
	// split their requests accordingly. A longer body is answered 413; a
	// session that exceeds the limit closes.
	MaxPayload int64
	// QueueBytes is the size of all messages that wait to be sent to a session.
	// Default 16 MiB; at least 512. A message counts about as much memory as it
	// takes: its bytes and 160 more. A session that exceeds the limit closes.
	QueueBytes int
	// PingInterval is the time from a pong to the next ping. Default 25 s; at
	// least 1 ms. It can't be turned off, because clients are told it and give
	// the server up without pings.
	PingInterval time.Duration
	// PingTimeout is how long the client has for its pong. Default 20 s; at
	// least 1 ms. It can't be turned off. PingInterval and PingTimeout together
	// are 24 days at most: JavaScript has no longer timers.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a WebSocket may be probed before it is closed.
	// Default 10 s.
	UpgradeTimeout time.Duration
}

// DefaultMaxPayload is the default of Limits.MaxPayload, in bytes.
const DefaultMaxPayload = 1_000_000

// DefaultQueueBytes is the default of Limits.QueueBytes and DialLimits.QueueBytes.
const DefaultQueueBytes = 16 << 20

// The other defaults.
const (
	defaultPath = "/engine.io/"

	defaultPingInterval   = 25 * time.Second
	defaultPingTimeout    = 20 * time.Second
	defaultUpgradeTimeout = 10 * time.Second
)

// Times that can't be changed.
const (
	releaseAfter = 100 * time.Millisecond // how long a GET waits while a WebSocket is probed
	lingerTime   = 30 * time.Second       // how long a session that has ended waits for one more GET
)

// Values that mean no limit.
const (
	noPayload = 1<<53 - 1 // the greatest integer of JavaScript, which clients are told
	noBytes   = math.MaxInt / 2
	noTime    = time.Duration(1) << 62
)

// withDefaults returns l with every zero replaced by its default and every
// negative value by one that means no limit, except for those of the heartbeat.
func (l Limits) withDefaults() Limits {
	l.MaxPayload = choose(l.MaxPayload, DefaultMaxPayload, noPayload)
	l.QueueBytes = choose(l.QueueBytes, DefaultQueueBytes, noBytes)
	// check refuses the negative ones.
	l.PingInterval = cmp.Or(l.PingInterval, defaultPingInterval)
	l.PingTimeout = cmp.Or(l.PingTimeout, defaultPingTimeout)
	l.UpgradeTimeout = choose(l.UpgradeTimeout, defaultUpgradeTimeout, noTime)
	return l
}

// choose applies the rule of Limits to one of its fields.
func choose[T int | int64 | time.Duration](v, byDefault, unlimited T) T {
	switch {
	case v > 0:
		return min(v, unlimited)
	case v < 0:
		return unlimited
	}
	return byDefault
}

// resolve returns a copy of o with every default filled in, or what is wrong
// with o. A nil o is all defaults.
func (o *Options) resolve() (*Options, error) {
	if o == nil {
		o = new(Options)
	}
	c := *o
	if c.Path == "" {
		c.Path = defaultPath
	}
	if err := checkPath(c.Path); err != nil {
		return nil, err
	}
	if c.Path[len(c.Path)-1] != '/' {
		c.Path += "/"
	}
	if c.Transports == nil {
		c.Transports = []string{pollingName, websocketName}
	}
	if err := checkTransports("Options", c.Transports); err != nil {
		return nil, err
	}
	c.Transports = slices.Clone(c.Transports)
	if c.Loop == nil {
		c.Loop = &conn.Loop{After: conn.DefaultAfter}
	}
	c.Limits = c.Limits.withDefaults()
	if err := c.Limits.check(); err != nil {
		return nil, err
	}
	if err := checkDeflate("Options", c.Deflate); err != nil {
		return nil, err
	}
	if c.Cookie != nil {
		cookie, err := resolveCookie(*c.Cookie)
		if err != nil {
			return nil, err
		}
		c.Cookie = &cookie
	}
	if c.CORS != nil {
		cors, err := c.CORS.resolve()
		if err != nil {
			return nil, err
		}
		c.CORS = cors
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &c, nil
}

// bodyDeadline returns when the body of a request or response that begins now
// must have passed. Where deadlines don't work, those of the http.Server must
// suffice.
func (o *Options) bodyDeadline() time.Time {
	return time.Now().Add(o.Limits.PingInterval + o.Limits.PingTimeout)
}

// cookie returns the cookie for a session, nil for none.
func (o *Options) cookie(id string) *http.Cookie {
	if o.Cookie == nil {
		return nil
	}
	c := *o.Cookie
	c.Value = id
	return &c
}
