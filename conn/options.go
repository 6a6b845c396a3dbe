package conn

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"sync"
	"time"

	"github.com/parleyws/parley/conn/internal/stream"
	"github.com/parleyws/parley/handshake"
)

// A Role is the side of a connection that a Conn plays. There are two, and a
// Role can be no other.
type Role bool

// The two roles.
const (
	RoleServer Role = false // sends unmasked frames, wants masked ones, ends the stream first
	RoleClient Role = true
)

// Options say how a Conn behaves once the handshake is done. Nil and the zero
// value are the defaults. A Conn reads its Options when it is made and does not
// keep them. Options that can't be meant are an error of what they are given to.
type Options struct {
	// Limits bound what the peer can make us hold or wait for.
	Limits Limits
	// Compression says how messages are compressed; whether they may be is
	// agreed in the handshake (handshake.Options.Deflate).
	Compression Compression
	// Overflow says what Send does when the queue is full.
	Overflow Overflow
	// LenientLength lets a peer live that writes payload lengths not in their
	// shortest form, which RFC 6455, section 5.2, forbids.
	LenientLength bool
	// Loop may serve the connection. Nil is none, but for a Server with Handle, which has
	// one of its own then.
	Loop *Loop
}

// Limits bound what a peer can cost. In every field zero is the default and a
// negative number turns the limit off.
type Limits struct {
	// Message is the size of a received message in bytes, after inflation and
	// over all its fragments. Default 1 MiB. A longer one fails the connection
	// with 1009.
	Message int64
	// MessageTime is how long a message may take from its first byte to its
	// last, to which comes a second for each KiB received. Default 120 s; a
	// slower one fails the connection with 1008.
	MessageTime time.Duration
	// QueueBytes and QueueMessages bound what Send queues: 1 MiB and 1,024.
	QueueBytes    int
	QueueMessages int
	// WriteTimeout is how long a write to the stream may make no progress
	// before the connection is given up. Default 10 s. It is also how long the
	// write may take in all, to which comes a second for each KiB that has gone
	// out. On a socket every byte that the kernel takes is progress; over TLS
	// 16 KiB that have gone out are. Other streams don't tell when they took a
	// byte, and so a peer may be given up as late as after twice the time.
	WriteTimeout time.Duration
	// CloseTimeout is how long the end of a connection may take once our Close
	// frame is out: the peer's Close frame, and then the end of the stream, are
	// awaited for so long. Default 5 s. What is sent before our Close frame has
	// the time that WriteTimeout gives it.
	CloseTimeout time.Duration
	// PingInterval is how long a waiting read may see no byte before a Ping
	// asks for one. Default 25 s. Negative turns the keepalive off.
	PingInterval time.Duration
	// PingTimeout is how long the peer has for a byte after that Ping before
	// the connection is cut. Default 20 s.
	PingTimeout time.Duration
}

// Compression says how messages are compressed where the handshake has agreed
// on permessage-deflate (RFC 7692).
type Compression struct {
	// Codec makes the compressors; nil is compress/flate.
	Codec Codec
	// MinSize is the size in bytes from which on a message is compressed.
	// Default 128; negative compresses every message.
	MinSize int
}

// An Overflow is a policy for a full queue. There are two, and an Overflow can
// be no other.
type Overflow bool

// What Send does when the queue is full.
const (
	OverflowClose      Overflow = false // close the connection with 1013 (try again later)
	OverflowDropOldest Overflow = true  // forget the oldest queued messages
)

// AcceptOptions configure Accept and Server.
type AcceptOptions struct {
	Handshake handshake.Options // origins, subprotocols, headers, compression
	Conn      Options
}

// DialOptions configure Dial.
type DialOptions struct {
	Handshake handshake.DialOptions // HTTP client, headers, subprotocols, compression
	Conn      Options
}

// settings are Options that have been judged, with every default filled in.
// They are constant. The connections of a Server share theirs.
type settings struct {
	Limits
	compression   Compression
	overflow      Overflow
	lenientLength bool
	loop          *Loop   // nil: none
	server        *Server // whose Handle has made the Receiver
}

// defaults are the settings of those who give no options.
var defaults = settings{Limits: Limits{}.withDefaults()}

// known are the settings of Options that were given before: connections with the same ones
// share them.
var known struct {
	mu       sync.Mutex
	settings map[Options]*settings
}

// mostKnown is how many settings are known at most. A program has a few.
const mostKnown = 64

// defaultLoop is the Loop of those who give none. Tests replace it.
var defaultLoop = func() *Loop { return nil }

// settings judges o, which may be nil.
func (o *Options) settings() (*settings, error) {
	var given Options
	if o != nil {
		given = *o
	}
	given.Loop = cmp.Or(given.Loop, defaultLoop())
	if given == (Options{}) {
		return &defaults, nil
	}
	if c := given.Compression.Codec; c != nil && !reflect.ValueOf(c).Comparable() {
		return nil, fmt.Errorf("conn.Options.Compression.Codec: a %T can't be compared, and what it makes is kept by it", c)
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if s := known.settings[given]; s != nil {
		return s, nil
	}
	s := &settings{
		Limits:        given.Limits.withDefaults(),
		compression:   given.Compression,
		overflow:      given.Overflow,
		lenientLength: given.LenientLength,
		loop:          given.Loop,
	}
	if known.settings == nil || len(known.settings) == mostKnown {
		known.settings = make(map[Options]*settings)
	}
	known.settings[given] = s
	return s, nil
}

// What stands for no limit: more than any connection sees, yet safe to add to.
const (
	noSize  = int64(1) << 62
	noCount = math.MaxInt / 2
	noTime  = stream.Forever
)

// withDefaults returns l with every zero replaced by its default and every
// negative number by what stands for no limit.
func (l Limits) withDefaults() Limits {
	l.Message = choose(l.Message, 1<<20, noSize)
	l.MessageTime = choose(l.MessageTime, 120*time.Second, noTime)
	l.QueueBytes = choose(l.QueueBytes, 1<<20, noCount)
	l.QueueMessages = choose(l.QueueMessages, 1024, noCount)
	l.WriteTimeout = choose(l.WriteTimeout, 10*time.Second, noTime)
	l.CloseTimeout = choose(l.CloseTimeout, 5*time.Second, noTime)
	l.PingInterval = choose(l.PingInterval, 25*time.Second, noTime)
	l.PingTimeout = choose(l.PingTimeout, 20*time.Second, noTime)
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
