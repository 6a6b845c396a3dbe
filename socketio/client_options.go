package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// DialOptions configure a Client. nil and the zero value are right for most. Dial
// checks them and keeps a copy.
type DialOptions struct {
	// Setup registers the handlers of the Client. Dial calls it before anything can
	// arrive: a handler that is registered after Dial has returned may miss events.
	Setup func(*Client)
	// NoWait makes Dial return at once. The handlers of OnConnect and OnConnectError
	// tell what has come of it.
	NoWait bool

	// Path is that of the requests: the server's Options.Engine.Path. The default is
	// /socket.io/. The path of the URL is another thing, the namespace.
	Path string
	// Auth is sent to the server when a namespace is joined, for its middleware. It is
	// something that encoding/json writes as an object; nil is an empty one. It goes to
	// each namespace of the connection. Dial writes it once: what changes is for AuthFunc.
	Auth any
	// AuthFunc is called before each attempt to join a namespace, and returns what Auth
	// would be: a token that is fresh. ctx ends with the attempt. After an error, of
	// which the handlers of OnConnectError are told, it is called again with the delays
	// of Reconnection, without a limit of attempts. It runs on a goroutine of its own.
	AuthFunc func(ctx context.Context, namespace string) (any, error)
	// Engine configures what carries the packets: the transports, the HTTP client with
	// its proxy, cookies and TLS settings, header fields, compression. Its Logger is
	// the Logger of these DialOptions by default.
	Engine engineio.DialOptions
	// Parser is the form of packets on the wire, which must be the server's; see
	// Options.Parser.
	Parser parser.Parser

	// Reconnection says when the Client dials again.
	Reconnection Reconnection
	// Retries is how often an event is sent again that the server has not acknowledged
	// within AckTimeout, or whose Client was disconnected before. With Retries each
	// event asks for an acknowledgement, and is sent when that of the event before has
	// come. The server may get an event more than once: give it an id of your own, by
	// which the server knows what it has handled. Volatile events are not sent again.
	// The default is 0: an event is sent at most once.
	Retries int
	// AckTimeout is how long an acknowledgement is awaited if neither a ctx nor Timeout
	// says otherwise. The default is 20 s.
	AckTimeout time.Duration
	// DropOldest makes a full buffer drop its oldest event, which Client.Dropped
	// counts, in favor of a new one. Otherwise Emit returns ErrBufferFull.
	DropOldest bool
	// Limits bound what a server can cost, and what waits for it.
	Limits ClientLimits

	// OnError is called with the error of an event; see Options.OnError. nil is
	// AnswerError.
	OnError func(e *Event, err error)
	// Logger records, at the level Info, connections that are lost and the first of
	// several attempts that fail; at the level Warn what the Client has given up; and
	// handlers that fail or panic. It is never called with a lock held. nil is slog's
	// default logger.
	Logger *slog.Logger
}

// A Reconnection says when a Client dials again, as the JavaScript client does: after a
// delay of min(Delay * 2^n * r, MaxDelay), where n counts the attempts since the last
// connection and r is random, from 1-Jitter to 1+Jitter.
type Reconnection struct {
	Off      bool          // the first attempt is the only one
	Attempts int           // how many follow each other; 0 is no limit
	Delay    time.Duration // before the first; default 1 s
	MaxDelay time.Duration // default 5 s, or Delay if that is more
	Jitter   float64       // default 0.5; at most 1; negative is none
}

// delay returns how long to wait before an attempt, of which n have failed since the
// last connection. random is from 0 to 1.
func (r *Reconnection) delay(n int, random float64) time.Duration {
	d := float64(r.Delay) * math.Pow(2, float64(n)) * (1 + r.Jitter*(2*random-1))
	if d >= float64(r.MaxDelay) {
		return r.MaxDelay
	}
	return time.Duration(d)
}

// ClientLimits bound what a server can cost, and what waits for it. In every field zero
// is the default and a negative value turns the limit off. The limits of Engine.IO are
// in DialOptions.Engine.Limits. MaxArguments and MaxDepth hold too.
type ClientLimits struct {
	// JoinTimeout is how long the server may take to answer the request for a
	// namespace. Default 45 s. The connection is closed then, and dialed again.
	JoinTimeout time.Duration
	// BufferEvents is how many events of a namespace wait while it is not connected.
	// Default 10,000.
	BufferEvents int
	// BufferBytes is the size of those of all namespaces together. Default 16 MiB; without
	// a limit, and at most, it is Engine.Limits.QueueBytes, because they move to the
	// session's queue at once. An event counts its bytes and 300 more, and 160 for each
	// attachment.
	BufferBytes int
	// Attachments is how many []byte values the arguments of one event or
	// acknowledgement may hold; see Limits.Attachments. Default 10.
	Attachments int
	// AttachmentBytes is the size of all attachments of a packet together. The default
	// is Engine.Limits.MaxPayload.
	AttachmentBytes int64
	// AttachmentTimeout is how long the attachments of a packet may take to arrive.
	// Default 30 s.
	AttachmentTimeout time.Duration
	// PendingAcks is how many acknowledgements a namespace may await. Default 1,024.
	PendingAcks int
	// HandlerQueueBytes is the size of all events that wait for handlers; see
	// Limits.HandlerQueueBytes. Default 4 MiB.
	HandlerQueueBytes int
}

func (l ClientLimits) withDefaults(engine *engineio.DialLimits) ClientLimits {
	l.JoinTimeout = choose(l.JoinTimeout, 45*time.Second, noTime)
	l.BufferEvents = choose(l.BufferEvents, 10_000, noCount)
	l.BufferBytes = min(choose(l.BufferBytes, 16<<20, noCount), choose(engine.QueueBytes, engineio.DefaultQueueBytes, noCount))
	l.Attachments = choose(l.Attachments, 10, maxAttachments)
	l.AttachmentBytes = choose(l.AttachmentBytes, choose(engine.MaxPayload, engineio.DefaultResponseBytes, noBytes), noBytes)
	l.AttachmentTimeout = choose(l.AttachmentTimeout, 30*time.Second, noTime)
	l.PendingAcks = choose(l.PendingAcks, 1024, noCount)
	l.HandlerQueueBytes = choose(l.HandlerQueueBytes, 4<<20, noCount)
	return l
}

// resolve returns a copy of o with every default filled in but those of o.Engine, or
// what is wrong with o.
func (o *DialOptions) resolve() (*DialOptions, error) {
	if o == nil {
		o = new(DialOptions)
	}
	c := *o
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Engine.Logger == nil {
		c.Engine.Logger = c.Logger
	}
	if c.Path == "" {
		c.Path = "/socket.io/"
	}
	if !strings.HasSuffix(c.Path, "/") {
		c.Path += "/" // as the JavaScript client does
	}
	if c.Parser == nil {
		c.Parser = packet.Text{}
	}
	c.AckTimeout = choose(c.AckTimeout, 20*time.Second, noTime)
	c.Limits = c.Limits.withDefaults(&c.Engine.Limits)
	r := &c.Reconnection
	r.Delay = choose(r.Delay, time.Second, r.Delay)
	r.MaxDelay = choose(r.MaxDelay, max(5*time.Second, r.Delay), r.MaxDelay)
	switch {
	case r.Jitter == 0:
		r.Jitter = 0.5
	case r.Jitter < 0:
		r.Jitter = 0
	}
	return &c, c.check()
}

// check returns what is wrong with options whose defaults are filled in.
func (o *DialOptions) check() error {
	r := &o.Reconnection
	switch {
	case !strings.HasPrefix(o.Path, "/"):
		return fmt.Errorf("DialOptions.Path is %q, want one that begins with a slash", o.Path)
	case o.Auth != nil && o.AuthFunc != nil:
		return errors.New("DialOptions.Auth is of no use with AuthFunc")
	case o.Retries < 0:
		return fmt.Errorf("DialOptions.Retries is %d, want 0 or more", o.Retries)
	case r.Attempts < 0:
		return fmt.Errorf("DialOptions.Reconnection.Attempts is %d, want 0 or more; Off is none", r.Attempts)
	case r.Delay < 0:
		return fmt.Errorf("DialOptions.Reconnection.Delay is %v, want 0 or more", r.Delay)
	case r.MaxDelay < r.Delay:
		return fmt.Errorf("DialOptions.Reconnection.MaxDelay is %v, want at least Delay, %v", r.MaxDelay, r.Delay)
	case !(r.Jitter <= 1):
		return fmt.Errorf("DialOptions.Reconnection.Jitter is %v, want at most 1", r.Jitter)
	}
	return nil
}

// errAuth is the error of an auth that no server would take.
var errAuth = errors.New("auth is not an object of JSON")

// authObject returns auth as JSON: an object, or nil for none.
func authObject(auth any) (json.RawMessage, error) {
	text, err := json.Marshal(auth)
	switch {
	case err != nil:
		return nil, err
	case string(text) == "null":
		return nil, nil
	case text[0] != '{':
		return nil, errAuth
	}
	return text, nil
}

// clientSide returns what the actors of a client with options o share.
func clientSide(o *DialOptions) side {
	l := &o.Limits
	w := newWire(o.Parser, l.Attachments)
	w.limits.Arguments++ // the offset, which a server with recovery adds
	return side{
		wire: w, logger: o.Logger, onError: o.OnError,
		pendingAcks: l.PendingAcks, ackTimeout: o.AckTimeout,
		intake: intakeLimits{l.AttachmentBytes, l.AttachmentTimeout, l.HandlerQueueBytes},
	}
}
