package socketio

import (
	"io/fs"
	"log/slog"
	"math"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// Limits on one packet that can't be changed.
const (
	// MaxAttachments is how many []byte values the arguments of one event or
	// acknowledgement may hold, received or sent.
	MaxAttachments = packet.MaxAttachments
	// MaxArguments is how many arguments a received event or acknowledgement
	// may have.
	MaxArguments = packet.MaxArguments
	// MaxDepth is how deep arrays and objects of received JSON may be nested.
	// The array of the arguments counts as one.
	MaxDepth = packet.MaxDepth
)

// Options configure a Server. nil and the zero value are right for most. A
// Server keeps its Options and only reads them.
type Options struct {
	// Engine configures the sessions underneath: CORS, cookies, hooks, the
	// heartbeat. Its Path is /socket.io/ by default, its Logger that of these
	// Options.
	Engine engineio.Options
	// Limits bound what a client can cost.
	Limits Limits
	// Recovery brings back the rooms, data and missed events of a client that
	// was away for a moment; nil does not.
	Recovery *Recovery
	// Adapter connects each namespace with those of other nodes; nil is for
	// one node. It may wait: only who asks for that namespace waits with it.
	Adapter func(*Local) (Adapter, error)
	// ClientFiles holds the JavaScript client, the folder dist of the npm
	// package socket.io, and is served below the path: socket.io.js and so
	// on. Nil serves nothing.
	ClientFiles fs.FS
	// Logger is told of handlers that fail or panic and of clients that break
	// a rule. Nil is slog's default logger.
	Logger *slog.Logger
}

// Limits bound what a client can cost. In every field zero is the default and
// a negative value turns the limit off. Those of Engine.IO stand in
// Options.Engine.Limits, those of a packet can't be changed: MaxAttachments,
// MaxArguments, MaxDepth.
type Limits struct {
	// ConnectTimeout is how long a client has to join a namespace: 45 s.
	ConnectTimeout time.Duration
	// AttachmentTimeout is how long the attachments of a packet may take to
	// arrive: 30 s.
	AttachmentTimeout time.Duration
	// Attachments is what the attachments of a packet may have together, in
	// octets: as much as Engine.Limits.MaxPayload, which holds for each.
	Attachments int64
	// AckTimeout is how long an acknowledgement is awaited where neither a
	// ctx nor Timeout says so: 20 s.
	AckTimeout time.Duration
	// PendingAcks is how many acknowledgements a socket may owe: 1,024.
	PendingAcks int
	// Rooms is how many rooms a socket may be in beside its own: 1,000.
	Rooms int
	// Namespaces is how many namespaces a client may join: 32.
	Namespaces int
	// Backlog is what may wait for the handlers of a client, in octets:
	// 4 MiB. A client over it is not read from until they have caught up, and
	// closed if none of them returns for 2 min.
	Backlog int
}

// withDefaults fills the defaults in. Payload is Engine.Limits.MaxPayload.
func (l Limits) withDefaults(payload int64) Limits {
	payload = choose(payload, engineio.DefaultMaxPayload, math.MaxInt64)
	l.ConnectTimeout = choose(l.ConnectTimeout, 45*time.Second, 365*24*time.Hour)
	l.AttachmentTimeout = choose(l.AttachmentTimeout, 30*time.Second, 365*24*time.Hour)
	l.Attachments = choose(l.Attachments, payload, math.MaxInt64)
	l.AckTimeout = choose(l.AckTimeout, 20*time.Second, 365*24*time.Hour)
	l.PendingAcks = choose(l.PendingAcks, 1024, math.MaxInt)
	l.Rooms = choose(l.Rooms, 1000, math.MaxInt)
	l.Namespaces = choose(l.Namespaces, 32, math.MaxInt)
	l.Backlog = choose(l.Backlog, 4<<20, math.MaxInt)
	return l
}

// choose applies the rule of Limits to one of its fields.
func choose[T int | int64 | time.Duration](v, byDefault, unlimited T) T {
	switch {
	case v > 0:
		return v
	case v < 0:
		return unlimited
	}
	return byDefault
}

func (o *Options) withDefaults() Options {
	if o == nil {
		o = new(Options)
	}
	c := *o
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Engine.Logger == nil {
		c.Engine.Logger = c.Logger
	}
	if c.Engine.Path == "" {
		c.Engine.Path = "/socket.io/"
	}
	c.Limits = c.Limits.withDefaults(c.Engine.Limits.MaxPayload)
	if c.Recovery != nil {
		r := c.Recovery.withDefaults()
		c.Recovery = &r
	}
	return c
}
