package conn

import "github.com/parleyws/parley/frame"

// control sends a control frame that is no Close frame, at once unless hold is
// set, which the reader does when it has more bytes at hand. It never blocks. While writing blocks,
// of several Pongs only the latest is kept (RFC 6455, section 5.5.3).
func (o *outbound) control(op frame.Opcode, p []byte, hold bool) error {
	o.lock()
	defer o.unlock()
	return o.sendControl(op, p, hold)
}

// ping sends a Ping with the number that is drawn for it, with mu held: numbers
// are in the order of the wire.
func (o *outbound) ping(number func() pingNumber) error {
	o.lock()
	defer o.unlock()
	return o.sendControl(frame.Ping, number().payload(), false)
}

func (o *outbound) sendControl(op frame.Opcode, p []byte, hold bool) error {
	if !o.c.life.is(open) {
		return o.c.life.writeErr()
	}
	h := frame.Header{Fin: true, Opcode: op, Length: int64(len(p))}
	if o.partial || op == frame.Pong && o.pending.len() >= maxBatch {
		o.pending.later(op, o.encode(h, p))
		return nil
	}
	b := o.pending.reserve(frame.MaxHeaderLen + len(p))
	b.B = o.append(b.B, &h, p)
	if hold && !o.writing() {
		o.startFlusher()
		return nil
	}
	return o.push()
}

// sendClose queues our Close frame, after which nothing is sent (RFC 6455,
// section 5.5.1), and sends it as far as it goes without blocking.
func (o *outbound) sendClose(code frame.StatusCode, reason string) {
	o.lock()
	defer o.unlock()
	o.stopMessages()
	if !o.c.life.queueClose() {
		return
	}
	var payload [frame.MaxControlPayload]byte
	p := frame.AppendClose(payload[:0], code, reason)
	f := o.encode(frame.Header{Fin: true, Opcode: frame.Close, Length: int64(len(p))}, p)
	o.pending.later(frame.Close, f)
	if !o.partial {
		o.pending.endFrame()
	}
	o.push()
}
