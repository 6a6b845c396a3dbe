package conn

import (
	"context"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// frame appends a frame of a message and sends what is pending as far as it
// may. Called with mu held, which is given up meanwhile.
func (o *outbound) frame(ctx context.Context, h *frame.Header, p []byte) error {
	if len(p) > maxBatch {
		return o.largeFrame(ctx, *h, p)
	}
	o.smallFrame(h, p)
	return o.commit(ctx)
}

// smallFrame appends a frame that is no larger than a batch.
func (o *outbound) smallFrame(h *frame.Header, p []byte) {
	b := o.pending.reserve(frame.MaxHeaderLen + len(p))
	b.B = o.append(b.B, h, p)
}

// append appends a frame to b, which has room for it. The payload is masked
// while it is copied. Length is filled in. Headers are passed by their address:
// to read one back whole that was just filled in costs more than to write its
// bytes.
func (o *outbound) append(b []byte, h *frame.Header, p []byte) []byte {
	if !o.masks() {
		b = frame.Header{Fin: h.Fin, Rsv1: h.Rsv1, Opcode: h.Opcode, Length: int64(len(p))}.Append(b)
		return append(b, p...)
	}
	h.Length = int64(len(p))
	m := o.masked(*h)
	b = m.Append(b)
	have := len(b)
	b = b[:have+len(p)]
	mask.Copy(b[have:], p, m.MaskKey, 0)
	return b
}

// encode returns a small frame as a slice of its own.
func (o *outbound) encode(h frame.Header, p []byte) []byte {
	return o.append(make([]byte, 0, frame.MaxHeaderLen+len(p)), &h, p)
}

// header appends a header, with a key if frames are to be masked.
func (o *outbound) header(h frame.Header) (key [4]byte) {
	h = o.masked(h)
	b := o.pending.reserve(frame.MaxHeaderLen)
	b.B = h.Append(b.B)
	return h.MaskKey
}

// payload appends bytes of a payload from position pos on, masked if frames
// are: in one pass, and p is not touched.
func (o *outbound) payload(key [4]byte, p []byte, pos int) {
	b := o.pending.reserve(len(p))
	if !o.masks() {
		b.B = append(b.B, p...)
		return
	}
	have := len(b.B)
	b.B = b.B[:have+len(p)]
	mask.Copy(b.B[have:], p, key, pos&3)
}

// largeFrame sends a frame that is larger than a batch, and a whole message, piece by
// piece as there is room. Once its header is appended it goes out whole: if ctx ends, the rest
// is appended at once.
func (o *outbound) largeFrame(ctx context.Context, h frame.Header, p []byte) error {
	h.Length = int64(len(p))
	o.message.take()
	o.partial = true
	err := o.pieces(ctx, h, p)
	o.partial = false
	o.endMessage()
	o.pending.endFrame() // last: nothing is sent after a Close frame
	if err != nil {
		o.push() // nobody else may come to send the rest of it, and the control frames that were kept
		return err
	}
	return o.commit(ctx)
}

// pieces appends the frame of largeFrame.
func (o *outbound) pieces(ctx context.Context, h frame.Header, p []byte) error {
	key := o.header(h)
	for pos := 0; ; {
		n := min(len(p)-pos, max(maxBatch-o.pending.len(), 0))
		o.payload(key, p[pos:pos+n], pos)
		if pos += n; pos == len(p) {
			return nil
		}
		if err := o.pushPiece(ctx); err != nil {
			return err
		}
		if o.mayPass() {
			n, err := o.passPiece(p[pos:])
			if err != nil {
				return err
			}
			if pos += n; pos == len(p) {
				return nil
			}
		}
		for o.pending.len() >= maxBatch { // whoever writes takes it along: to push again would wake us again
			if err := o.wait(ctx, o.progress.wait()); err != nil {
				o.payload(key, p[pos:], pos)
				return &committedError{err}
			}
			if o.c.life.is(broken) || o.c.life.is(over) {
				return o.c.life.writeErr()
			}
		}
	}
}

// pushPiece sends what is pending of a large frame.
func (o *outbound) pushPiece(ctx context.Context) error {
	if o.mayWrite(ctx) {
		return o.pushNow()
	}
	return o.push()
}

// mayPass reports whether the caller's bytes may go to the stream without being
// appended, after pushPiece: nothing is before them, since the caller may write and has done
// so, and they need no mask.
func (o *outbound) mayPass() bool { return !o.masks() && !o.writing() && o.pending.empty() }

// passPiece hands p, from the middle of a frame, to the stream.
func (o *outbound) passPiece(p []byte) (int, error) {
	o.take()
	o.mu.Unlock()
	n, err := o.writeNow(p)
	o.lock()
	return n, o.wrote(batch{}, err)
}
