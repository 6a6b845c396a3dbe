package conn

import (
	"context"
	"sync/atomic"

	"github.com/parleyws/parley/frame"
)

// A Prepared is a message that is encoded once, and compressed once, for any
// number of connections. It is immutable and may be used from any goroutine.
type Prepared struct {
	kind    MessageType
	plain   []byte // the whole unmasked frame
	payload []byte // its end
	never   bool   // it is not compressed
	variant atomic.Pointer[variant]
}

// A variant is a Prepared as a compressed frame. They form a list, one for
// each kind of connection that there is.
type variant struct {
	pool  *codecPool
	bits  int
	frame []byte
	next  *variant
}

// NewPrepared prepares a message. p is copied.
func NewPrepared(t MessageType, p []byte) *Prepared {
	h := frame.Header{Fin: true, Opcode: t.opcode(), Length: int64(len(p))}
	b := h.Append(make([]byte, 0, frame.MaxHeaderLen+len(p)))
	n := len(b)
	b = append(b, p...)
	return &Prepared{kind: t, plain: b, payload: b[n:len(b):len(b)]}
}

// Len returns the length of the message in bytes, uncompressed.
func (p *Prepared) Len() int { return len(p.payload) }

// Payload returns the message, uncompressed. It must not be modified.
func (p *Prepared) Payload() []byte { return p.payload }

// Uncompressed returns p as a message that is never compressed, whatever the
// handshake has agreed on: for what is compressed already.
func (p *Prepared) Uncompressed() *Prepared {
	return &Prepared{kind: p.kind, plain: p.plain, payload: p.payload, never: true}
}

// frame returns p as the unmasked frame that it is on a connection whose
// compression is d.
func (p *Prepared) frame(d *deflation) ([]byte, error) {
	if !d.applies(p.payload) || p.never {
		return p.plain, nil
	}
	first := p.variant.Load()
	for v := first; v != nil; v = v.next {
		if v.pool == d.pool && v.bits == d.bits {
			return v.frame, nil
		}
	}
	return p.deflate(d, first)
}

// deflate returns p as a compressed frame for a connection whose compression is
// d, and keeps it in front of first. It refers to no window, so that it suits
// all of them.
func (p *Prepared) deflate(d *deflation, first *variant) ([]byte, error) {
	b, err := newDeflater(d.pool.codec, false, d.bits).compress(nil, p.payload)
	if err != nil {
		return nil, err
	}
	h := frame.Header{Fin: true, Rsv1: true, Opcode: p.kind.opcode(), Length: int64(len(b))}
	v := &variant{pool: d.pool, bits: d.bits, next: first}
	v.frame = append(h.Append(make([]byte, 0, frame.MaxHeaderLen+len(b))), b...)
	p.variant.CompareAndSwap(first, v) // who comes second does without
	return v.frame, nil
}

// WritePrepared is Write for a prepared message. Where frames are not masked
// its bytes are never copied, unless they go out along with others.
func (c *Conn) WritePrepared(ctx context.Context, p *Prepared) error {
	if ctx.Err() != nil {
		return c.tooLate("write", ctx)
	}
	o := &c.out
	b, err := p.frame(o.deflation())
	if err != nil {
		return err
	}
	if o.mayWrite(ctx) && o.pass() {
		n, err := o.writeNow(b)
		return o.passed(b, nil, n, err)
	}
	return o.prepared(ctx, b)
}

// prepared sends b, the frame of a Prepared, for a writer that has met others.
func (o *outbound) prepared(ctx context.Context, b []byte) error {
	o.lock()
	defer o.unlock()
	if err := o.admit(ctx, false); err != nil {
		return err
	}
	if b = o.forPeer(b); o.mayWrite(ctx) {
		o.pending.share(sharedFrame{p: b})
	} else { // commit waits for bytes of our own
		own := o.pending.reserve(len(b))
		own.B = append(own.B, b...)
	}
	return o.commit(ctx)
}

// forPeer returns b, the frame of a Prepared, as the peer gets it: where frames
// are masked one of its own, and otherwise the one for all.
func (o *outbound) forPeer(b []byte) []byte {
	if !o.serial {
		return b
	}
	h, n, _ := frame.Parse(b)
	if h.Rsv1 {
		o.deflation().deflater.reset() // the peer's window moves without ours
	}
	if !o.masks() {
		return b
	}
	return o.encode(h, b[n:])
}
