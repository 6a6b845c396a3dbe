package socketio

import (
	"bytes"
	"sync"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// Violations that take time.
var (
	errSlow    error = &parser.Error{Reason: "attachments took too long"}
	errStalled error = &parser.Error{Reason: "more than Limits.HandlerQueueBytes waits for handlers, and none has returned for 2 minutes"}
)

// An intake makes packets of the messages of an Engine.IO session, and holds the
// session back while handlers have too much to do. Both ends of a connection have one,
// which they embed: they are its host.
type intake struct {
	closed  bool     // the session has ended; guarded by the mu of the host's backlog
	partial *partial // nil: no attachments have been awaited yet; set by Message alone, with that mu held
}

// A partial is what there is of a packet whose attachments are awaited.
type partial struct {
	assembler packet.Assembler // used by Message alone, of which one call runs at a time
	slow      *time.Timer      // runs while attachments are awaited; guarded by the mu of the host's backlog
}

// A backlog is the events that wait for handlers or are with them. It belongs to a
// server's connection, or to a client, whose sessions come and go.
type backlog struct {
	mu   sync.Mutex
	size int  // of the events, in bytes
	jam  *jam // nil: size has never exceeded the limit
}

// A jam is where the readers of sessions wait until size is below the limit again. Guarded by
// the backlog's mu.
type jam struct {
	limit  int
	relief *sync.Cond  // wakes intake.wait
	stall  *time.Timer // runs while intake.wait waits, anew after each handler that returns
}

// A host is what has an intake.
type host interface {
	side() *side
	// events are those that wait for the host's handlers.
	events() *backlog
	// handle handles a packet that is complete, which belongs to it.
	handle(*packet.Unit) error
	// violation closes the session, because the other end has broken a rule.
	violation(error)
	// overload returns which limit is exceeded by what the handlers have to do, beside
	// those of the intake; nil if none is. Called with mu held.
	overload() error
	// hurry has handlers begin that wait for Message to return.
	hurry()
}

// intakeLimits bound what the other end of a session may leave unfinished.
type intakeLimits struct {
	attachmentBytes   int64
	attachmentTimeout time.Duration
	eventBytes        int // of the backlog
}

// units holds Units that are used again.
var units = sync.Pool{New: func() any { return new(packet.Unit) }}

// release gives u back to units. The user may have kept its attachments, so
// those are not used again.
func release(u *packet.Unit) {
	if u.Held() > maxPooled {
		return
	}
	if poison {
		u.Poison()
	}
	u.Drop()
	units.Put(u)
}

// message is Message of an engineio.Receiver, for the host h.
func (in *intake) message(h host, data []byte, binary bool) {
	whole, err := in.assemble(h, data, binary)
	if err == nil {
		in.watchAttachments(h)
		if whole == nil {
			return
		}
		err = h.handle(whole)
	}
	if err != nil {
		h.violation(err)
		return
	}
	in.wait(h)
}

// assemble takes a message. It returns a packet if that is complete, and nil while
// its attachments are awaited.
func (in *intake) assemble(h host, data []byte, binary bool) (*packet.Unit, error) {
	side := h.side()
	w := &side.wire
	var ready packet.Assembler
	assembler := &ready
	if in.partial != nil {
		assembler = &in.partial.assembler
	}
	attachment, err := assembler.Judge(binary, w.parser.Binary())
	if err != nil {
		return nil, err
	}
	if attachment {
		return assembler.Attachment(bytes.Clone(data), side.intake.attachmentBytes)
	}
	u := units.Get().(*packet.Unit)
	if err := u.Parse(w.parser, data, w.limits); err != nil {
		return nil, err
	}
	if u.Attachments > 0 && in.partial == nil {
		b := h.events()
		b.mu.Lock()
		in.partial = new(partial)
		b.mu.Unlock()
		assembler = &in.partial.assembler
	}
	return assembler.First(u), nil
}

// watchAttachments starts or stops the timer of attachments.
func (in *intake) watchAttachments(h host) {
	p, b := in.partial, h.events()
	if p == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch awaited := p.assembler.Awaiting(); {
	case awaited && p.slow == nil && !in.closed:
		p.slow = time.AfterFunc(h.side().intake.attachmentTimeout, func() { h.violation(errSlow) })
	case !awaited && p.slow != nil:
		p.slow.Stop()
		p.slow = nil
	}
}

// queue hands an event to an actor; era is that of a Client, and 0 of a Socket. The size
// of the event counts until the actor's handlers have returned. s is the session whose
// message is handled; nil if it may not be asked for a goroutine.
func (b *backlog) queue(a *actor, u *packet.Unit, era uint64, s *engineio.Session) {
	b.mu.Lock()
	b.size += u.Size()
	b.mu.Unlock()
	a.dispatchLater(task{unit: u, era: era}, s)
}

// handled takes an event of a size off the backlog.
func (b *backlog) handled(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size -= size
	b.relieve()
}

// relieve wakes intake.wait if it may not have to wait any longer. Called with mu held,
// after a handler has returned.
func (b *backlog) relieve() {
	j := b.jam
	if j == nil {
		return
	}
	if j.stall != nil {
		j.stall.Reset(stallTime)
	}
	if b.size <= j.limit {
		j.relief.Broadcast()
	}
}

// stallTime is how long wait waits for a handler to return. Nothing is read from
// the other end meanwhile, so nobody would notice that it has gone away.
const stallTime = 2 * time.Minute

// overloaded returns which limit is exceeded by what the handlers have to do, nil
// if none is. Called with mu of the host's backlog held.
func (in *intake) overloaded(h host) error {
	switch {
	case in.closed:
		return nil
	case h.events().size > h.side().intake.eventBytes:
		return errStalled
	}
	return h.overload()
}

// wait waits while the handlers have too much to do.
func (in *intake) wait(h host) {
	b := h.events()
	b.mu.Lock()
	defer b.mu.Unlock()
	if in.overloaded(h) == nil {
		return
	}
	if b.jam == nil {
		b.jam = &jam{limit: h.side().intake.eventBytes, relief: sync.NewCond(&b.mu)}
	}
	j := b.jam
	var stall *time.Timer
	for err := in.overloaded(h); err != nil; err = in.overloaded(h) {
		h.hurry()
		if j.stall == nil {
			stall = time.AfterFunc(stallTime, func() { h.violation(err) })
			j.stall = stall
		}
		j.relief.Wait()
	}
	if stall == j.stall { // and not that of the client's next session
		j.stop()
	}
}

// stop stops the timer.
func (j *jam) stop() {
	if j.stall != nil {
		j.stall.Stop()
		j.stall = nil
	}
}

// close takes note of the end of the session. Called with mu of the host's backlog, b, held.
func (in *intake) close(b *backlog) {
	in.closed = true
	if p := in.partial; p != nil && p.slow != nil {
		p.slow.Stop()
	}
	if j := b.jam; j != nil {
		j.stop()
		j.relief.Broadcast()
	}
}
