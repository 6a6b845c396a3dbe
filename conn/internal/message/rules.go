package message

import (
	"math"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/frame"
)

// rules decides whether a frame may come now (RFC 6455, sections 5.1, 5.2, 5.4
// and 5.5; RFC 7692, section 6) and keeps what it must know of the message
// under way. It looks at headers alone, before any payload has come, and does
// no I/O.
type rules struct {
	masked     bool  // what the mask bit must be: a server wants it set
	deflate    bool  // permessage-deflate was agreed
	open       bool  // a message is under way: its last frame is still to come
	compressed bool  // it is compressed
	free       bool  // its latest frame is not counted in held
	fragments  int64 // its frames so far
	octets     int64 // the sum of their declared lengths
	held       int64 // the same without those that are free: never more than the limit allows
	limit      int64 // bytes of a message after inflation
}

// newRules returns the rules for one connection: masked is what the mask bit
// of each frame must be, deflate whether permessage-deflate was agreed, limit
// the greatest size of a message after inflation, in bytes.
func newRules(masked, deflate bool, limit int64) rules {
	return rules{masked: masked, deflate: deflate, limit: limit}
}

// What check refuses, each with the code to fail the connection with.
var (
	errReservedBits   error = &frame.Error{Code: frame.StatusProtocolError, Reason: "RSV2 or RSV3 set"}
	errReservedOpcode error = &frame.Error{Code: frame.StatusProtocolError, Reason: "reserved opcode"}
	errUnmasked       error = &frame.Error{Code: frame.StatusProtocolError, Reason: "frame from a client not masked"}
	errMasked         error = &frame.Error{Code: frame.StatusProtocolError, Reason: "frame from a server masked"}
	errRsv1           error = &frame.Error{Code: frame.StatusProtocolError, Reason: "RSV1 set where nothing is compressed"}
	errControlFin     error = &frame.Error{Code: frame.StatusProtocolError, Reason: "fragmented control frame"}
	errControlLength  error = &frame.Error{Code: frame.StatusProtocolError, Reason: "control frame longer than 125 octets"}
	errNoMessage      error = &frame.Error{Code: frame.StatusProtocolError, Reason: "continuation without a message"}
	errInterleaved    error = &frame.Error{Code: frame.StatusProtocolError, Reason: "new message inside a fragmented one"}
	errFragments      error = &frame.Error{Code: frame.StatusPolicyViolation, Reason: "message in too many fragments"}
)

// check decides whether a frame with header h may come now and moves on to the
// next one. free frees the frame of the limit on the size of a message, unless
// that is compressed: nothing of the payload will be held. What check refuses is
// a *frame.Error; the connection is failed then and check is not called again.
func (r *rules) check(h *frame.Header, free bool) error {
	begins := h.Opcode == frame.Text || h.Opcode == frame.Binary
	switch {
	case h.Rsv2 || h.Rsv3: // RFC 6455, section 5.2: no extension gives them a meaning
		return errReservedBits
	case h.Rsv1 && !(begins && r.deflate): // RFC 7692, section 6: the first frame of a message alone
		return errRsv1
	case h.Masked != r.masked: // RFC 6455, section 5.1
		return r.maskError()
	}

	switch { // RFC 6455, section 5.4: what comes, and whether a message is under way
	case begins && !r.open:
		r.begin(h.Rsv1)
		return r.count(h.Length, h.Fin, free)
	case begins:
		return errInterleaved
	case h.Opcode == frame.Continuation && r.open:
		return r.count(h.Length, h.Fin, free)
	case h.Opcode == frame.Continuation:
		return errNoMessage
	case h.Opcode.IsReserved(): // section 5.2
		return errReservedOpcode
	default: // control frames may come between the fragments of a message
		return checkControl(h.Length, h.Fin)
	}
}

// maskError tells which mask rule was broken (RFC 6455, section 5.1).
func (r *rules) maskError() error {
	if r.masked {
		return errUnmasked
	}
	return errMasked
}

// checkControl holds control frames to RFC 6455, section 5.5.
func checkControl(length int64, fin bool) error {
	switch {
	case !fin:
		return errControlFin
	case length > frame.MaxControlPayload:
		return errControlLength
	}
	return nil
}

// begin starts a message.
func (r *rules) begin(compressed bool) {
	r.fragments, r.octets, r.held, r.compressed = 0, 0, 0, compressed
}

// count adds one frame to the message under way and holds it to the limits,
// which RFC 6455, section 10.4, asks for. A message of as many bytes as the
// limit may come in any sensible fragmentation; a stream of empty or tiny
// fragments may not go on for ever.
func (r *rules) count(length int64, fin, free bool) error {
	r.free = free && !r.compressed
	if !r.free {
		if err := r.hold(length); err != nil {
			return err
		}
	}
	r.octets += min(length, math.MaxInt64-r.octets)
	r.fragments++
	if r.fragments > freeFragments+r.octets/minFragment {
		return errFragments
	}
	r.open = !fin
	return nil
}

// hold counts length bytes of the message under way that may be held, be it
// that a frame begins or that the rest of one is free no longer.
func (r *rules) hold(length int64) error {
	bound := r.limit
	if r.compressed {
		bound = compressedBound(bound)
	}
	if length > bound-r.held { // held never exceeds bound: no overflow
		return inflater.ErrMessageSize
	}
	r.held += length
	r.free = false
	return nil
}

// A message may come in freeFragments frames and one more for each minFragment
// bytes. Neither is an option.
const (
	freeFragments = 1024
	minFragment   = 16
)

// compressedBound returns how many compressed bytes a message of limit bytes may
// take: DEFLATE adds five bytes to a block that it can't compress and five for
// each flush, which an eighth covers down to blocks of 80 bytes.
func compressedBound(limit int64) int64 {
	const extra = 1 << 10
	if limit > (math.MaxInt64-extra)/9*8 {
		return math.MaxInt64
	}
	return limit + limit/8 + extra
}
