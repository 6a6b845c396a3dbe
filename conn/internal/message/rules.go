package message

import (
	"math"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/frame"
)

// rules decides whether a frame may come now (RFC 6455, sections 5.1, 5.2, 5.4
// and 5.5; RFC 7692, section 6). It looks only at headers, before the payload
// arrives, and does no I/O. It keeps the facts about the current message on which
// the decision depends.
type rules struct {
	masked     bool  // the mask bit that each frame must have; a server wants it set
	deflate    bool  // permessage-deflate was agreed
	open       bool  // the current message is incomplete: its last frame has not come
	compressed bool  // the current message is compressed
	free       bool  // the latest frame of the current message is not counted in held
	fragments  int64 // frames of the current message so far
	declared   int64 // sum of the lengths of those frames
	held       int64 // sum of the lengths of those frames that count for the limit; never above it
	limit      int64 // greatest size of a message after inflation, in bytes
}

// newRules returns the rules for one connection. masked is the mask bit that each
// frame must have, deflate says whether permessage-deflate was agreed, and limit is
// the greatest size of a message after inflation, in bytes.
func newRules(masked, deflate bool, limit int64) rules {
	return rules{masked: masked, deflate: deflate, limit: limit}
}

// The errors of check. Each carries the status code with which the connection must
// be failed.
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

// check decides whether a frame with header h may come now, and counts it. If free
// is set, the frame does not count for the limit on the size of a message, because
// none of its payload will be held. A frame of a compressed message counts always.
// If check refuses the frame it returns a *frame.Error, and must not be called
// again.
func (r *rules) check(h *frame.Header, free bool) error {
	begins := h.Opcode == frame.Text || h.Opcode == frame.Binary
	switch {
	case h.Rsv2 || h.Rsv3: // RFC 6455, section 5.2: no extension gives them a meaning
		return errReservedBits
	case h.Rsv1 && !(begins && r.deflate): // RFC 7692, section 6: only the first frame of a message
		return errRsv1
	case h.Masked != r.masked: // RFC 6455, section 5.1
		return r.maskError()
	}

	switch { // RFC 6455, section 5.4: frames of one message are not interleaved with another
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

// maskError returns the error for a frame with the wrong mask bit (RFC 6455, section
// 5.1).
func (r *rules) maskError() error {
	if r.masked {
		return errUnmasked
	}
	return errMasked
}

// checkControl enforces RFC 6455, section 5.5, on a control frame.
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
	r.fragments, r.declared, r.held, r.compressed = 0, 0, 0, compressed
}

// count adds one frame to the current message and enforces the limits that RFC
// 6455, section 10.4, asks for. A message up to the limit may come in any sensible
// fragmentation. An endless stream of empty or tiny fragments is refused, because
// it would cost work without making progress.
func (r *rules) count(length int64, fin, free bool) error {
	r.free = free && !r.compressed
	if !r.free {
		if err := r.hold(length); err != nil {
			return err
		}
	}
	r.declared += min(length, math.MaxInt64-r.declared)
	r.fragments++
	if r.fragments > freeFragments+r.declared/minFragment {
		return errFragments
	}
	r.open = !fin
	return nil
}

// hold counts length bytes of the current message for the limit. It is called when
// a frame begins, and when the rest of a frame stops being free.
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

// A message may come in freeFragments frames, plus one frame for each minFragment
// bytes. Neither number can be configured.
const (
	freeFragments = 1024
	minFragment   = 16
)

// compressedBound returns the greatest number of compressed bytes that a message of
// limit bytes may take. DEFLATE adds five bytes to a block that it can't compress
// and five bytes for each flush. An extra eighth covers both down to blocks of 80
// bytes.
func compressedBound(limit int64) int64 {
	const extra = 1 << 10
	if limit > (math.MaxInt64-extra)/9*8 {
		return math.MaxInt64
	}
	return limit + limit/8 + extra
}
