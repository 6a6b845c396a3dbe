package conn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/mask"
)

// outbound is the sending half of a Conn: the one way out. Frames are put
// behind each other in pending; one goroutine at a time, the one that has
// writing, hands them to the stream. The mutex is never held meanwhile, so
// that others go on appending, and what they append goes out together (group
// commit).
//
// On a plain socket nobody but the flusher ever blocks in a write: a writer
// tries without blocking, and what does not go is the flusher's. On other
// streams, which can't be tried, a writer blocks if its ctx can't end, and the
// reader leaves everything to the flusher: a reader that blocks in a write
// waits for a peer that may be waiting for it.
//
// The flusher is a goroutine that exists only while there is something for it.
type outbound struct {
	c       *Conn
	masker  *rand.ChaCha8 // client: of masking keys
	deflate *deflation    // nil: off
	flusher func()        // runFlusher, made once

	// corked: the read that is delivering has more messages at hand. Set by
	// the goroutine that has the turn to read.
	corked atomic.Bool
	// shut: no message is delivered or accepted any more.
	shut     atomic.Bool
	overflow Overflow

	mu      sync.Mutex
	pending pending
	err     error         // of every message from now on
	writing bool          // somebody hands octets to the stream
	flush   bool          // the flusher has been started and has not ended
	rest    []byte        // what the stream did not take of a batch; with it writing is the flusher's
	batch   *buffer       // that the batch lies in, if it is a buffer
	room    chan struct{} // closed when pending shrinks; nil: nobody waits
	token   turn          // of a message that is sent in several steps
	mid     bool          // a frame is half appended: control frames come behind it
	half    bool          // half-close behind what is pending
	halved  bool
	closing bool // our Close frame is pending or out
	gone    bool // the stream is closed
}

// maxBatch is how many octets may be pending before a writer waits for room,
// and what leaves at once even if it is corked.
const maxBatch = 64 << 10

func (o *outbound) init(c *Conn, role Role, agreed *handshake.Deflate, opts *Options) {
	o.c = c
	if role == RoleClient {
		o.masker = newMasker()
	}
	o.deflate = newDeflation(role, agreed, opts.Compression)
	o.overflow = opts.Overflow
	o.flusher = o.runFlusher
}

// ended returns what a write would fail with.
func (o *outbound) ended() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// admit waits until a message may be appended: no other one is half sent
// (mine: it is this one), and there is room. Called with mu held.
func (o *outbound) admit(ctx context.Context, mine bool) error {
	for {
		var free <-chan struct{}
		switch {
		case o.err != nil:
			return o.err
		case o.token.held && !mine:
			free = o.token.vacancy()
		case o.pending.len() >= maxBatch && (o.writing || o.flush):
			free = o.vacancy()
		default:
			return nil
		}
		if err := o.wait(ctx, free); err != nil {
			return err
		}
	}
}

// wait waits for free, without mu.
func (o *outbound) wait(ctx context.Context, free <-chan struct{}) error {
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case <-free:
		return nil
	case <-ctx.Done():
		return contextError("write", ctx)
	}
}

func (o *outbound) vacancy() <-chan struct{} {
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

// signal wakes those who wait for room.
func (o *outbound) signal() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// frame appends a frame and sends what is pending as far as it may.
func (o *outbound) frame(ctx context.Context, h frame.Header, p []byte) error {
	if len(p) > maxBatch-frame.MaxHeaderLen {
		return o.largeFrame(ctx, h, p)
	}
	h.Length = int64(len(p))
	o.pending.reserve(frame.MaxHeaderLen + len(p))
	o.payload(o.header(h), p, 0)
	return o.push(o.mayBlock(ctx))
}

// header appends a header, with a key if frames are to be masked.
func (o *outbound) header(h frame.Header) (key [4]byte) {
	h = o.masked(h)
	b := o.pending.own()
	b.b = h.Append(b.b)
	return h.MaskKey
}

// masked returns h with a fresh key if frames are to be masked.
func (o *outbound) masked(h frame.Header) frame.Header {
	if o.masker != nil {
		h.Masked = true
		binary.LittleEndian.PutUint32(h.MaskKey[:], uint32(o.masker.Uint64()))
	}
	return h
}

// payload appends octets of a payload from position pos on, masked if frames
// are: one pass, and p is not touched.
func (o *outbound) payload(key [4]byte, p []byte, pos int) {
	o.pending.reserve(len(p))
	b := o.pending.own()
	if o.masker == nil {
		b.b = append(b.b, p...)
		return
	}
	have := len(b.b)
	b.b = b.b[:have+len(p)]
	mask.Copy(b.b[have:], p, key, pos&3)
}

// largeFrame sends a frame that is larger than a batch, piece by piece as there
// is room. Once its header is appended it goes out whole: if ctx ends the rest
// is appended at once.
func (o *outbound) largeFrame(ctx context.Context, h frame.Header, p []byte) error {
	h.Length = int64(len(p))
	mine := !o.token.held
	o.token.held, o.mid = true, true
	defer func() {
		o.mid = false
		o.pending.endFrame()
		o.push(false) // nobody else may come to send the control frames that were kept
		if mine {
			o.endMessage()
		}
	}()
	key := o.header(h)
	for pos := 0; ; {
		n := min(len(p)-pos, max(maxBatch-o.pending.len(), 0))
		o.payload(key, p[pos:pos+n], pos)
		pos += n
		if err := o.push(o.mayBlock(ctx)); err != nil {
			return err
		}
		if pos < len(p) && o.masker == nil && o.direct(ctx) {
			n, err := o.writeDirect(p[pos:])
			if err != nil {
				return err
			}
			pos += n
		}
		if pos == len(p) {
			return nil
		}
		if o.pending.len() < maxBatch {
			continue
		}
		if err := o.wait(ctx, o.vacancy()); err != nil {
			o.payload(key, p[pos:], pos)
			o.push(false)
			return err
		}
		if o.gone {
			return o.err
		}
	}
}

// endMessage gives the message token up and lets those messages go that were
// sent meanwhile by Send.
func (o *outbound) endMessage() {
	o.token.giveUp()
	o.pending.unpark()
	o.push(false)
}

// direct reports whether a caller's octets may go to the stream without being
// appended: nothing is before them.
func (o *outbound) direct(ctx context.Context) bool {
	return !o.writing && o.pending.len() == 0 && (o.c.src.canTry() || o.mayBlock(ctx))
}

// mayBlock reports whether a writer with ctx may block in a write: ctx can't
// end, or it is the connection's own, which ends with the stream as the write
// does.
func (o *outbound) mayBlock(ctx context.Context) bool {
	return ctx.Done() == nil || ctx.Done() == o.c.end.done
}

// writeDirect hands p to the stream.
func (o *outbound) writeDirect(p []byte) (int, error) {
	o.writing = true
	o.mu.Unlock()
	n, err := o.c.src.writeNow(p, o.c.limits.WriteTimeout)
	o.mu.Lock()
	return n, o.wrote(nil, err)
}

// push sends what is pending, or sees to it that it is sent. It blocks in a
// write only if the caller may: the reader must not. Called with mu held, which
// is given up meanwhile.
func (o *outbound) push(block bool) error {
	switch {
	case o.writing: // goes with what is being written, or behind it
		return nil
	case o.pending.len() == 0:
		return nil
	case o.corked.Load() && o.pending.len() < maxBatch && !o.closing,
		!block && !o.c.src.canTry():
		o.startFlusher()
		return nil
	}
	o.writing = true
	p := o.take()
	o.mu.Unlock()
	n, err := o.c.src.writeNow(p, o.c.limits.WriteTimeout)
	o.mu.Lock()
	return o.wrote(p[n:], err)
}

// take takes what is to be written next out of pending.
func (o *outbound) take() (p []byte) {
	if !o.mid {
		o.pending.endFrame()
	}
	p, o.batch = o.pending.take()
	return p
}

// wrote is the end of a write: rest was not taken.
func (o *outbound) wrote(rest []byte, err error) error {
	if err == nil && len(rest) > 0 {
		o.rest = rest
		o.startFlusher()
		return nil
	}
	o.writing = false
	putBuffer(o.batch)
	o.batch = nil
	if err != nil {
		return o.broken(err)
	}
	o.signal()
	if o.pending.len() > 0 {
		o.startFlusher() // no writer is held captive by what others append
		return nil
	}
	o.drained()
	return nil
}

// drained does what was to be done behind the last octet.
func (o *outbound) drained() {
	if !o.closing || o.mid {
		return
	}
	o.c.end.limit(o.c.limits.CloseTimeout, o.c.cut)
	if o.half && !o.halved {
		o.halved = true
		o.mu.Unlock()
		o.c.src.closeWrite()
		o.mu.Lock()
	}
}

// broken ends the connection after a failed write. mu is given up meanwhile.
func (o *outbound) broken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	} else {
		err = fmt.Errorf("websocket: write: %w", err)
	}
	o.mu.Unlock()
	o.c.drop(streamEnd, err)
	o.mu.Lock()
	o.signal()
	return o.c.end.err()
}

func (o *outbound) startFlusher() {
	if !o.flush {
		o.flush = true
		go o.flusher()
	}
}

// runFlusher is the flusher: it writes until nothing is pending.
func (o *outbound) runFlusher() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing && o.rest == nil {
		o.flush = false // who writes will start another one if need be
		return
	}
	for o.rest != nil || o.pending.len() > 0 {
		p := o.rest
		o.rest = nil
		if p == nil {
			o.writing = true
			p = o.take()
		}
		o.mu.Unlock()
		err := o.c.src.writeAll(p, o.c.limits.WriteTimeout)
		o.mu.Lock()
		o.writing = false
		putBuffer(o.batch)
		o.batch = nil
		if err != nil {
			o.broken(err)
			break
		}
		o.signal()
	}
	o.flush = false
	o.drained()
}

// control sends a control frame, at once unless hold is set, which the reader
// does when it has more octets at hand. It never blocks. While writing blocks,
// of several Pongs only the latest is kept (RFC 6455, section 5.5.3).
func (o *outbound) control(op frame.Opcode, p []byte, hold bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	h := frame.Header{Fin: true, Opcode: op, Length: int64(len(p))}
	if o.mid || op == frame.Pong && o.pending.len() >= maxBatch {
		o.pending.later(op, o.encode(h, p))
		return nil
	}
	o.pending.reserve(frame.MaxHeaderLen + len(p))
	o.payload(o.header(h), p, 0)
	if hold && !o.writing {
		o.startFlusher()
		return nil
	}
	return o.push(false)
}

// encode returns a small frame as a slice of its own.
func (o *outbound) encode(h frame.Header, p []byte) []byte {
	h = o.masked(h)
	b := h.Append(make([]byte, 0, frame.MaxHeaderLen+len(p)))
	n := len(b)
	b = append(b, p...)
	if h.Masked {
		mask.Bytes(b[n:], h.MaskKey, 0)
	}
	return b
}

// sendClose appends our Close frame, the last one of all, and ends the sending
// of messages. half asks for the half-close behind it.
func (o *outbound) sendClose(code frame.StatusCode, reason string, half bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse()
	o.closing, o.half = true, half
	var payload [frame.MaxControlPayload]byte
	p := frame.AppendClose(payload[:0], code, reason)
	h := frame.Header{Fin: true, Opcode: frame.Close, Length: int64(len(p))}
	if o.mid {
		o.pending.later(frame.Close, o.encode(h, p))
		return
	}
	o.pending.reserve(frame.MaxHeaderLen + len(p))
	o.payload(o.header(h), p, 0)
	o.push(false)
}

// halfClose asks for the half-close behind a Close frame that is on its way.
func (o *outbound) halfClose(half bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.half = half
	switch {
	case o.writing || o.flush || o.pending.len() > 0: // done behind it
	case o.c.src.raw != nil:
		o.drained()
	default: // the end of a TLS stream is an alert, which may block
		o.startFlusher()
	}
}

// refuse ends the sending of messages.
func (o *outbound) refuse() {
	o.err = o.c.end.err()
	o.shut.Store(true)
	if o.pending.late != nil {
		o.pending.late.parked.clear()
	}
	o.signal()
	o.token.giveUp()
}

// over lets go of everything.
func (o *outbound) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse()
	o.gone = true
	o.pending.forget()
}

// cork tells that the read that delivers has more messages at hand.
func (o *outbound) cork(on bool) {
	if o.corked.Load() != on {
		o.corked.Store(on)
	}
}

// uncork sends what was held back. The reader calls it before each read of the
// stream.
func (o *outbound) uncork() {
	o.cork(false)
	o.mu.Lock()
	o.push(false)
	o.mu.Unlock()
}

// closed reports whether messages that still come are to be discarded.
func (o *outbound) closed() bool { return o.shut.Load() }
