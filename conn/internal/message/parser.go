// Package message turns the bytes of a connection into messages (RFC 6455, sections
// 5 and 6.2). It parses frames, judges them, unmasks their payloads, checks text,
// joins fragments and inflates, whatever the pieces in which the bytes come. It is
// pure: it neither reads nor sends nor waits.
package message

import (
	"bytes"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/conn/internal/text"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// errText reports text that is not UTF-8 (RFC 6455, section 8.1).
var errText error = &frame.Error{Code: frame.StatusInvalidPayload, Reason: "text is not UTF-8"}

// Options say what a Parser accepts.
type Options struct {
	Masked        bool               // the mask bit that each frame must have; a server wants it set
	Inflater      *inflater.Inflater // nil if permessage-deflate was not agreed
	Limit         int64              // greatest size of a message after inflation, in bytes
	LenientLength bool               // accept frames with frame.ErrLengthForm
}

// A Parser turns bytes into events. It unmasks the bytes that it is given in place.
//
// A control frame, and a frame that is a whole message, stays in the caller's
// buffer until it is complete, and is handed out as a view. The payload of any
// other frame is collected in a pooled buffer, or handed out in parts.
//
// All errors are *frame.Error values, which carry the status code with which the
// connection must be failed. After an error only Release may be called.
//
// A Parser is for one goroutine at a time.
type Parser struct {
	rules     rules
	text      text.Checker       // of the current message; ready for the next one after each that is whole
	inflater  *inflater.Inflater // nil if permessage-deflate is off
	header    frame.Header       // header of the current frame, unless place is between
	seen      int64              // bytes of the current frame's payload that were unmasked and checked
	collected *pool.Buffer       // bytes of the current message or, until Settle, of the last one

	place   place
	size    uint8        // length of header, if place is inFront
	opcode  frame.Opcode // opcode of the current message
	mode    Mode
	lenient bool
}

// A place says where the current frame is.
type place uint8

const (
	between place = iota // there is no current frame
	inFront              // the frame is incomplete and stays at the front of the caller's buffer
	apart                // the header is used up, and the payload is collected or handed out in parts
)

// maxInPlace is the length of the longest frame that stays in the caller's buffer,
// header included.
const maxInPlace = pool.Large

// New returns a Parser for one direction of a connection, in mode Whole.
func New(o Options) Parser {
	return Parser{
		rules:    newRules(o.Masked, o.Inflater != nil, o.Limit),
		inflater: o.Inflater,
		lenient:  o.LenientLength,
	}
}

// SetMode sets how messages are handed out from the next call of Next on. The mode
// may change inside a message. If parts of a message were handed out and the mode
// becomes Whole, the rest of that message is handed out as a Message. If the mode
// was Stream before, the limit applies to the rest.
func (p *Parser) SetMode(m Mode) { p.mode = m }

// Mode returns the current mode.
func (p *Parser) Mode() Mode { return p.mode }

// Next parses b, which holds the bytes that have arrived and are not used up. It
// returns the number of bytes that it has used up, and an event. If n is 0 the event
// is None, and Next must be called again with b and the bytes that follow it; see
// Need. Until then the caller may move b but must not change it.
func (p *Parser) Next(b []byte) (n int, e Event, err error) {
	if n := p.isShort(b); n > 0 {
		return p.short(b[:n:n])
	}
	if p.place == apart {
		if p.rules.free && p.mode != Stream {
			if err := p.rules.hold(p.header.Length - p.seen); err != nil {
				return 0, Event{}, err
			}
		}
		return p.collect(b)
	}
	h := &p.header
	if p.place == between {
		size, err := h.Parse(b)
		if err != nil && (err != frame.ErrLengthForm || !p.lenient) {
			return 0, Event{}, err
		}
		if size == 0 {
			return 0, Event{}, nil
		}
		if err := p.rules.check(h, p.mode == Stream && p.collected == nil); err != nil {
			return 0, Event{}, err
		}
		p.size, p.seen = uint8(size), 0
		if p.isApart() {
			p.begin(h)
			n, e, err := p.collect(b[size:])
			return size + n, e, err
		}
	}
	return p.inPlace(b)
}

// isApart reports whether the payload of the frame that begins is collected or
// handed out in parts, and does not stay in the caller's buffer.
func (p *Parser) isApart() bool {
	h := &p.header
	return !h.Opcode.IsControl() &&
		(!h.Fin || h.Opcode == frame.Continuation || p.mode != Whole || h.Length > maxInPlace-frame.MaxHeaderLen)
}

// inPlace continues the frame at the front of b, which stays there until it is
// complete. It unmasks and checks the bytes of the payload that are new.
func (p *Parser) inPlace(b []byte) (n int, e Event, err error) {
	h, size := &p.header, int(p.size)
	end := min(int64(len(b)-size), h.Length)
	payload := b[size : size+int(end) : size+int(end)] // who appends to it must not write into the next frame
	part := payload[p.seen:]
	if h.Masked {
		mask.Bytes(part, h.MaskKey, int(p.seen)&3)
	}
	if h.Opcode == frame.Text && !h.Rsv1 {
		if !p.text.Write(part) || end == h.Length && !p.text.Done() {
			return 0, Event{}, errText
		}
	}
	if end < h.Length {
		p.place, p.seen = inFront, end
		return 0, Event{}, nil
	}
	p.place = between
	n = size + int(end)
	switch {
	case h.Opcode.IsControl():
		return n, Event{payload, Control, h.Opcode, true}, nil
	case h.Rsv1:
		e, err = p.inflate(h.Opcode, payload)
		return n, e, err
	}
	return n, Event{payload, Message, h.Opcode, true}, nil
}

// begin begins a frame for which isApart is true.
func (p *Parser) begin(h *frame.Header) {
	p.place = apart
	if h.Opcode != frame.Continuation {
		p.opcode = h.Opcode
	}
}

// collect uses up the bytes of b that belong to the payload of the current frame.
func (p *Parser) collect(b []byte) (n int, e Event, err error) {
	n = int(min(int64(len(b)), p.header.Length-p.seen))
	part := b[:n]
	if p.inParts() {
		if p.header.Masked {
			mask.Bytes(part, p.header.MaskKey, int(p.seen)&3)
		}
	} else if n > 0 {
		have := len(p.message())
		p.collected = pool.Grow(p.collected, have+n)
		p.collected.B = p.collected.B[:have+n]
		part = p.collected.B[have:]
		if p.header.Masked {
			mask.Copy(part, b[:n], p.header.MaskKey, int(p.seen)&3)
		} else {
			copy(part, b)
		}
	}
	e, err = p.arrived(part)
	return n, e, err
}

// inParts reports whether the current message is handed out in parts. A compressed
// message is not, and neither is a message of which bytes were collected for a
// read that gave up.
func (p *Parser) inParts() bool {
	return p.mode != Whole && !p.rules.compressed && p.collected == nil
}

// arrived counts and checks unmasked bytes of the current payload. It returns the
// event that they complete.
func (p *Parser) arrived(part []byte) (Event, error) {
	p.seen += int64(len(part))
	whole := p.seen == p.header.Length
	last := whole && p.header.Fin
	if p.opcode == frame.Text && !p.rules.compressed {
		if !p.text.Write(part) || last && !p.text.Done() {
			return Event{}, errText
		}
	}
	if whole {
		p.place = between
	}
	switch {
	case p.inParts():
		if last || len(part) > 0 {
			return Event{part, Part, p.opcode, last}, nil
		}
		return Event{}, nil
	case !last:
		return Event{}, nil
	case p.rules.compressed:
		return p.inflate(p.opcode, p.message())
	}
	return Event{p.message(), Message, p.opcode, true}, nil
}

// inflate completes a compressed message with the payload b (RFC 7692, section
// 6.2). b may be the collected bytes.
func (p *Parser) inflate(opcode frame.Opcode, b []byte) (Event, error) {
	plain, err := p.inflater.Inflate(pool.Get(min(3*len(b), 1<<20)), b, p.rules.limit)
	pool.Put(p.collected)
	p.collected = plain
	if err != nil {
		return Event{}, err
	}
	if opcode == frame.Text && (!p.text.Write(plain.B) || !p.text.Done()) {
		return Event{}, errText
	}
	return Event{plain.B, Message, opcode, true}, nil
}

// Need returns how many bytes the caller should have room for when it reads more.
// If a frame is being completed in place, Next makes no progress before b has that
// length. If a payload is collected or handed out in parts, Need is the number of
// missing bytes, at most pool.Large, and any number of them will do. Between two
// frames Need returns 0.
func (p *Parser) Need() int {
	switch p.place {
	case inFront:
		return int(p.size) + int(p.header.Length)
	case apart:
		return int(min(p.header.Length-p.seen, pool.Large))
	}
	return 0
}

// directly is the least number of missing bytes for which Room returns a slice. If
// fewer are missing, a read into the caller's buffer is better, because it can take
// the frames that follow along.
const directly = 16 << 10

// Room returns a slice for the next bytes of a large payload, so that they can be
// read without a copy, or nil. It must be called only when Next has used up all
// bytes that have arrived. The slice is valid until the next call of the Parser.
// When the buffer of the message is full, Room grows it by the greater of 64 KiB and
// its length, rounded up to a pooled size. So a large declared length costs no
// memory before the bytes arrive.
func (p *Parser) Room() []byte {
	left := p.header.Length - p.seen
	if p.place != apart || left < directly || p.inParts() || p.rules.free {
		return nil
	}
	have := len(p.message())
	step := int(min(left, int64(max(64<<10, have))))
	if p.collected == nil || cap(p.collected.B)-have < min(step, directly) {
		p.collected = pool.Grow(p.collected, have+step)
	}
	free := p.collected.B[have:cap(p.collected.B)]
	return free[:min(int64(len(free)), left)]
}

// Filled takes the first n bytes of the slice that Room returned as the next bytes
// of the payload, and returns the event that they complete.
func (p *Parser) Filled(n int) (Event, error) {
	have := len(p.message())
	p.collected.B = p.collected.B[:have+n]
	part := p.collected.B[have:]
	if p.header.Masked {
		mask.Bytes(part, p.header.MaskKey, int(p.seen)&3)
	}
	return p.arrived(part)
}

// UnderWay reports whether a frame or a message has begun and is not complete. The
// first bytes of an incomplete header do not count.
func (p *Parser) UnderWay() bool { return p.place != between || p.rules.open }

// Settle releases the memory of the last message if the message is complete. The
// caller must call it when it has finished with the message, before it calls Next
// again.
func (p *Parser) Settle() {
	if p.collected != nil {
		p.settle()
	}
}

func (p *Parser) settle() {
	if !p.UnderWay() {
		p.Release()
	}
}

// Release releases the collected bytes, whether their message is complete or not.
func (p *Parser) Release() {
	pool.Put(p.collected)
	p.collected = nil
}

// Take returns the payload of e, the last event, as a slice that the caller owns.
// If the payload is a collected message that fills at least four fifths of its
// buffer, Take gives the buffer away. Otherwise it copies. The slice is never nil.
func (p *Parser) Take(e Event) []byte {
	if m := p.collected; m != nil && len(m.B) == len(e.Payload) && cap(m.B)-len(m.B) <= len(m.B)/4 {
		p.collected = nil
		return m.B
	}
	if len(e.Payload) == 0 {
		return []byte{}
	}
	return bytes.Clone(e.Payload)
}

// message returns the collected bytes.
func (p *Parser) message() []byte {
	if p.collected == nil {
		return nil
	}
	return p.collected.B
}
