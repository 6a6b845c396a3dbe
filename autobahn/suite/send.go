package suite

import (
	"time"

	"github.com/parleyws/parley/frame"
)

// queue adds the frames of p to the octets that are to be written; frame by
// frame it writes them.
func (f *fuzzer) queue(p piece, how sending) {
	if p.op == frame.Close && p.rsv == 0 && !f.sentClose {
		f.sentClose = true
		f.closedByUs = f.peerClose == nil
	}
	f.cut(p.op, p.rsv, p.more, p.data.bytes(), p.fragment, how)
}

// cut makes frames of up to size octets from payload; size 0 makes one frame.
// As in the suite the last frame is empty where size divides the payload. Rsv
// goes with the first frame, FIN with the last unless more is set.
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

// flush writes what has been queued, in pieces if so wanted.
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

// sendInParts sends the only frame of s in parts, and waits before each but the
// first. No control frame may go out between.
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

// write gives a peer that does not read as long as the case has. What becomes
// of a write that fails is seen by the reader.
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
