package conn

import "github.com/parleyws/parley/frame"

// sendClose appends our Close frame, the last one of all, and ends the sending
// of messages. half asks for the half-close behind it.
func (o *outbound) sendClose(code frame.StatusCode, reason string, half bool) {
	o.lock()
	defer o.unlock()
	o.refuse()
	o.closing, o.half = true, half
	var payload [frame.MaxControlPayload]byte
	p := frame.AppendClose(payload[:0], code, reason)
	h := frame.Header{Fin: true, Opcode: frame.Close, Length: int64(len(p))}
	if o.mid {
		o.pending.later(frame.Close, o.encode(h, p))
		return
	}
	b := o.pending.reserve(frame.MaxHeaderLen + len(p))
	b.B = o.append(b.B, &h, p)
	o.push(false)
}

// halfClose asks for the half-close behind a Close frame that is on its way.
func (o *outbound) halfClose(half bool) {
	o.lock()
	defer o.unlock()
	o.half = half
	switch {
	case o.writing || o.flush || o.pending.len() > 0: // done behind it
	case o.c.src.CanTry():
		o.drained()
	default: // the end of a TLS stream is an alert, which may block
		o.startFlusher()
	}
}

// refuse ends the sending of messages.
func (o *outbound) refuse() {
	o.shut.Store(true)
	if o.pending.late != nil {
		o.pending.late.parked.clear()
	}
	o.signal()
	o.token.giveUp()
}

// over lets go of everything.
func (o *outbound) over() {
	o.lock()
	defer o.unlock()
	o.refuse()
	o.gone = true
	o.pending.forget()
}
