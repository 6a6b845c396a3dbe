package engineio

import (
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/parleyws/parley/handshake"
)

// Options configure a Server. nil and the zero value are right for most:
// requests from the server's own origin at /engine.io/. A Server keeps its
// Options and only reads them.
type Options struct {
	// Path is where the server answers, with and without a slash at its end.
	// Default /engine.io/.
	Path string
	// CORS lets pages of other origins in, over both transports; nil lets in
	// none.
	CORS *CORS
	// Cookie is sent with the answer to a polling handshake, for load
	// balancers that keep a client on one node; nil sends none. Its value is
	// the session id. An empty Name, Path and SameSite are io, / and Lax, and
	// HttpOnly is always set.
	Cookie *http.Cookie
	// Hooks decide on requests.
	Hooks Hooks
	// Limits bound what a client can cost.
	Limits Limits
	// Deflate offers permessage-deflate on WebSocket; nil declines it.
	Deflate *handshake.DeflateOptions
	// Logger is told of refused origins and of sessions that are closed for
	// going over a limit. Nil is slog's default logger.
	Logger *slog.Logger
}

// Hooks decide on requests. All may be nil. They are called from the goroutine
// of the request, and must neither read its body nor keep it.
type Hooks struct {
	// Allow is asked before a session opens. An error refuses it with 403 and
	// the error's text.
	Allow func(r *http.Request) error
	// Header may add fields to each response. A request without the query
	// parameter sid is the first of its session.
	Header func(h http.Header, r *http.Request)
	// NewID returns the id of a new session, which must be hard to guess and
	// not in use. The default is 20 octets from crypto/rand.
	NewID func(r *http.Request) (string, error)
}

// Limits bound what a client can cost. In every field zero is the default and
// a negative value turns the limit off.
type Limits struct {
	// MaxPayload is the length of a POST's body, and of a message on
	// WebSocket, in octets: 1,000,000. Clients are told, and cut their
	// requests accordingly. A longer body is answered 413, and the session
	// closes.
	MaxPayload int64
	// SendQueue is what may wait to be sent to a session, in octets: 16 MiB.
	// A message counts 64 at least, there is no other limit on their number. A
	// session over it closes.
	SendQueue int
	// PingInterval is the time between two pings: 25 s. Negative is an hour,
	// since a client needs to know when to give up.
	PingInterval time.Duration
	// PingTimeout is how long the client has for its pong: 20 s. It can't be
	// turned off: negative is an hour.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a WebSocket may be probed: 10 s.
	UpgradeTimeout time.Duration
}

// DefaultMaxPayload is what Limits.MaxPayload is by default, in octets.
const DefaultMaxPayload = 1_000_000

// The defaults that have names.
const (
	defaultPath = "/engine.io/"

	defaultSendQueue      = 16 << 20
	defaultPingInterval   = 25 * time.Second
	defaultPingTimeout    = 20 * time.Second
	defaultUpgradeTimeout = 10 * time.Second
)

// Times that can't be changed.
const (
	releaseAfter = 100 * time.Millisecond // a GET that waits while a probe is on
	lingerTime   = 30 * time.Second       // a session that has ended waits for one more GET
)

// withDefaults returns l with every zero replaced by its default and every
// negative value by what stands for no limit.
func (l Limits) withDefaults() Limits {
	l.MaxPayload = choose(l.MaxPayload, DefaultMaxPayload, 1<<53-1)
	l.SendQueue = choose(l.SendQueue, defaultSendQueue, math.MaxInt/2)
	l.PingInterval = choose(l.PingInterval, defaultPingInterval, time.Hour)
	l.PingTimeout = choose(l.PingTimeout, defaultPingTimeout, time.Hour)
	l.UpgradeTimeout = choose(l.UpgradeTimeout, defaultUpgradeTimeout, 365*24*time.Hour)
	return l
}

func choose[T int | int64 | time.Duration](v, byDefault, unlimited T) T {
	switch {
	case v > 0:
		return v
	case v < 0:
		return unlimited
	}
	return byDefault
}

// withDefaults returns what o says, with every default filled in.
func (o *Options) withDefaults() Options {
	if o == nil {
		o = new(Options)
	}
	c := *o
	if c.Path == "" {
		c.Path = defaultPath
	}
	if c.Path[len(c.Path)-1] != '/' {
		c.Path += "/"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Limits = c.Limits.withDefaults()
	return c
}

// bodyDeadline returns when the body of a request or response that begins now
// has to be through. Where deadlines don't work, those of the http.Server have
// to do.
func (o *Options) bodyDeadline() time.Time {
	return time.Now().Add(o.Limits.PingInterval + o.Limits.PingTimeout)
}

// cookie returns the cookie for a session, nil for none.
func (o *Options) cookie(id string) *http.Cookie {
	if o.Cookie == nil {
		return nil
	}
	c := *o.Cookie
	c.Value, c.HttpOnly = id, true
	if c.Name == "" {
		c.Name = "io"
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	return &c
}
