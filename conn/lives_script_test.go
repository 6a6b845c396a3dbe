package conn_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// A life is what happens to a connection from its making to its end. A lifeScript
// says what several goroutines and the peer do in it. It is data, made from a
// seed alone, so that a life that went wrong can be lived again and made shorter.
// lives_run_test.go lives it, and lives_oracle_test.go judges it.
type lifeScript struct {
	seed    uint64
	role    conn.Role
	kind    lifeKind
	size    int // of the stream's buffers
	deflate *handshake.Deflate
	options conn.Options
	net     bool // the application uses a NetConn
	actors  [][]lifeCall
	events  []lifeEvent // what the peer does
	answers bool        // the peer answers a Close frame
	pongs   bool        // it answers Pings
	ends    bool        // it ends its direction of the stream when it may
	last    lifeCall    // Close or CloseNow, for lives that do not end before
}

// Ctxs that are no time.
const (
	lifeUnlimited  = time.Duration(-1) // it does not end
	lifeConnection = time.Duration(-2) // it is the connection's own
)

// A lifeOp is what a call does.
type lifeOp uint8

const (
	opRead lifeOp = iota
	opReadAll
	opEach
	opReader
	opPart // a Read of what Reader returned
	opWrite
	opWriter
	opStep // a Write or the Close of what Writer returned
	opPrepared
	opSend
	opPing
	opCork
	opHold
	opClose
	opCloseNow
	opCloseRead
	opNetRead
	opNetWrite
)

var lifeOpNames = [...]string{
	"Read", "Read to the end", "Each", "Reader", "Reader.Read", "Write", "Writer", "Writer.Write", "WritePrepared", "Send", "Ping", "Cork", "Hold",
	"Close", "CloseNow", "CloseRead", "NetConn.Read", "NetConn.Write",
}

func (o lifeOp) String() string { return lifeOpNames[o] }

// reads reports whether o delivers messages.
func (o lifeOp) reads() bool { return o <= opPart || o == opNetRead }

// writes reports whether o sends a message.
func (o lifeOp) writes() bool {
	return o == opWrite || o == opWriter || o == opPrepared || o == opSend || o == opNetWrite
}

// A lifeCall is a call of the application's.
type lifeCall struct {
	wait  time.Duration // before the call
	op    lifeOp
	ctx   time.Duration // until it ends, or one of the constants
	size  int           // of the message, or of the buffer that is read into
	count int           // of messages, pieces, or reads
	pause time.Duration // between them, or in the callback
	then  lifeOp        // called in the callback of Each: Write or Close; opRead is nothing
}

func (k lifeCall) String() string {
	s := fmt.Sprintf("after %v %v(ctx %v) size %d count %d pause %v", k.wait, k.op, k.ctx, k.size, k.count, k.pause)
	if k.then != opRead {
		s += fmt.Sprintf(" then %v", k.then)
	}
	return s
}

// A lifeDeed is what the peer does in an event.
type lifeDeed uint8

const (
	peerMessage lifeDeed = iota
	peerPing
	peerPong
	peerClose
	peerHalfClose
	peerCut
	peerReset
	peerFailWrites
	peerStall
	peerGarbage
)

var lifeDeedNames = [...]string{"message", "ping", "pong", "close", "half-close", "cut", "reset", "fail our writes", "stall", "garbage"}

func (d lifeDeed) String() string { return lifeDeedNames[d] }

// A lifeEvent is something that the peer does, or that happens to the stream.
type lifeEvent struct {
	wait       time.Duration // before it
	deed       lifeDeed
	size       int           // of the message
	fragments  int           // that it comes in
	pieces     int           // that it is written in
	gap        time.Duration // between the pieces, or how long the peer stalls
	between    bool          // a Ping comes between the fragments
	compressed bool
	binary     bool
	code       int // of the Close frame, or the kind of garbage
}

func (e lifeEvent) String() string {
	s := fmt.Sprintf("after %v %v", e.wait, e.deed)
	switch e.deed {
	case peerMessage:
		s += fmt.Sprintf(" size %d fragments %d between %t compressed %t binary %t", e.size, e.fragments, e.between, e.compressed, e.binary)
	case peerClose, peerGarbage:
		s += fmt.Sprintf(" code %d", e.code)
	}
	if e.pieces > 1 {
		s += fmt.Sprintf(" in %d pieces", e.pieces)
	}
	return s + fmt.Sprintf(" gap %v", e.gap)
}

func (s *lifeScript) String() string {
	var b strings.Builder
	role := "server"
	if s.role == conn.RoleClient {
		role = "client"
	}
	fmt.Fprintf(&b, "seed %d: %s over %v of %d bytes, NetConn %t, deflate %+v\n", s.seed, role, s.kind, s.size, s.net, s.deflate)
	fmt.Fprintf(&b, "  options %+v\n", s.options)
	fmt.Fprintf(&b, "  the peer answers Close %t, Pings %t, ends the stream %t\n", s.answers, s.pongs, s.ends)
	for i, calls := range s.actors {
		fmt.Fprintf(&b, "  goroutine %d\n", i)
		for _, k := range calls {
			fmt.Fprintf(&b, "    %v\n", k)
		}
	}
	fmt.Fprintf(&b, "  peer\n")
	for _, e := range s.events {
		fmt.Fprintf(&b, "    %v\n", e)
	}
	fmt.Fprintf(&b, "  at last: %v", s.last)
	return b.String()
}

// newLifeScript returns the script of a seed.
func newLifeScript(seed uint64) *lifeScript {
	g := lifeGenerator{rand.New(rand.NewPCG(seed, 10))}
	s := &lifeScript{
		seed:    seed,
		role:    conn.Role(g.chance(50)),
		kind:    lifeKind(g.IntN(lifeKinds)),
		size:    pick(g, 256, 4<<10, 64<<10, 1<<20),
		net:     g.chance(8),
		answers: g.chance(85),
		pongs:   g.chance(85),
		ends:    g.chance(85),
	}
	if g.chance(25) {
		s.deflate = &handshake.Deflate{
			ServerNoContextTakeover: g.chance(90), ClientNoContextTakeover: g.chance(90),
			ServerMaxWindowBits: 15, ClientMaxWindowBits: 15,
		}
		s.options.Compression.MinSize = pick(g, 0, -1)
	}
	s.options.Overflow = conn.Overflow(g.chance(50))
	s.options.Limits = conn.Limits{
		WriteTimeout:  pick(g, 0, 0, 200*time.Millisecond),
		CloseTimeout:  pick(g, 0, 0, 100*time.Millisecond),
		QueueMessages: pick(g, 0, 0, 3),
		QueueBytes:    pick(g, 0, 0, 1000),
	}
	if g.chance(30) {
		s.options.Limits.PingInterval = pick(g, -1, 100*time.Millisecond)
		s.options.Limits.PingTimeout = 50 * time.Millisecond
	}
	for i := range 2 + g.IntN(4) {
		s.actors = append(s.actors, g.actor(s, i))
	}
	for range g.IntN(9) {
		s.events = append(s.events, g.event(s))
	}
	s.events = append(s.events, g.ending())
	if e := &s.events[len(s.events)-1]; s.net && e.deed == peerGarbage && e.code == garbageTooBig {
		e.code = 0 // nothing is too big for a NetConn
	}
	s.last = lifeCall{wait: pick(g, time.Second, 20*time.Second, time.Minute), op: pick(g, opClose, opClose, opCloseNow)}
	return s
}

type lifeGenerator struct{ *rand.Rand }

func (g lifeGenerator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g lifeGenerator, of ...T) T { return of[g.IntN(len(of))] }

// delay returns a time that lets events coincide, or not.
func (g lifeGenerator) delay() time.Duration {
	return pick(g, 0, 0, 0, time.Duration(g.IntN(5))*time.Millisecond, time.Duration(g.IntN(3000))*time.Millisecond)
}

// length returns the length of a message: most are short.
func (g lifeGenerator) length(kind lifeKind) int {
	switch n := g.IntN(16); {
	case n < 11 || kind == lifeOctetwise: // where others take long
		return g.IntN(200)
	case n < 14:
		return g.IntN(6000)
	case n < 15:
		return 60_000 + g.IntN(20_000)
	}
	return g.IntN(200_000)
}

func (g lifeGenerator) ctx() time.Duration {
	return pick(g, lifeUnlimited, lifeUnlimited, lifeConnection, 0, time.Duration(g.IntN(5))*time.Millisecond, time.Duration(g.IntN(4000))*time.Millisecond)
}

// actor returns the calls of a goroutine.
func (g lifeGenerator) actor(s *lifeScript, i int) (calls []lifeCall) {
	if s.net {
		for range 1 + g.IntN(5) {
			calls = append(calls, g.netCall(s, i))
		}
		return calls
	}
	for range g.IntN(6) {
		calls = append(calls, g.call(s))
	}
	if i == 0 && g.chance(60) || len(calls) == 0 {
		calls = append(calls[:g.IntN(len(calls)+1)], lifeCall{wait: g.delay(), op: opReadAll, ctx: lifeUnlimited})
	}
	return calls
}

var lifeOps = []lifeOp{
	opRead, opRead, opRead, opEach, opEach, opReader, opReader, opWrite, opWrite, opWrite, opWriter, opPrepared, opSend, opSend, opPing, opCork, opHold,
}

func (g lifeGenerator) call(s *lifeScript) lifeCall {
	k := lifeCall{
		wait: g.delay(), op: lifeOps[g.IntN(len(lifeOps))], ctx: g.ctx(),
		size: g.length(s.kind), count: 1 + g.IntN(4), pause: pick(g, 0, 0, g.delay()),
	}
	if g.chance(4) {
		k.op = pick(g, opClose, opClose, opClose, opCloseNow, opCloseRead)
	}
	if k.op == opEach {
		k.then = pick(g, opRead, opRead, opWrite, opWrite, opWrite, opWrite, opSend, pick(g, opRead, opClose))
	}
	return k
}

func (g lifeGenerator) netCall(s *lifeScript, i int) lifeCall {
	k := lifeCall{wait: g.delay(), op: opNetWrite, ctx: pick(g, lifeUnlimited, time.Duration(g.IntN(3000))*time.Millisecond), size: g.length(s.kind) % 20_000, count: 1 + g.IntN(9)}
	switch {
	case i == 0:
		k.op = opNetRead
	case g.chance(10):
		k.op = pick(g, opPing, opClose, opCloseNow)
	}
	return k
}

func (g lifeGenerator) event(s *lifeScript) lifeEvent {
	e := lifeEvent{wait: g.delay(), fragments: 1, pieces: 1}
	switch n := g.IntN(100); {
	case n < 70:
		e.deed, e.size, e.binary = peerMessage, g.length(s.kind), s.net || g.chance(50)
		e.fragments = pick(g, 1, 1, 1+g.IntN(5))
		e.between = g.chance(20)
		e.compressed = s.deflate != nil && g.chance(60)
	case n < 80:
		e.deed = peerPing
	case n < 85:
		e.deed = peerPong
	default:
		e.deed, e.gap = peerStall, pick(g, time.Duration(g.IntN(2000))*time.Millisecond, 15*time.Second)
		return e
	}
	if g.chance(20) {
		e.pieces, e.gap = 1+g.IntN(4), g.delay()
	}
	return e
}

// ending returns what the peer does last.
func (g lifeGenerator) ending() lifeEvent {
	e := lifeEvent{wait: g.delay(), pieces: 1, deed: pick(g, peerClose, peerClose, peerClose, peerHalfClose, peerCut, peerCut, peerReset,
		peerFailWrites, peerFailWrites, peerStall, peerGarbage, peerPong)}
	switch e.deed {
	case peerClose:
		e.code = pick(g, int(frame.StatusNormalClosure), int(frame.StatusGoingAway), int(frame.StatusNoStatus), 3000)
	case peerGarbage:
		e.code = g.IntN(garbageKinds)
	case peerStall:
		e.gap = time.Hour
	}
	return e
}
