package conn_test

import (
	"bytes"
	"cmp"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// The oracle of lives: what must hold after a life whatever its script was, as
// the table of states in ARCHITECTURE.md and the documentation promise it.

// A lifeCause is what a connection ended with.
type lifeCause uint8

const (
	causeLocal       lifeCause = iota // Close or CloseNow was called
	causeNoDeadlines                  // the ctx of a read ended, where the stream was closed for it
	causePeerClose
	causePeerFault
	causeReadEnd // or a failed read
	causeWriteFault
	causeStalled
	causeDead
	causeQueueFull
	causeAbandoned
	causeUnknown
)

// lifeCauseOf says what an error is the cause of.
func lifeCauseOf(err error) lifeCause {
	if _, ok := errors.AsType[*conn.CloseError](err); ok {
		return causePeerClose
	}
	if _, ok := errors.AsType[*frame.Error](err); ok {
		return causePeerFault
	}
	text := fmt.Sprint(err)
	switch {
	case errors.Is(err, net.ErrClosed) && strings.Contains(text, "without deadlines"):
		return causeNoDeadlines
	case errors.Is(err, net.ErrClosed):
		return causeLocal
	case errors.Is(err, conn.ErrQueueFull):
		return causeQueueFull
	case errors.Is(err, conn.ErrAbandoned):
		return causeAbandoned
	case errors.Is(err, os.ErrDeadlineExceeded) && strings.Contains(text, "no byte"):
		return causeDead
	case errors.Is(err, os.ErrDeadlineExceeded):
		return causeStalled
	case errors.Is(err, io.ErrUnexpectedEOF) && strings.Contains(text, "write:"):
		return causeWriteFault
	case errors.Is(err, io.ErrUnexpectedEOF):
		return causeReadEnd
	}
	return causeUnknown
}

// A lifeJudge collects what was wrong.
type lifeJudge struct {
	*life
	all       []*callRecord // of all goroutines
	busy      []span
	callbacks []span
	final     error // the cause
	cause     lifeCause
	limits    conn.Limits
	frames    lifeFrames
	faults    []string
	closed    moment // when Close or CloseNow was called first
}

// lifeFrames is what we sent.
type lifeFrames struct {
	messages map[[2]int]int // where the message of a goroutine ends
	closeEnd int            // where our Close frame ends; 0: there is none
	code     frame.StatusCode
	half     bool // the last frame or message is not whole
}

// judge returns what was wrong with a life.
func (l *life) judge() []string {
	j := &lifeJudge{life: l, final: l.after[0].err, limits: l.script.options.Limits}
	j.cause = lifeCauseOf(j.final)
	j.limits.WriteTimeout = cmp.Or(j.limits.WriteTimeout, 10*time.Second)
	j.limits.CloseTimeout = cmp.Or(j.limits.CloseTimeout, 5*time.Second)
	for _, a := range l.actors {
		j.all = append(j.all, a.calls...)
		j.busy = append(j.busy, a.busy...)
		j.callbacks = append(j.callbacks, a.callbacks...)
		j.faults = append(j.faults, a.faults...)
	}
	j.closed = never
	for _, r := range j.all {
		if r.op == opClose || r.op == opCloseNow {
			j.closed = min(j.closed, r.start)
		}
	}
	j.readFrames()
	j.judgeCause()
	j.judgeCalls()
	j.judgeDelivered()
	j.judgeSent()
	return j.faults
}

func (j *lifeJudge) fault(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}

// did reports whether the script has the deed.
func (j *lifeJudge) did(deeds ...lifeDeed) bool {
	return slices.ContainsFunc(j.script.events, func(e lifeEvent) bool { return slices.Contains(deeds, e.deed) })
}

// called reports whether op was called by t.
func (j *lifeJudge) called(op lifeOp, t moment) bool {
	return slices.ContainsFunc(j.all, func(r *callRecord) bool { return r.op == op && r.start <= t })
}

// judgeCause checks that the cause is one that can have been the first.
func (j *lifeJudge) judgeCause() {
	l, s := j.life, j.stream
	if j.closed < l.left {
		j.fault("Close was called at %v, and the connection left open at %v", j.closed, l.left)
	}
	if end := min(s.writeEnd, j.readEnd()); end < l.left {
		j.fault("the stream failed at %v, and the connection left open at %v", end, l.left)
	}
	plausible := true
	switch j.cause {
	case causeLocal:
		plausible = j.closed == l.left
	case causeNoDeadlines:
		plausible = s.kind.grace() > 0 && slices.ContainsFunc(j.all, func(r *callRecord) bool { return r.op.reads() && r.limit <= l.left || r.op == opCloseRead })
	case causePeerClose:
		e, _ := errors.AsType[*conn.CloseError](j.final)
		plausible = l.peer.closeEnd > 0 && s.in.when(l.peer.closeEnd) <= max(l.left, s.writeEnd+time.Minute) &&
			slices.ContainsFunc(j.script.events, func(v lifeEvent) bool { return v.deed == peerClose && v.code == int(e.Code) })
	case causePeerFault:
		plausible = l.peer.badEnd > 0 && s.in.total() > l.peer.badEnd-16 && j.garbled() || j.called(opCloseRead, l.left) || j.script.net
	case causeReadEnd:
		plausible = s.readEnd == l.left || s.readEnd < l.left && j.readEnd() == never
	case causeWriteFault:
		plausible = s.writeEnd == l.left
	case causeStalled:
		plausible = j.did(peerStall) || s.blocked >= j.limits.WriteTimeout
	case causeDead:
		plausible = j.script.options.Limits.PingInterval >= 0 &&
			l.left-s.in.last(l.left) >= cmp.Or(j.script.options.Limits.PingInterval, 25*time.Second)+cmp.Or(j.script.options.Limits.PingTimeout, 20*time.Second)
	case causeQueueFull:
		plausible = slices.ContainsFunc(j.all, func(r *callRecord) bool { return r.op == opSend && r.start == l.left })
	case causeAbandoned:
		plausible = slices.ContainsFunc(j.all, func(r *callRecord) bool { return r.op == opWriter && r.err != nil && r.size > 60<<10 })
	default:
		plausible = false
	}
	if !plausible {
		j.fault("the connection ended at %v with a cause that was none: %v", l.left, j.final)
	}
	for _, r := range l.after {
		if r.end != r.start || fmt.Sprint(r.err) != fmt.Sprint(j.final) {
			j.fault("after the end, which was %q: %v", j.final, r)
		}
	}
}

// garbled reports whether the peer's garbage is what the code of the cause is for.
func (j *lifeJudge) garbled() bool {
	return slices.ContainsFunc(j.script.events, func(e lifeEvent) bool {
		return e.deed == peerGarbage && garbageCodes[e.code] == conn.CloseStatus(j.final)
	})
}

// readEnd returns when a read told of the stream's end. A read that was woken by
// the end of its ctx may have been told so and not believed it: the next one is
// told again.
func (j *lifeJudge) readEnd() moment {
	end := j.stream.readEnd
	for _, r := range j.all {
		if r.limit == end || j.script.kind == lifeLiar && r.limit < end {
			return never
		}
	}
	return end
}

// broken reports whether a write ended the connection for the application. Where
// deadlines do not work the stream is closed under a write without progress, and
// only the call that wrote is sure to say so; if that was none of the application's, only
// the time since the last byte does.
func (j *lifeJudge) broken() bool {
	return j.stream.writeEnd == j.left || j.cause == causeStalled || j.cause == causeWriteFault ||
		j.stream.out.stalled(j.limits.WriteTimeout, j.left) ||
		slices.ContainsFunc(j.all, func(r *callRecord) bool { return r.end == j.left && lifeCauseOf(r.err) == causeStalled })
}

// judgeCalls checks when calls returned, and with what.
func (j *lifeJudge) judgeCalls() {
	for _, r := range j.all {
		j.judgeError(r)
		j.judgeTime(r)
	}
	limit := j.left + 4*j.limits.WriteTimeout + 2*j.limits.CloseTimeout + 3*time.Second
	for _, b := range j.busy {
		limit += b.to - b.from
	}
	if j.broken() { // whoever still reads what had arrived has the time for that
		for _, r := range j.all {
			if r.op.reads() {
				limit += 2 * j.limits.CloseTimeout
			}
		}
	}
	if j.gone > limit {
		j.fault("the connection left open at %v, and the stream was closed at %v", j.left, j.gone)
	}
}

// judgeError checks that a call's error is the cause, or one of its own.
func (j *lifeJudge) judgeError(r *callRecord) {
	err := r.err
	if err == nil {
		return
	}
	text := err.Error()
	switch {
	case isContextError(err):
		if r.end < r.limit || r.own {
			j.fault("the error of a ctx that had not ended: %v", r)
		}
	case r.op == opClose || r.op == opCloseNow:
		if !errors.Is(err, net.ErrClosed) && text != fmt.Sprint(j.final) && (r.op != opClose || !strings.Contains(text, "did not answer")) {
			j.fault("%v", r)
		}
	case r.op == opPart && strings.Contains(text, "another read"):
	case r.op == opNetRead && err == os.ErrDeadlineExceeded:
		if r.end < r.limit {
			j.fault("the error of a deadline that had not passed: %v", r)
		}
	case r.op == opNetRead && err == io.EOF, r.op == opNetWrite && err == io.EOF:
		if code := conn.CloseStatus(j.final); code != 1000 && code != 1001 {
			j.fault("io.EOF after %v: %v", j.final, r)
		}
	case r.op == opSend && errors.Is(err, conn.ErrQueueFull) && r.start <= j.left:
	case r.op == opCloseRead && r.end < j.left:
		j.fault("%v", r)
	case r.end < j.left:
		j.fault("an error before the end, which was at %v: %v", j.left, r)
	case text == j.final.Error():
	case j.cause == causePeerClose && j.broken() && (lifeCauseOf(err) == causeWriteFault || lifeCauseOf(err) == causeStalled):
	default:
		j.fault("another error than the cause, which is %q: %v", j.final, r)
	}
}

// judgeTime checks that a call waited for nothing but what its caller needs.
func (j *lifeJudge) judgeTime(r *callRecord) {
	if r.op == opWriter { // its steps are judged
		return
	}
	grace := j.script.kind.grace()
	if end := max(j.idleFrom(r.limit, r), r.start); r.limit != never && r.end > end+grace {
		j.fault("a call outlived its ctx: %v", r)
	}
	if r.start <= j.left && r.end > j.left {
		j.judgeAtEnd(r)
	}
	if heard := j.heard(); r.op.reads() && r.start <= heard && heard < min(r.end, j.left) && !j.isBusy(heard) {
		j.fault("the end had come at %v: %v", heard, r)
	}
	if r.op == opClose {
		j.judgeClose(r)
	}
}

// judgeAtEnd checks a call that was waiting when the connection ended.
func (j *lifeJudge) judgeAtEnd(r *callRecord) {
	limit := j.left
	switch {
	case r.op == opClose:
		return
	case r.op.writes(), r.op == opStep: // it may wait until its bytes are out
		limit = j.gone
	case j.broken():
		limit = j.gone
	case r.op.reads() || r.op == opCloseRead:
		if j.script.kind.grace() > 0 {
			limit = j.gone // the read can't be woken
		}
	}
	if r.end > j.idleFrom(limit, r) {
		j.fault("the connection ended at %v, and a call waited on: %v", j.left, r)
	}
}

// idleFrom returns t, or when the callbacks of r that ran at t ended; where deadlines do not
// work, that began as late as a read may return.
func (j *lifeJudge) idleFrom(t moment, r *callRecord) moment {
	if r.op == opEach {
		for _, b := range j.busy {
			if b.from <= t+j.script.kind.grace() && t < b.to {
				t = b.to
			}
		}
	}
	return t
}

// isBusy reports whether a callback ran at t.
func (j *lifeJudge) isBusy(t moment) bool { return inSpan(j.busy, t) }

// inSpan reports whether t is in one of the spans.
func inSpan(spans []span, t moment) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.from <= t && t <= s.to })
}

// heard returns when we had read the peer's Close frame, or what else ended the
// connection.
func (j *lifeJudge) heard() moment {
	heard := j.readEnd()
	for _, end := range []int{j.peer.closeEnd, j.peer.badEnd} {
		if end > 0 {
			heard = min(heard, j.stream.in.when(end))
		}
	}
	return heard
}

// judgeClose checks how long Close waited.
func (j *lifeJudge) judgeClose(r *callRecord) {
	limit := j.gone
	if j.frames.closeEnd > 0 {
		limit = min(limit, max(r.start, j.stream.out.when(j.frames.closeEnd))+j.limits.CloseTimeout)
	}
	if end := j.peer.closeEnd; end > 0 {
		if at := max(r.start, j.stream.in.when(end)); !j.isBusy(at) {
			limit = min(limit, at)
		}
	}
	if r.end > max(limit, r.start) {
		j.fault("Close could have returned at %v: %v", limit, r)
	}
	if r.err == nil && !r.nested && !inSpan(j.callbacks, r.start) && (j.peer.closeEnd == 0 || j.stream.in.when(j.peer.closeEnd) > r.end) {
		j.fault("the peer's Close frame had not come: %v", r)
	}
}

// judgeDelivered checks which of the peer's messages the application got.
func (j *lifeJudge) judgeDelivered() {
	if j.script.net {
		j.judgeNetRead()
		return
	}
	got := make(map[int]moment)
	unknown := 0
	highest := -1
	for _, a := range j.actors {
		last := -1
		for _, r := range a.calls {
			unknown += r.unknown
			for _, d := range r.took {
				if _, twice := got[d.number]; twice || d.number <= last {
					j.fault("message %d came twice, or after %d", d.number, last)
				}
				last = d.number
				highest = max(highest, last)
				got[d.number] = d.at
				if d.at > j.left && !j.broken() {
					j.fault("message %d came at %v, after the end at %v", d.number, d.at, j.left)
				}
			}
		}
	}
	if gaps := highest + 1 - len(got); gaps > unknown {
		j.fault("%d messages were lost before message %d", gaps-unknown, highest)
	}
	if highest >= len(j.peer.messages) {
		j.fault("message %d was never sent", highest)
	}
	want := 0
	for i, m := range j.peer.messages {
		if j.mustCome(m) {
			want = i + 1
		}
	}
	if n := len(got) + unknown; n < want {
		j.fault("%d messages came, and %d had arrived before the end at %v (%v)", n, want, j.left, j.final)
	}
}

// mustCome reports whether the application must have got a message.
func (j *lifeJudge) mustCome(m lifeArrival) bool {
	if m.at == never || j.called(opCloseRead, never) {
		return false
	}
	switch j.cause {
	case causePeerClose, causeReadEnd:
		return j.stream.readErr == nil || j.stream.readErr == io.EOF || m.end <= j.peer.closeEnd && j.cause == causePeerClose
	case causePeerFault:
		return m.end <= j.peer.badEnd
	case causeWriteFault, causeStalled:
		return m.at < j.left && j.devoted() && j.closed > j.gone && !j.did(peerReset) && (j.cause != causeStalled || j.script.kind.grace() == 0)
	}
	return false
}

// devoted reports whether a goroutine that reads until it is told of the end
// did so when a write failed, or began soon enough after that.
func (j *lifeJudge) devoted() bool {
	return len(j.busy) == 0 && slices.ContainsFunc(j.all, func(r *callRecord) bool {
		return r.onward && r.start < j.left+j.limits.CloseTimeout && r.end >= j.left
	})
}

// judgeNetRead checks the bytes that a NetConn delivered.
func (j *lifeJudge) judgeNetRead() {
	p := j.actors[0].bytes
	for n := 0; len(p) > 0; n++ {
		_, number, size, ok := parseLifeMessage(p)
		if len(p) >= lifeHeader && (!ok || number != n) {
			j.fault("the NetConn delivers %.40q for message %d", p, n)
			return
		}
		if len(p) < max(size, lifeHeader) {
			return
		}
		if _, _, ok := wholeLifeMessage(p[:size]); !ok {
			j.fault("the NetConn delivers another message %d", n)
		}
		p = p[size:]
	}
}

// readFrames reads what we sent.
func (j *lifeJudge) readFrames() {
	f := &j.frames
	f.messages = make(map[[2]int]int)
	b := j.stream.wrote
	var message, window []byte
	var first frame.Header
	pong := 0
	last := make(map[int]int)
	for pos := 0; pos < len(b); {
		h, n, err := frame.Parse(b[pos:])
		if err != nil {
			j.fault("at byte %d we sent: %v", pos, err)
			return
		}
		if f.closeEnd > 0 {
			j.fault("%d bytes after our Close frame", len(b)-pos)
			return
		}
		end := pos + n + int(h.Length)
		if n == 0 || end > len(b) {
			f.half = true
			return
		}
		p := bytes.Clone(b[pos+n : end])
		mask.Bytes(p, h.MaskKey, 0)
		pos = end
		if h.Masked != (j.script.role == conn.RoleClient) || h.Rsv2 || h.Rsv3 || h.Opcode.IsReserved() {
			j.fault("at byte %d we sent %+v", pos, h)
		}
		if h.Opcode.IsControl() {
			j.control(h, p, end, &pong)
			continue
		}
		if (h.Opcode == frame.Continuation) != (message != nil) || h.Rsv1 && h.Opcode == frame.Continuation {
			j.fault("at byte %d we sent %+v", pos, h)
		}
		if message == nil {
			message, first = []byte{}, h
		}
		message = append(message, p...)
		if !h.Fin {
			continue
		}
		if first.Rsv1 {
			message, err = inflateLife(message, window)
			window = append(window, message...)
			window = window[max(0, len(window)-32<<10):]
		}
		by, number, ok := wholeLifeMessage(message)
		if _, twice := f.messages[[2]int{by, number}]; !ok || twice || err != nil {
			j.fault("at byte %d we sent message %d of %d, twice %t: %.40q, %v", pos, number, by, twice, message, err)
		}
		if before, ok := last[by]; ok && before > number {
			j.fault("we sent message %d of goroutine %d after %d", number, by, before)
		}
		last[by] = number
		f.messages[[2]int{by, number}] = end
		message = nil
	}
	f.half = message != nil
}

// control checks a control frame of ours.
func (j *lifeJudge) control(h frame.Header, p []byte, end int, pong *int) {
	if !h.Fin || h.Rsv1 || len(p) > frame.MaxControlPayload {
		j.fault("we sent %+v", h)
	}
	switch h.Opcode {
	case frame.Close:
		code, _, err := frame.ParseClose(p)
		if err != nil {
			j.fault("we sent a Close frame: %v", err)
		}
		j.frames.closeEnd, j.frames.code = end, code
	case frame.Pong:
		var n int
		if _, err := fmt.Sscanf(string(p), "ping %d", &n); err != nil || n <= *pong || n > j.peer.pings {
			j.fault("we sent the Pong %q after that of %d, of %d", p, *pong, j.peer.pings)
		}
		*pong = n
	}
}

func inflateLife(p, window []byte) ([]byte, error) {
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")), window)
	return io.ReadAll(r)
}

// judgeSent checks that what was written was sent.
func (j *lifeJudge) judgeSent() {
	prompt := !j.did(peerStall)
	for _, a := range j.actors {
		for _, r := range a.calls {
			end, sent := j.frames.messages[[2]int{a.id, r.number}]
			if !r.op.writes() || r.err != nil || r.op == opSend && j.mayDrop(r) {
				continue
			}
			if j.frames.closeEnd > 0 && !sent {
				j.fault("our Close frame was sent, and this was not: %v", r)
			}
			if prompt && r.end < j.left && (!sent || j.stream.out.when(end) > r.end) {
				j.fault("sent late, or not (%t): %v", sent, r)
			}
		}
	}
	j.judgeCloseFrame(prompt)
}

// mayDrop reports whether a message of Send need not have been sent.
func (j *lifeJudge) mayDrop(r *callRecord) bool {
	if j.script.options.Overflow == conn.OverflowDropOldest || j.cause == causeQueueFull {
		return true
	}
	return slices.ContainsFunc(j.all, func(w *callRecord) bool {
		if errors.Is(w.err, conn.ErrQueueFull) { // the cause, had another end not come first
			return true
		}
		// It waits for the end of a message.
		return w.op == opWriter && w.size > 60<<10 && w.start <= r.end && w.end >= r.start
	})
}

// judgeCloseFrame checks that our Close frame was sent where it could be, with
// the code that belongs to the cause.
func (j *lifeJudge) judgeCloseFrame(prompt bool) {
	want := frame.StatusCode(0)
	switch j.cause {
	case causeLocal:
		want = frame.StatusNormalClosure
	case causePeerClose, causePeerFault, causeQueueFull, causeAbandoned:
		want = conn.CloseStatus(j.final)
	default:
		if j.frames.closeEnd > 0 {
			j.fault("a Close frame with %v after %v", j.frames.code, j.final)
		}
		return
	}
	switch {
	case j.frames.closeEnd > 0 && j.frames.code != want:
		j.fault("a Close frame with %v after %v", j.frames.code, j.final)
	case j.frames.closeEnd == 0 && prompt && j.stream.writeEnd == never && j.stream.readEnd >= j.left &&
		!j.called(opCloseNow, never) && !j.did(peerCut, peerReset, peerFailWrites) && !j.closedForContext():
		j.fault("no Close frame after %v", j.final)
	}
}

// closedForContext reports whether the stream may have been closed because the
// ctx of a read ended, where nothing else ends the read.
func (j *lifeJudge) closedForContext() bool {
	k := j.script.kind
	return k.grace() > 0 && slices.ContainsFunc(j.all, func(r *callRecord) bool {
		return (r.op.reads() || r.op == opCloseRead) && (r.limit == j.gone || r.limit+k.grace() == j.gone)
	})
}
