package redisstreams

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf16"

	"github.com/parleyws/parley/adapters/internal/cluster"
)

// Options of Streams. In every field zero is the default. All servers, those in Node too,
// must have the same StreamName, StreamCount and ChannelPrefix. These must be others than
// those of an adapter of another kind.
type Options struct {
	// StreamName is the key of the stream. Default "socket.io".
	StreamName string
	// StreamCount is the number of streams, 1 by default. If there are more, each
	// namespace has one of StreamName-0, StreamName-1 and so on. Servers read each stream
	// on a connection and a goroutine of its own, and streams may be on different nodes
	// of a Redis cluster.
	//
	// The JavaScript adapter computes a negative number for some names, and loses all
	// events of those namespaces. Here they are refused with an error.
	StreamCount int
	// ChannelPrefix begins the names of channels. Default "socket.io".
	ChannelPrefix string
	// MaxLen is about how many entries the stream keeps. Default 10,000. A server that
	// can't read for a while must find the entries that it has missed.
	MaxLen int
	// ReadCount is how many entries are read at once, at most. Default 500: with a Redis
	// that is 50 ms away that is 10,000 in a second.
	ReadCount int
	// BlockTime is how long Redis waits for an entry before it says that there is none.
	// Default 5 s.
	BlockTime time.Duration
	// QueueBytes bounds what waits to be published while Redis is away or slow. What comes
	// then is dropped and counted. Default 16 MiB; on a Redis cluster for each stream.
	QueueBytes int
	// MaxMessage is the size of the largest message that is taken from Redis, in bytes.
	// Default 16 MiB.
	MaxMessage int
	// RequestTime is how long a request waits for the answers of other servers, unless
	// its ctx ends before: FetchSockets, and counting the servers. Default 5 s.
	RequestTime time.Duration
	// SurviveKill keeps the sessions of connected clients in Redis too, so that with
	// socketio.Options.Recovery a client comes back also when its server was killed. What
	// it needs is written 50 ms after its rooms or data have changed, and again every 30
	// seconds; what was changed since is lost. Off by default, because each client costs
	// something while it stays; docs/scaling.md has the figures.
	//
	// Values that were given to Socket.Set are encoded at any time, on another goroutine,
	// and must not be modified. Redis must allow the commands EVAL and GETRANGE. All
	// servers in Go should have the same setting.
	SurviveKill bool
	// Immediate delivers events to the sockets of the server itself at once, although
	// socketio.Options.Recovery is set: otherwise they wait for Redis, a second at most.
	// Their offsets are then such that a client which goes to a server in Node is
	// new, unless it has got an event of another server since. If the server is killed, what
	// its own clients have got may be more than what other servers ever get.
	Immediate bool
	// Logger records when the connection with Redis is lost, and when it is back. nil is
	// slog's default logger.
	Logger *slog.Logger
}

func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	for _, n := range []struct {
		name  string
		field *int
		zero  int
	}{
		{"StreamCount", &d.StreamCount, 1}, {"MaxLen", &d.MaxLen, 10_000},
		{"ReadCount", &d.ReadCount, 500}, {"QueueBytes", &d.QueueBytes, 16 << 20},
		{"MaxMessage", &d.MaxMessage, 16 << 20},
	} {
		if *n.field == 0 {
			*n.field = n.zero
		}
		if *n.field < 0 {
			return d, fmt.Errorf("redisstreams: Options.%s is negative", n.name)
		}
	}
	d.BlockTime = cmp.Or(d.BlockTime, 5*time.Second)
	d.RequestTime = cmp.Or(d.RequestTime, 5*time.Second)
	if d.BlockTime < time.Millisecond || d.RequestTime < 0 {
		return d, fmt.Errorf("redisstreams: BlockTime is %v, RequestTime is %v", d.BlockTime, d.RequestTime)
	}
	d.StreamName = cmp.Or(d.StreamName, "socket.io")
	d.ChannelPrefix = cmp.Or(d.ChannelPrefix, "socket.io")
	d.Logger = cmp.Or(d.Logger, slog.Default())
	return d, nil
}

// node returns the options of a namespace.
func (o *Options) node() cluster.Options { return cluster.Options{RequestTime: o.RequestTime} }

// streams returns the names of all streams.
func (o *Options) streams() []string {
	if o.StreamCount == 1 {
		return []string{o.StreamName}
	}
	var list []string
	for i := range o.StreamCount {
		list = append(list, fmt.Sprintf("%s-%d", o.StreamName, i))
	}
	return list
}

// stream returns the name of a namespace's stream, or an error if nobody in Node reads
// it.
func (o *Options) stream(namespace string) (string, error) {
	if o.StreamCount == 1 {
		return o.StreamName, nil
	}
	i := hash(namespace) % int32(o.StreamCount)
	if i < 0 {
		return "", fmt.Errorf("redisstreams: namespace %q can't be used with %d streams: servers in Node write its events to %s-%d, which nobody reads",
			namespace, o.StreamCount, o.StreamName, i)
	}
	return fmt.Sprintf("%s-%d", o.StreamName, i), nil
}

// hash is the hash of a name in the JavaScript adapter, whose remainder has its sign.
func hash(s string) (h int32) {
	for _, unit := range utf16.Encode([]rune(s)) {
		h = h*31 + int32(unit)
	}
	return h
}
