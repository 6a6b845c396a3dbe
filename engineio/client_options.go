package engineio

import (
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/parleyws/parley/handshake"
)

// DialOptions configure Dial. nil and the zero value are right for most: a session
// opens on long-polling and moves to WebSocket. Dial checks them and keeps a copy.
type DialOptions struct {
	// Transports are those that the client may use, in the order of choice: the
	// session opens over the first. A session that opens over polling moves to
	// WebSocket if that is among them too. nil is polling and websocket.
	Transports []string
	// TryAllTransports makes Dial try the next transport when one fails. Otherwise
	// only the first is tried.
	TryAllTransports bool
	// NoUpgrade keeps a session that opens over long-polling there.
	NoUpgrade bool
	// HTTPClient sends the requests and the handshake of the WebSocket, with its
	// proxy, TLS settings, dialer and cookie jar; nil is a client with the defaults.
	//
	// If it has no Jar the Client has one of its own, so that a load balancer's
	// cookies keep a session on one server. If it has no Transport the Client uses one
	// of its own, like http.DefaultTransport, that accepts at most 64 KiB of response
	// head, and leaves no connection behind. A Transport that is given keeps its own
	// bounds, and its idle connections until a server is silent: then they may be dead too,
	// and are closed.
	//
	// Redirects are followed only if CheckRedirect is set, and only while the method
	// stays. A request that another scheme, host or port is asked to answer goes there
	// without the fields of Header, without Authorization, Cookie and Referer.
	// CheckRedirect is called after those were removed; cookies are the Jar's.
	//
	// Timeout bounds the opening of a session, the upgrade and each POST, beside the
	// limits for these. It does not bound a GET, which waits for messages.
	HTTPClient *http.Client
	// Header holds further fields of each request, such as Authorization or Origin.
	// Fields that the handshake of a WebSocket sets itself are an error there.
	Header http.Header
	// Deflate offers permessage-deflate on WebSocket; nil offers none.
	Deflate *handshake.DeflateOptions
	// Limits bound what a server can cost.
	Limits DialLimits
	// Logger records a Receiver that panics, and at the level Debug why a session
	// stays on long-polling. It is never called with a lock held. nil is slog's
	// default logger.
	Logger *slog.Logger
}

// DialLimits bound what a server can cost. In every field zero is the default and a
// negative value turns the limit off.
type DialLimits struct {
	// OpenTimeout is how long a session may take to open, over each transport that is
	// tried. Default 20 s. The ctx of Dial bounds all of them.
	OpenTimeout time.Duration
	// UpgradeTimeout is how long the move to WebSocket may take. Default 10 s.
	UpgradeTimeout time.Duration
	// MaxPayload is the size of a response's body, and of a message on WebSocket, in
	// bytes. Default 32 MiB, because a response to a GET holds everything that the
	// server had queued; at least 512. A session that exceeds the limit ends. What the
	// server takes is the server's to say.
	MaxPayload int64
	// QueueBytes is the size of all messages that wait to be sent. Default 16 MiB; at
	// least 512. A message counts its bytes and 160 more. A session that exceeds the
	// limit ends.
	QueueBytes int
}

// DefaultResponseBytes is the default of DialLimits.MaxPayload.
const DefaultResponseBytes = 32 << 20

// Another default of DialLimits, and a time that can't be changed.
const (
	defaultOpenTimeout = 20 * time.Second

	closeTime = 5 * time.Second // how long what is queued has to leave after Close
)

// resolve returns a copy of o with every default filled in, or what is wrong with o.
func (o *DialOptions) resolve() (*DialOptions, error) {
	if o == nil {
		o = new(DialOptions)
	}
	c := *o
	if c.Transports == nil {
		c.Transports = []string{pollingName, websocketName}
	}
	if err := checkTransports("DialOptions", c.Transports); err != nil {
		return nil, err
	}
	if err := checkDeflate("DialOptions", c.Deflate); err != nil {
		return nil, err
	}
	c.Transports, c.Header = slices.Clone(c.Transports), c.Header.Clone()
	if c.HTTPClient == nil {
		c.HTTPClient = new(http.Client)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	l := &c.Limits
	l.OpenTimeout = choose(l.OpenTimeout, defaultOpenTimeout, noTime)
	l.UpgradeTimeout = choose(l.UpgradeTimeout, defaultUpgradeTimeout, noTime)
	l.MaxPayload = choose(l.MaxPayload, DefaultResponseBytes, noPayload)
	l.QueueBytes = choose(l.QueueBytes, DefaultQueueBytes, noBytes)
	if t := c.HTTPClient.Timeout; t > 0 {
		l.OpenTimeout, l.UpgradeTimeout = min(l.OpenTimeout, t), min(l.UpgradeTimeout, t)
	}
	const remedy = "no session could open, 512 bytes are the least; negative is no limit"
	if l.MaxPayload < minQueueBytes {
		return nil, wrongIn("DialOptions", "Limits.MaxPayload", l.MaxPayload, remedy)
	}
	if l.QueueBytes < minQueueBytes {
		return nil, wrongIn("DialOptions", "Limits.QueueBytes", l.QueueBytes, remedy)
	}
	return &c, nil
}
