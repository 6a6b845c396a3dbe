package conn

import (
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// An event is what feed.next made of the octets that it was shown.
type event uint8

const (
	eventNone    event = iota // nothing whole yet
	eventControl              // a control frame: feed.opcode, feed.payload
	eventMessage              // a whole message: feed.opcode, feed.payload, and feed.last is set
	eventPart                 // a part of a message, in stream mode; feed.last marks the last one
)

// A feed makes messages of octets: frames are parsed, judged, unmasked,
// checked and put together, whatever the pieces in which they come (RFC 6455,
// sections 5 and 6.2). It is pure: it neither reads nor sends nor waits. The
// octets that it is shown are unmasked in place.
//
// A frame that is a message of its own, or a control frame, stays where it
// lies until it is whole and is handed out as a view. Everything else is
// collected in a pooled buffer. The payload of an event is valid until the
// next call.
type feed struct {
	rules    rules
	text     utf8Checker
	inflater *inflater    // nil: permessage-deflate is off
	header   frame.Header // of the frame under way, where place is not between
	seen     int64        // octets of its payload that have come
	message  *buffer      // what has been collected of the message under way
	payload  []byte       // of the event

	place   place
	size    uint8        // octets of header, where place is inFront
	kind    frame.Opcode // of the message under way
	opcode  frame.Opcode // of the event
	last    bool         // the event ends a message
	stream  bool         // hand out parts instead of messages; may change while none of a message is handed out
	lenient bool         // tolerate frame.ErrLengthForm
}

// A place says where the frame under way is.
type place uint8

const (
	between place = iota // there is none
	inFront              // it is being completed where it lies, at the front of what next is shown
	apart                // its header is used up, its payload is collected or handed out
)

// maxInPlace is the length of the longest frame that is left where it lies.
const maxInPlace = largeBuffer

// next looks at b, the octets that have come and are not used up, and returns
// how many of them are used up and what came of it. With eventNone and 0 it
// wants to see more: b and what follows it, at least need octets.
func (f *feed) next(b []byte) (n int, e event, err error) {
	if f.place == apart {
		return f.collect(b)
	}
	h := &f.header
	if f.place == between {
		size, err := h.Parse(b)
		if err != nil && (err != frame.ErrLengthForm || !f.lenient) {
			return 0, eventNone, err
		}
		if size == 0 {
			return 0, eventNone, nil
		}
		if err := f.rules.check(h); err != nil {
			return 0, eventNone, err
		}
		f.size, f.seen = uint8(size), 0
		if f.isApart() {
			f.begin(h)
			n, e, err := f.collect(b[size:])
			return size + n, e, err
		}
	}
	return f.inPlace(b)
}

// isApart reports whether the payload of a frame that begins does not stay
// where it lies.
func (f *feed) isApart() bool {
	h := &f.header
	return !h.Opcode.IsControl() &&
		(!h.Fin || h.Opcode == frame.Continuation || f.stream || h.Length > maxInPlace-frame.MaxHeaderLen)
}

// inPlace looks at the frame in front of b, which stays where it lies until it
// is whole. What has come of it is unmasked and checked.
func (f *feed) inPlace(b []byte) (n int, e event, err error) {
	h, size := &f.header, int(f.size)
	end := min(int64(len(b)-size), h.Length)
	payload := b[size : size+int(end)]
	part := payload[f.seen:]
	if h.Masked {
		mask.Bytes(part, h.MaskKey, int(f.seen)&3)
	}
	if h.Opcode == frame.Text && !h.Rsv1 {
		if f.seen == 0 {
			f.text = utf8Checker{}
		}
		if !f.text.write(part) || end == h.Length && !f.text.done() {
			return 0, eventNone, errText
		}
	}
	if end < h.Length {
		f.place, f.seen = inFront, end
		return 0, eventNone, nil
	}
	f.place = between
	f.opcode, f.payload, f.last = h.Opcode, payload, true
	n = size + int(end)
	switch {
	case h.Opcode.IsControl():
		return n, eventControl, nil
	case h.Rsv1:
		e, err = f.inflate(payload)
		return n, e, err
	}
	return n, eventMessage, nil
}

// begin takes up a frame whose payload does not stay where it lies.
func (f *feed) begin(h *frame.Header) {
	f.place = apart
	if h.Opcode != frame.Continuation {
		f.kind = h.Opcode
		f.text = utf8Checker{}
	}
}

// collect uses up what b holds of the payload of the frame under way.
func (f *feed) collect(b []byte) (n int, e event, err error) {
	n = int(min(int64(len(b)), f.header.Length-f.seen))
	part := b[:n]
	if f.inParts() {
		if f.header.Masked {
			mask.Bytes(part, f.header.MaskKey, int(f.seen)&3)
		}
		f.payload = part
	} else if n > 0 {
		have := f.messageLen()
		f.message = growBuffer(f.message, have+n)
		f.message.b = f.message.b[:have+n]
		part = f.message.b[have:]
		if f.header.Masked {
			mask.Copy(part, b[:n], f.header.MaskKey, int(f.seen)&3)
		} else {
			copy(part, b)
		}
	}
	e, err = f.arrived(part)
	return n, e, err
}

// inParts reports whether the message under way is handed out as it comes: not
// if it is compressed, nor if some of it has been collected already, for a read
// that has given up.
func (f *feed) inParts() bool { return f.stream && !f.rules.compressed && f.message == nil }

// arrived counts octets of the payload that have come, unmasked, and says
// what they complete.
func (f *feed) arrived(part []byte) (event, error) {
	f.seen += int64(len(part))
	whole := f.seen == f.header.Length
	f.last = whole && f.header.Fin
	if f.kind == frame.Text && !f.rules.compressed {
		if !f.text.write(part) || f.last && !f.text.done() {
			return eventNone, errText
		}
	}
	if whole {
		f.place = between
	}
	f.opcode = f.kind
	switch {
	case f.inParts():
		if f.last || len(part) > 0 {
			return eventPart, nil
		}
		return eventNone, nil
	case !f.last:
		return eventNone, nil
	case f.rules.compressed:
		return f.inflate(f.collected())
	}
	f.payload = f.collected()
	return eventMessage, nil
}

// inflate completes a compressed message whose octets are p (RFC 7692,
// section 6.2). p may be the collected octets.
func (f *feed) inflate(p []byte) (event, error) {
	plain, err := f.inflater.inflate(getBuffer(min(3*len(p), 1<<20)), p, f.rules.limit)
	putBuffer(f.message)
	f.message = plain
	if err != nil {
		return eventNone, err
	}
	if f.opcode == frame.Text {
		f.text = utf8Checker{}
		if !f.text.write(plain.b) || !f.text.done() {
			return eventNone, errText
		}
	}
	f.payload = plain.b
	return eventMessage, nil
}

// need returns the length of b at which next gets on, for a frame that is
// completed in place; 0 if any further octet will do.
func (f *feed) need() int {
	switch f.place {
	case inFront:
		return int(f.size) + int(f.header.Length)
	case apart:
		return int(min(f.header.Length-f.seen, largeBuffer))
	}
	return 0
}

// directly is from how many missing octets on they are read straight into the
// collected message. Fewer come with the frames behind them in one read.
const directly = 16 << 10

// room returns where the next octets of a large payload belong, so that they
// can be read straight into place, or nil. The message's capacity stays within
// the greater of 64 KiB and twice what has come: a declared length costs
// nothing. Call filled with the number of octets that were put there.
func (f *feed) room() []byte {
	left := f.header.Length - f.seen
	if f.place != apart || left < directly || f.inParts() {
		return nil
	}
	have := f.messageLen()
	step := int(min(left, int64(max(64<<10, have))))
	if f.message == nil || cap(f.message.b)-have < min(step, directly) {
		f.message = growBuffer(f.message, have+step)
	}
	free := f.message.b[have:cap(f.message.b)]
	return free[:min(int64(len(free)), left)]
}

// filled takes note of n octets that were put into room.
func (f *feed) filled(n int) (event, error) {
	have := f.messageLen()
	f.message.b = f.message.b[:have+n]
	part := f.message.b[have:]
	if f.header.Masked {
		mask.Bytes(part, f.header.MaskKey, int(f.seen)&3)
	}
	return f.arrived(part)
}

// underWay reports whether a message has begun and is not whole.
func (f *feed) underWay() bool { return f.place != between || f.rules.open }

// settle releases the message of the last event, if that was a whole one.
func (f *feed) settle() {
	if f.message != nil && !f.underWay() {
		f.release()
	}
}

// release gives back what was collected, once the event has been dealt with.
func (f *feed) release() {
	putBuffer(f.message)
	f.message, f.payload = nil, nil
}

func (f *feed) messageLen() int {
	if f.message == nil {
		return 0
	}
	return len(f.message.b)
}

func (f *feed) collected() []byte {
	if f.message == nil {
		return nil
	}
	return f.message.b
}
