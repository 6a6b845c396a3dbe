package redisadapter

import (
	"log/slog"
	"time"
)

// Options configure a Broker. nil and the zero value are right for most; in every field
// zero is the default. All nodes must have the same Prefix and SpecificResponses.
type Options struct {
	// Prefix begins the names of all channels: the option key of the npm package.
	// Default "socket.io".
	Prefix string
	// Pattern subscribes to the rooms of a namespace by one pattern, as in Node, and not
	// by the channel of each room that has a member on this node.
	//
	// Without it, which is the default, a node gets nothing for rooms that it has no
	// member of: with the pattern it reads every message and drops most, and so does
	// Redis's output to it. What that costs: Redis holds a subscription for each room of
	// each node, a room for each socket among them (about 220 bytes each); and a
	// socket that joins a room gets what other nodes send to the room from one round trip
	// to Redis later on. What this server sends after SocketsJoin of other nodes'
	// sockets reaches them all the same.
	Pattern bool
	// SpecificResponses sends answers only to the node that asks, by a channel of its
	// own: the option publishOnSpecificResponseChannel of the npm package. Use it if
	// all nodes do: answers then cost the other nodes nothing.
	SpecificResponses bool
	// RequestTime is how long a request that waits for other nodes, but not for
	// clients, waits if its ctx says nothing shorter. Default 5 s.
	RequestTime time.Duration
	// AckTime is how long clients are awaited for a node that has not said how long.
	// Default 20 s.
	AckTime time.Duration
	// QueueBytes bounds what waits to be published while Redis is away or slow. What
	// comes then is dropped and counted. Default 16 MiB.
	QueueBytes int
	// MaxMessage is the size of the largest message that is taken from Redis, in bytes.
	// Default 16 MiB.
	MaxMessage int
	// Logger records that Redis is away and back, and messages that are refused (the
	// first of each connection). nil is slog's default logger.
	Logger *slog.Logger
}

func (o *Options) withDefaults() Options {
	if o == nil {
		o = new(Options)
	}
	c := *o
	if c.Prefix == "" {
		c.Prefix = "socket.io"
	}
	c.RequestTime = choose(c.RequestTime, 5*time.Second)
	c.AckTime = choose(c.AckTime, 20*time.Second)
	c.QueueBytes = choose(c.QueueBytes, 16<<20)
	c.MaxMessage = choose(c.MaxMessage, 16<<20)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func choose[T int | time.Duration](v, byDefault T) T {
	if v > 0 {
		return v
	}
	return byDefault
}

// Stats counts what a Broker has done since it was made.
type Stats struct {
	Published int64 // messages that Redis has taken
	// Dropped counts messages that were not published, or perhaps not: the queue was full,
	// Redis has refused them, or the connection has ended before Redis had answered.
	Dropped  int64
	Received int64 // messages of others that were for this node
	Refused  int64 // of these: broken, too large, or more than could be handled
	// Gaps counts how often the connection of the subscriptions has ended. Each time
	// messages of other nodes may have been missed.
	Gaps int64
}
