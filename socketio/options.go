package socketio

import (
	"io/fs"
	"log/slog"
	"math"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// Limits on one packet that can't be changed.
const (
	// MaxArguments is how many arguments a received event or acknowledgement
	// may have: 128. With an Adapter it holds for events that are emitted, too.
	MaxArguments = 128
	// MaxDepth is how deep arrays and objects of received JSON may be nested:
	// 64. The array of the arguments counts as one. With an Adapter it holds for
	// what is emitted, too.
	MaxDepth = 64
)

// Options configure a Server. nil and the zero value are right for most.
// NewServer checks them and keeps a copy.
type Options struct {
	// Engine configures the sessions that carry the packets: CORS, cookies,
	// hooks, the heartbeat. Its Path is /socket.io/ by default, its Logger the
	// Logger of these Options.
	Engine engineio.Options
	// Limits bound what a client can cost.
	Limits Limits
	// Parser is the form of packets on the wire, which all clients must use: the
	// JavaScript client has an option with this name too. nil is the text form of
	// the protocol, which every client uses by default. The module parser/msgpack
	// has another one.
	Parser parser.Parser
	// Recovery gives clients that were away for a moment their rooms and data
	// back, and the events that they missed. nil turns it off.
	Recovery *Recovery
	// Adapter connects each namespace with the same namespace on other nodes.
	// It is called once for each namespace. It may wait, and use the server, but
	// must not ask for the same namespace: those who do wait for it. nil is for
	// one node.
	Adapter func(*Local) (Adapter, error)
	// ClientFiles holds the scripts of the JavaScript client, which are served
	// below the path, as socket.io.js and so on: the folder client-dist of the
	// npm package socket.io, or dist of socket.io-client. nil serves none.
	ClientFiles fs.FS
	// OnError is called with the error of an event: one that its handler or a
	// function of Socket.Use has returned, or of an argument that does not fit
	// the handler. It runs on the socket's goroutine, and e is still valid. nil
	// is AnswerError.
	OnError func(e *Event, err error)
	// Logger records handlers that fail or panic, clients that break a rule and, at the level
	// Debug, namespaces that were refused because of a limit or because there are none.
	// It is never called with a lock held. nil is slog's default logger.
	Logger *slog.Logger
}

// Limits bound what a client can cost. In every field zero is the default and a
// negative value turns the limit off. The limits of Engine.IO are in
// Options.Engine.Limits. Two limits on a packet can't be changed: MaxArguments and
// MaxDepth.
type Limits struct {
	// ConnectTimeout is how long a client has to join a namespace. Default 45 s.
	ConnectTimeout time.Duration
	// AttachmentTimeout is how long the attachments of a packet may take to
	// arrive. Default 30 s.
	AttachmentTimeout time.Duration
	// Attachments is how many []byte values the arguments of one event or
	// acknowledgement may hold, received or sent. Default 10. Without a limit, and
	// at most, it is 65,536. The JavaScript client has a limit of its own for what
	// it receives, 10 too: maxAttachments of the Decoder of socket.io-parser, from
	// 4.2.6 on. A client that gets more needs a parser of its own in its options.
	Attachments int
	// AttachmentBytes is the size of all attachments of a packet together. The
	// default is Engine.Limits.MaxPayload, which bounds each of them too. It does not
	// count binary data that the Parser has put into the packet's own message.
	AttachmentBytes int64
	// AckTimeout is how long an acknowledgement is awaited if neither a ctx nor
	// Timeout says otherwise. Default 20 s.
	AckTimeout time.Duration
	// PendingAcks is how many acknowledgements a socket may owe. Default 1,024.
	PendingAcks int
	// Rooms is how many rooms a socket may be in, without the room of its id.
	// Default 1,000.
	Rooms int
	// Namespaces is how many namespaces a client may be in. Default 32. As many
	// sockets that have left theirs may still be busy with their handlers; while
	// there are more nothing is read from the client.
	Namespaces int
	// HandlerQueueBytes is the size of all events of a client that wait for its
	// handlers. Default 4 MiB. An event counts about as much memory as it takes:
	// its bytes and 320 more, and 16 for each argument. While more waits nothing
	// is read from the client; if no handler returns for 2 minutes then, the
	// client is closed.
	HandlerQueueBytes int
}

// Values that mean no limit: more than there can be, yet safe to add to.
const (
	noCount = math.MaxInt / 2
	noBytes = int64(1) << 62
	noTime  = time.Duration(1) << 62
)

// maxAttachments bounds Limits.Attachments: what the packets of one client may cost
// in memory beside their bytes, and the number of digits that a placeholder may have.
const maxAttachments = 1 << 16

// withDefaults returns l with every zero replaced by its default and every negative
// value by one that means no limit. payload is Engine.Limits.MaxPayload.
func (l Limits) withDefaults(payload int64) Limits {
	payload = choose(payload, engineio.DefaultMaxPayload, noBytes)
	l.ConnectTimeout = choose(l.ConnectTimeout, 45*time.Second, noTime)
	l.AttachmentTimeout = choose(l.AttachmentTimeout, 30*time.Second, noTime)
	l.Attachments = choose(l.Attachments, 10, maxAttachments)
	l.AttachmentBytes = choose(l.AttachmentBytes, payload, noBytes)
	l.AckTimeout = choose(l.AckTimeout, 20*time.Second, noTime)
	l.PendingAcks = choose(l.PendingAcks, 1024, noCount)
	l.Rooms = choose(l.Rooms, 1000, noCount)
	l.Namespaces = choose(l.Namespaces, 32, noCount)
	l.HandlerQueueBytes = choose(l.HandlerQueueBytes, 4<<20, noCount)
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

// resolve returns a copy of o with every default filled in but those of
// o.Engine, or what is wrong with o. A nil o is all defaults.
func (o *Options) resolve() (*Options, error) {
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
	if c.Parser == nil {
		c.Parser = packet.Text{}
	}
	if c.Recovery != nil {
		r := c.Recovery.withDefaults()
		c.Recovery = &r
	}
	if err := checkClientFiles(c.ClientFiles); err != nil {
		return nil, err
	}
	return &c, nil
}

// serverSide returns what the actors of a server with options o share.
func serverSide(o *Options) side {
	l := &o.Limits
	return side{
		wire: newWire(o.Parser, l.Attachments), logger: o.Logger, onError: o.OnError,
		pendingAcks: l.PendingAcks, ackTimeout: l.AckTimeout,
		intake: intakeLimits{l.AttachmentBytes, l.AttachmentTimeout, l.HandlerQueueBytes},
	}
}
