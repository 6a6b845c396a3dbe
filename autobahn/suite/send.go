package suite

import (
	"time"

	"github.com/parleyws/parley/frame"
)

// queue appends the frames of p to the bytes that will be written. If how is
// frameWise, it writes each frame at once.
func (f *fuzzer) queue(p piece, how sending) {
	if p.op == frame.Close && p.rsv == 0 && !f.sentClose {
		f.sentClose = true
		f.closedByUs = f.peerClose == nil
	}
	f.cut(p.op, p.rsv, p.more, p.data.bytes(), p.fragment, how)
}

// cut cuts payload into frames of up to size bytes. Size 0 makes one frame. As in the
// suite, the last frame is empty if size divides the length of a longer payload. The
// first frame has the bits of rsv. The last frame has FIN unless more is set.
func (f *fuzzer) cut(op frame.Opcode, rsv byte, more bool, payload []byte, size int, how sending) {
	if size > 0 && len(payload) > size {
		for ; len(payload) >= size; payload = payload[size:] {
			f.frame(op, rsv, true, payload[:size], how)
			op, rsv = frame.Continuation, 0
		}
	}
	f.frame(op, rsv, more, payload, how)
}

func (f *fuzzer) frame(op frame.Opcode, rsv byte, more bool, payload []byte, how sending) {
	h := frame.Header{
		Fin: !more, Rsv1: rsv&4 != 0, Rsv2: rsv&2 != 0, Rsv3: rsv&1 != 0,
		Opcode: op, Length: int64(len(payload)),
	}
	if f.client {
		h.Masked, h.MaskKey = true, f.maskKey()
	}
	f.wire = h.Append(f.wire)
	start := len(f.wire)
	f.wire = append(f.wire, payload...)
	if h.Masked {
		for i := range payload {
			f.wire[start+i] ^= h.MaskKey[i%4]
		}
	}
	if how == frameWise {
		f.flush(how)
		f.turn()
	}
}

// flush writes the queued bytes, in pieces if how is a number of bytes.
func (f *fuzzer) flush(how sending) {
	wire := f.wire
	f.wire = f.wire[:0]
	if how <= 0 {
		f.write(wire)
		return
	}
	for len(wire) > 0 {
		n := min(int(how), len(wire))
		f.write(wire[:n])
		wire = wire[n:]
		f.turn()
	}
}

// sendInParts sends the only frame of s in parts. It waits before each part but the
// first. No control frame may be sent between the parts.
func (f *fuzzer) sendInParts(s step) {
	p := s.pieces[0]
	f.queue(p, burst)
	wire := f.wire
	f.wire, f.inFrame = nil, true
	header := len(wire) - p.data.size
	sent := 0
	for _, offset := range s.cuts {
		f.write(wire[sent : header+offset])
		sent = header + offset
		f.pause(s)
		if f.over || f.peerClose != nil {
			return
		}
	}
	f.write(wire[sent:])
	f.inFrame = false
}

// write writes b. A peer that does not read delays it at most until the deadline of the
// case. If a write fails, the reader finds out why.
func (f *fuzzer) write(p []byte) {
	if f.broken || len(p) == 0 {
		return
	}
	f.nc.SetWriteDeadline(f.deadline.Add(dropTime))
	_, err := f.nc.Write(p)
	f.broken = err != nil
	if f.broken {
		f.nc.SetWriteDeadline(time.Time{})
	}
}
