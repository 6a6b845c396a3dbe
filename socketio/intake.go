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
// which they embed.
type intake struct {
	of        host
	side      *side
	assembler packet.Assembler // used by Message alone, of which one call runs at a time

	*backlog             // its mu guards the fields below
	closed   bool        // the session has ended
	slow     *time.Timer // runs while attachments are awaited
}

// A backlog is the events that wait for handlers or are with them. It belongs to a
// server's connection, or to a client, whose sessions come and go.
type backlog struct {
	limit int // of size

	mu     sync.Mutex
	size   int         // of the events, in bytes
	relief *sync.Cond  // wakes intake.wait; nil: nobody has waited yet
	stall  *time.Timer // runs while intake.wait waits, anew after each handler that returns
}

// A host is what has an intake.
type host interface {
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

// Message implements engineio.Receiver.
func (in *intake) Message(data []byte, binary bool) {
	whole, err := in.assemble(data, binary)
	if err == nil {
		in.watchAttachments(in.assembler.Awaiting())
		if whole == nil {
			return
		}
		err = in.of.handle(whole)
	}
	if err != nil {
		in.of.violation(err)
		return
	}
	in.wait()
}

// assemble takes a message. It returns a packet if that is complete, and nil while
// its attachments are awaited.
func (in *intake) assemble(data []byte, binary bool) (*packet.Unit, error) {
	w := &in.side.wire
	attachment, err := in.assembler.Judge(binary, w.parser.Binary())
	if err != nil {
		return nil, err
	}
	if attachment {
		return in.assembler.Attachment(bytes.Clone(data), in.side.intake.attachmentBytes)
	}
	u := units.Get().(*packet.Unit)
	if err := u.Parse(w.parser, data, w.limits); err != nil {
		return nil, err
	}
	return in.assembler.First(u), nil
}

// watchAttachments starts or stops the timer of attachments.
func (in *intake) watchAttachments(awaited bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case awaited && in.slow == nil && !in.closed:
		in.slow = time.AfterFunc(in.side.intake.attachmentTimeout, func() { in.of.violation(errSlow) })
	case !awaited && in.slow != nil:
		in.slow.Stop()
		in.slow = nil
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
	if b.stall != nil {
		b.stall.Reset(stallTime)
	}
	if b.relief != nil && b.size <= b.limit {
		b.relief.Broadcast()
	}
}

// stallTime is how long wait waits for a handler to return. Nothing is read from
// the other end meanwhile, so nobody would notice that it has gone away.
const stallTime = 2 * time.Minute

// overloaded returns which limit is exceeded by what the handlers have to do, nil
// if none is. Called with mu held.
func (in *intake) overloaded() error {
	switch {
	case in.closed:
		return nil
	case in.size > in.limit:
		return errStalled
	}
	return in.of.overload()
}

// wait waits while the handlers have too much to do.
func (in *intake) wait() {
	in.mu.Lock()
	defer in.mu.Unlock()
	var stall *time.Timer
	for err := in.overloaded(); err != nil; err = in.overloaded() {
		in.of.hurry()
		if in.relief == nil {
			in.relief = sync.NewCond(&in.mu)
		}
		if in.stall == nil {
			stall = time.AfterFunc(stallTime, func() { in.of.violation(err) })
			in.stall = stall
		}
		in.relief.Wait()
	}
	if stall == in.stall { // and not that of the client's next session
		in.stopStall()
	}
}

func (b *backlog) stopStall() {
	if b.stall != nil {
		b.stall.Stop()
		b.stall = nil
	}
}

// close takes note of the end of the session. Called with mu held.
func (in *intake) close() {
	in.closed = true
	in.stopStall()
	if in.slow != nil {
		in.slow.Stop()
	}
	if in.relief != nil {
		in.relief.Broadcast()
	}
}
