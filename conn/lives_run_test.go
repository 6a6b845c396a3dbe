package conn_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A life is a script that is being lived, and what was seen of it.
type life struct {
	script *lifeScript
	c      *conn.Conn
	nc     net.Conn // c, in lives with a NetConn
	stream *lifeStream
	peer   *lifePeer
	start  time.Time
	over   chan struct{} // closed when the peer is to stop

	left   moment // when the connection ended for the application
	gone   moment // when the stream was closed
	after  []*callRecord
	actors []*lifeActor
	hung   bool
}

// A lifeActor is a goroutine of the application.
type lifeActor struct {
	*life
	id        int
	calls     []*callRecord
	busy      []span // the callbacks that took time
	callbacks []span
	limit     moment // when the ctx of the call ends
	written   int    // messages
	bytes     []byte // read from a NetConn
	faults    []string
}

// A span is a stretch of time.
type span struct{ from, to moment }

// A callRecord is a call and what came of it.
type callRecord struct {
	op      lifeOp
	start   moment
	end     moment // never: it has not returned
	limit   moment // when its ctx ends
	own     bool   // its ctx is the connection's
	err     error
	number  int // of the message that it sends
	size    int
	took    []lifeDelivery
	unknown int // messages that were taken of which nobody saw the number
	nested  bool
	onward  bool // the goroutine reads until it is told of the end
}

// A lifeDelivery is a message, or the beginning of one, that the application got.
type lifeDelivery struct {
	number int
	at     moment
}

func (r *callRecord) String() string {
	end := "has not returned"
	if r.end != never {
		end = r.end.String()
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%v: %v to %v", r.op, r.start, end)
	if r.limit != never {
		fmt.Fprintf(&s, " (ctx %v)", r.limit)
	}
	if r.op.writes() {
		fmt.Fprintf(&s, " message %d of %d", r.number, r.size)
	}
	for _, d := range r.took {
		fmt.Fprintf(&s, " got %d", d.number)
	}
	return s.String() + fmt.Sprintf(": %v", r.err)
}

// liveOnce lives s once and returns what was wrong, and what was seen.
func liveOnce(t *testing.T, s *lifeScript) (l *life, faults []string) {
	l = &life{script: s}
	defer func() {
		if v := recover(); v != nil {
			faults = append(faults, fmt.Sprint(v))
		}
	}()
	synctest.Test(t, func(*testing.T) { faults = l.run() })
	return l, faults
}

// lifeTime is how much virtual time a life may take.
const lifeTime = 20 * time.Minute

func (l *life) now() moment { return time.Since(l.start) }

// run lives the script.
func (l *life) run() []string {
	s := l.script
	ours, theirs := pipe.NewSize(s.size)
	l.start, l.over, l.left, l.gone = time.Now(), make(chan struct{}), never, never
	l.stream = &lifeStream{Conn: ours, kind: s.kind, role: s.role, size: s.size, start: l.start, readEnd: never, writeEnd: never}
	if s.kind == lifeLooped {
		s.options.Loop = &conn.Loop{}
	}
	l.c = must(conn.New(&handshake.Result{Conn: l.stream.conn(), Deflate: s.deflate}, s.role, &s.options))
	if s.net {
		l.nc = conn.NetConn(l.c, conn.Binary)
	}
	var app, peer, watch sync.WaitGroup
	l.peer = &lifePeer{script: s, nc: theirs, stream: l.stream, over: l.over, wg: &peer,
		turn: make(chan struct{}, 1), closing: never}
	peer.Go(l.peer.act)
	peer.Go(l.peer.read)
	watch.Go(func() { <-conn.ServeContext(l.c).Done(); l.left = l.now() })
	watch.Go(func() { <-l.c.Done(); l.gone = l.now() })
	for i, calls := range append(s.actors[:len(s.actors):len(s.actors)], []lifeCall{s.last}) {
		a := &lifeActor{life: l, id: i}
		l.actors = append(l.actors, a)
		app.Go(func() {
			for _, k := range calls {
				a.sleep(k.wait)
				a.call(k, &app)
			}
		})
	}
	l.hung = !l.await(&app) || !l.await(&watch)
	faults := l.hanging()
	if !l.hung {
		l.posthumous()
	}
	l.c.CloseNow()
	theirs.Close()
	close(l.over)
	peer.Wait()
	app.Wait()
	watch.Wait()
	synctest.Wait()
	if l.hung {
		return faults
	}
	return l.judge()
}

// await waits for wg, for as long as a life may last.
func (l *life) await(wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	limit := time.NewTimer(lifeTime - l.now())
	defer limit.Stop()
	select {
	case <-done:
		return true
	case <-limit.C:
		return false
	}
}

// hanging says what still waits in a life that does not end.
func (l *life) hanging() (faults []string) {
	if !l.hung {
		return nil
	}
	faults = append(faults, fmt.Sprintf("the life does not end: left %v, gone %v", l.left, l.gone))
	for _, a := range l.actors {
		for _, r := range a.calls {
			if r.end == never {
				faults = append(faults, fmt.Sprintf("goroutine %d hangs in %v", a.id, r))
			}
		}
	}
	return faults
}

// posthumous calls everything once more: it must say why the connection has
// ended.
func (l *life) posthumous() {
	a := &lifeActor{life: l, id: len(l.actors)}
	for _, op := range []lifeOp{opRead, opEach, opReader, opWrite, opWriter, opPrepared, opSend, opPing} {
		a.call(lifeCall{op: op, ctx: lifeUnlimited, count: 1, size: 20}, nil)
	}
	l.after = a.calls
}

func (a *lifeActor) sleep(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// begin notes that a call begins.
func (a *lifeActor) begin(op lifeOp, ctx time.Duration) *callRecord {
	r := &callRecord{op: op, start: a.now(), end: never, limit: a.limit, own: ctx == lifeConnection, number: -1}
	if ctx < 0 {
		r.limit = never
	}
	a.calls = append(a.calls, r)
	return r
}

// returned notes that it has returned.
func (a *lifeActor) returned(r *callRecord, err error) {
	r.end, r.err = a.now(), err
}

func (a *lifeActor) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// ctx returns the ctx of a call.
func (a *lifeActor) ctx(d time.Duration) (context.Context, context.CancelFunc) {
	switch d {
	case lifeUnlimited:
		return context.Background(), func() {}
	case lifeConnection:
		return conn.ServeContext(a.c), func() {}
	}
	return context.WithTimeout(context.Background(), d)
}

// call makes a call.
func (a *lifeActor) call(k lifeCall, wg *sync.WaitGroup) {
	ctx, cancel := a.ctx(k.ctx)
	a.limit = a.now() + k.ctx
	if k.op != opCloseRead {
		defer cancel()
	}
	switch k.op {
	case opRead:
		a.read(ctx, k)
	case opReadAll:
		for err := error(nil); err == nil; {
			err = a.read(ctx, k)
			a.calls[len(a.calls)-1].onward = true
		}
	case opEach:
		a.each(ctx, k)
	case opReader:
		a.reader(ctx, k)
	case opWriter:
		a.writer(ctx, k)
	case opWrite, opPrepared, opSend:
		a.write(ctx, k, k.op)
	case opPing:
		r := a.begin(k.op, k.ctx)
		a.returned(r, a.c.Ping(ctx))
	case opCork:
		held := a.c.Cork()
		for range k.count {
			a.write(ctx, k, opWrite)
		}
		a.sleep(k.pause)
		held.Release()
	case opHold: // whoever holds does not wait: nothing but Send
		held := a.c.Hold()
		for range k.count {
			a.write(ctx, k, opSend)
		}
		held.Release()
	case opClose:
		a.close(false)
	case opCloseNow:
		r := a.begin(k.op, lifeUnlimited)
		a.returned(r, a.c.CloseNow())
	case opCloseRead:
		r := a.begin(k.op, k.ctx)
		closed := a.c.CloseRead(ctx)
		wg.Go(func() {
			<-closed.Done()
			a.returned(r, context.Cause(closed))
			cancel()
		})
	case opNetRead:
		a.netRead(k)
	case opNetWrite:
		a.netWrite(k)
	}
}

func (a *lifeActor) read(ctx context.Context, k lifeCall) error {
	r := a.begin(opRead, k.ctx)
	_, p, err := a.c.Read(ctx)
	a.returned(r, err)
	if err == nil {
		a.took(r, p)
	}
	return err
}

// took notes that a whole message has come.
func (a *lifeActor) took(r *callRecord, p []byte) {
	by, n, ok := wholeLifeMessage(p)
	if !ok || by != byPeer {
		a.fault("%v: message of %d bytes that nobody sent: %.40q", r.op, len(p), p)
	}
	r.took = append(r.took, lifeDelivery{n, a.now()})
}

func (a *lifeActor) each(ctx context.Context, k lifeCall) {
	r := a.begin(opEach, k.ctx)
	n := 0
	err := eachBy(a.c, ctx, a.script.kind == lifeLooped, func(m conn.Message) error {
		from := a.now()
		a.took(r, m.Payload)
		switch k.then {
		case opWrite, opSend:
			a.write(ctx, k, k.then).nested = true
		case opClose:
			a.close(true)
		}
		a.sleep(k.pause)
		if _, _, ok := wholeLifeMessage(m.Payload); !ok {
			a.fault("Each: the view of a message did not stay as it was")
		}
		to := a.now()
		a.callbacks = append(a.callbacks, span{from, to})
		if to > from {
			a.busy = append(a.busy, span{from, to})
		}
		if n++; n >= k.count {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	a.returned(r, err)
}

func (a *lifeActor) reader(ctx context.Context, k lifeCall) {
	r := a.begin(opReader, k.ctx)
	_, from, err := a.c.Reader(ctx)
	a.returned(r, err)
	if err != nil {
		return
	}
	r.unknown = 1
	var p []byte
	for range 100 * k.count {
		a.sleep(k.pause)
		part := a.begin(opPart, k.ctx)
		buf := make([]byte, max(1, k.size))
		n, err := from.Read(buf)
		p = append(p, buf[:n]...)
		a.returned(part, nil)
		if r.unknown == 1 && len(p) >= lifeHeader {
			r.unknown = 0
			by, number, _, ok := parseLifeMessage(p)
			if !ok || by != byPeer {
				a.fault("Reader: a message that nobody sent: %.40q", p)
			}
			r.took = append(r.took, lifeDelivery{number, r.end})
		}
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			if _, _, ok := wholeLifeMessage(p); !ok {
				a.fault("Reader: half a message: %.40q", p)
			}
			return
		}
		if err != nil {
			part.err = err
			return
		}
	}
}

// write sends a message with one of the calls that do.
func (a *lifeActor) write(ctx context.Context, k lifeCall, op lifeOp) *callRecord {
	n := a.written
	a.written++
	p := lifeMessage(a.id, n, k.size)
	var prepared *conn.Prepared
	if op != opWrite {
		prepared = conn.NewPrepared(conn.MessageType(n%2 == 0), p)
	}
	r := a.begin(op, k.ctx)
	r.number, r.size = n, len(p)
	switch op {
	case opWrite:
		a.returned(r, a.c.Write(ctx, conn.MessageType(n%2 == 0), p))
	case opPrepared:
		a.returned(r, a.c.WritePrepared(ctx, prepared))
	case opSend:
		r.limit, r.own = r.start, false
		a.returned(r, a.c.Send(prepared))
	}
	return r
}

func (a *lifeActor) writer(ctx context.Context, k lifeCall) {
	n := a.written
	a.written++
	p := lifeMessage(a.id, n, k.size)
	r := a.begin(opWriter, k.ctx)
	r.number, r.size = n, len(p)
	w, err := a.c.Writer(ctx, conn.Binary)
	if err != nil {
		a.returned(r, err)
		return
	}
	for i := range k.count {
		a.step(r, func() error {
			_, err := w.Write(p[i*len(p)/k.count : (i+1)*len(p)/k.count])
			return err
		})
		a.sleep(k.pause)
	}
	a.step(r, w.Close)
	r.end = a.now()
}

// step does a part of what the call of r does.
func (a *lifeActor) step(r *callRecord, f func() error) {
	part := a.begin(opStep, lifeUnlimited)
	part.limit, part.own = r.limit, r.own
	a.returned(part, f())
	r.err = cmp.Or(r.err, part.err)
}

func (a *lifeActor) close(nested bool) {
	r := a.begin(opClose, lifeUnlimited)
	r.nested = nested
	a.returned(r, a.c.Close(frame.StatusNormalClosure, "done"))
}

func (a *lifeActor) netRead(k lifeCall) {
	a.nc.SetReadDeadline(a.netDeadline(k))
	for range k.count {
		r := a.begin(opNetRead, k.ctx)
		buf := make([]byte, max(1, k.size))
		n, err := a.nc.Read(buf)
		a.returned(r, err)
		a.bytes = append(a.bytes, buf[:n]...)
		if err != nil {
			return
		}
	}
}

func (a *lifeActor) netWrite(k lifeCall) {
	a.nc.SetWriteDeadline(time.Time{}) // shared: others would fail by it
	n := a.written
	a.written++
	p := lifeMessage(a.id, n, k.size)
	r := a.begin(opNetWrite, lifeUnlimited)
	r.number, r.size = n, len(p)
	_, err := a.nc.Write(p)
	a.returned(r, err)
}

func (a *lifeActor) netDeadline(k lifeCall) time.Time {
	if k.ctx < 0 {
		return time.Time{}
	}
	return time.Now().Add(k.ctx)
}
