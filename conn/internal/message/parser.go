// Package message makes messages of bytes (RFC 6455, sections 5 and 6.2): frames
// are parsed, judged, unmasked, checked, inflated and put together, whatever the
// pieces in which they come. It is pure: it neither reads nor sends nor waits.
package message

import (
	"bytes"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/conn/internal/text"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// errText is text that is not UTF-8 (RFC 6455, section 8.1).
var errText error = &frame.Error{Code: frame.StatusInvalidPayload, Reason: "text is not UTF-8"}

// Options say what a Parser accepts.
type Options struct {
	Masked        bool               // what the mask bit of each frame must be: a server wants it set
	Inflater      *inflater.Inflater // nil: permessage-deflate was not agreed
	Limit         int64              // of the size of a message after inflation, in bytes
	LenientLength bool               // tolerate frame.ErrLengthForm
}

// A Parser makes events of bytes. The bytes that it is shown are unmasked in
// place.
//
// A frame that is a message of its own, or a control frame, stays where it lies
// until it is whole and is handed out as a view. Everything else is collected in
// a pooled buffer, or handed out in parts.
//
// Its errors are *frame.Error values, with the status code to fail the connection
// with. After an error nothing but Release may be called.
//
// A Parser is not for use by several goroutines at once.
type Parser struct {
	rules     rules
	text      text.Checker
	inflater  *inflater.Inflater // nil: permessage-deflate is off
	header    frame.Header       // of the frame under way, where place is not between
	seen      int64              // bytes of its payload that have come
	collected *pool.Buffer       // of the message under way or, until Settle, of the last one

	place   place
	size    uint8        // bytes of header, where place is inFront
	opcode  frame.Opcode // of the message under way
	mode    Mode
	lenient bool
}

// A place says where the frame under way is.
type place uint8

const (
	between place = iota // there is none
	inFront              // it is being completed where it lies, at the front of what Next is shown
	apart                // its header is used up, its payload is collected or handed out
)

// maxInPlace is the length of the longest frame that is left where it lies.
const maxInPlace = pool.Large

// New returns a Parser for one direction of a connection, in mode Whole.
func New(o Options) Parser {
	return Parser{
		rules:    newRules(o.Masked, o.Inflater != nil, o.Limit),
		inflater: o.Inflater,
		lenient:  o.LenientLength,
	}
}

// SetMode says how messages are handed out from the next call of Next on. The
// mode may change inside a message. What then is left of a message that was being
// handed out in parts comes in mode Whole as a Message of its own. If it was free
// of the limit, as mode Octets has it, the limit holds again for what is left.
func (p *Parser) SetMode(m Mode) { p.mode = m }

// Mode returns what SetMode was called with last.
func (p *Parser) Mode() Mode { return p.mode }

// Next looks at b, the bytes that have come and are not used up, and returns
// how many of them are used up and what came of it. With an event of kind None
// and n = 0 it wants to see more: b and what follows it, Need bytes at least.
// While it does, b may be moved but not changed.
func (p *Parser) Next(b []byte) (n int, e Event, err error) {
	if p.place == apart {
		if p.rules.free && p.mode != Octets {
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
		if err := p.rules.check(h, p.mode == Octets && p.collected == nil); err != nil {
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

// isApart reports whether the payload of a frame that begins does not stay
// where it lies.
func (p *Parser) isApart() bool {
	h := &p.header
	return !h.Opcode.IsControl() &&
		(!h.Fin || h.Opcode == frame.Continuation || p.mode != Whole || h.Length > maxInPlace-frame.MaxHeaderLen)
}

// inPlace looks at the frame in front of b, which stays where it lies until it
// is whole. What has come of it is unmasked and checked.
func (p *Parser) inPlace(b []byte) (n int, e Event, err error) {
	h, size := &p.header, int(p.size)
	end := min(int64(len(b)-size), h.Length)
	payload := b[size : size+int(end)]
	part := payload[p.seen:]
	if h.Masked {
		mask.Bytes(part, h.MaskKey, int(p.seen)&3)
	}
	if h.Opcode == frame.Text && !h.Rsv1 {
		if p.seen == 0 {
			p.text = text.Checker{}
		}
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

// begin takes up a frame whose payload does not stay where it lies.
func (p *Parser) begin(h *frame.Header) {
	p.place = apart
	if h.Opcode != frame.Continuation {
		p.opcode = h.Opcode
		p.text = text.Checker{}
	}
}

// collect uses up what b holds of the payload of the frame under way.
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

// inParts reports whether the message under way is handed out as it comes: not
// if it is compressed, nor if some of it has been collected already, for a read
// that has given up.
func (p *Parser) inParts() bool {
	return p.mode != Whole && !p.rules.compressed && p.collected == nil
}

// arrived counts bytes of the payload that have come, unmasked, and says what
// they complete.
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

// inflate completes a compressed message whose bytes are b (RFC 7692, section
// 6.2), which may be the collected ones.
func (p *Parser) inflate(opcode frame.Opcode, b []byte) (Event, error) {
	plain, err := p.inflater.Inflate(pool.Get(min(3*len(b), 1<<20)), b, p.rules.limit)
	pool.Put(p.collected)
	p.collected = plain
	if err != nil {
		return Event{}, err
	}
	if opcode == frame.Text {
		p.text = text.Checker{}
		if !p.text.Write(plain.B) || !p.text.Done() {
			return Event{}, errText
		}
	}
	return Event{plain.B, Message, opcode, true}, nil
}

// Need returns the length of b at which Next gets on, for a frame that is
// completed in place; 0 if any further byte will do.
func (p *Parser) Need() int {
	switch p.place {
	case inFront:
		return int(p.size) + int(p.header.Length)
	case apart:
		return int(min(p.header.Length-p.seen, pool.Large))
	}
	return 0
}

// directly is from how many missing bytes on they are read straight into the
// collected message. Fewer come with the frames that follow them in one read.
const directly = 16 << 10

// Room returns where the next bytes of a large payload belong, so that they can
// be read straight into place, or nil. It may be called when Next has used up
// all that has come, and is valid until any other call. The message's capacity
// stays within the greater of 64 KiB and twice what has come: a declared length
// costs nothing.
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

// Filled takes note of the n bytes that were put into what Room returned, and
// returns what came of them.
func (p *Parser) Filled(n int) (Event, error) {
	have := len(p.message())
	p.collected.B = p.collected.B[:have+n]
	part := p.collected.B[have:]
	if p.header.Masked {
		mask.Bytes(part, p.header.MaskKey, int(p.seen)&3)
	}
	return p.arrived(part)
}

// UnderWay reports whether a frame or a message has begun and is not whole.
func (p *Parser) UnderWay() bool { return p.place != between || p.rules.open }

// Settle gives the memory of the last message back, if it is whole. It is to be
// called once the message has been dealt with, before the next call of Next.
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

// Release gives back what was collected, of a whole message or not.
func (p *Parser) Release() {
	pool.Put(p.collected)
	p.collected = nil
}

// Take returns the payload of e, the last event, as a slice that is the
// caller's for good: a collected message that fills its buffer is given away,
// everything else is copied. It is not nil.
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

// message returns what has been collected.
func (p *Parser) message() []byte {
	if p.collected == nil {
		return nil
	}
	return p.collected.B
}
