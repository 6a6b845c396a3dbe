package suite

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/parleyws/parley/frame"
)

// maxMessage is greater than the size of any echo, in bytes.
const maxMessage = 32 << 20

// A found is a message or a control frame that the reader has found, or the reason why
// there are no more.
type found struct {
	op   frame.Opcode
	data []byte

	violation error // the peer broke the protocol
	end       error // how the stream ended
	behind    bool  // bytes came after the Close frame
}

// A reader turns the bytes of the peer into messages. It is as strict as the cases are.
type reader struct {
	in      *bufio.Reader
	masked  bool      // frames of the peer must be masked
	deflate bool      // messages of the peer may be compressed
	inflate *inflater // nil unless deflate is set

	open       bool // a fragmented message has begun
	op         frame.Opcode
	compressed bool
	message    []byte
}

func newReader(f *fuzzer) *reader {
	r := &reader{in: f.in, masked: !f.client}
	if f.agreed != nil {
		r.deflate, r.inflate = true, newInflater(f.agreed.fromPeer)
	}
	return r
}

// run sends everything that it finds to out, and closes out at the end.
func (r *reader) run(out chan<- found) {
	defer close(out)
	for {
		a, err := r.next()
		if err != nil {
			out <- ended(err)
			return
		}
		out <- a
		if a.op == frame.Close {
			n, err := io.Copy(io.Discard, r.in)
			if err == nil {
				err = io.EOF
			}
			out <- found{end: err, behind: n > 0}
			return
		}
	}
}

// errBroken is wrapped by each error that is the fault of the peer.
var errBroken = errors.New("protocol broken")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errBroken, fmt.Sprintf(format, args...))
}

func ended(err error) found {
	if errors.Is(err, errBroken) {
		return found{violation: err}
	}
	return found{end: err}
}

// next returns the next message or control frame.
func (r *reader) next() (found, error) {
	for {
		h, err := r.header()
		if err != nil {
			return found{}, err
		}
		if err := r.check(h); err != nil {
			return found{}, err
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(r.in, payload); err != nil {
			return found{}, noEOF(err)
		}
		if h.Masked {
			for i := range payload {
				payload[i] ^= h.MaskKey[i%4]
			}
		}
		if h.Opcode.IsControl() {
			return r.control(h.Opcode, payload)
		}
		if h.Opcode != frame.Continuation {
			r.op, r.compressed, r.message = h.Opcode, h.Rsv1, payload
		} else {
			r.message = append(r.message, payload...)
		}
		r.open = !h.Fin
		if h.Fin {
			return r.whole()
		}
	}
}

// noEOF turns io.EOF inside a frame into io.ErrUnexpectedEOF.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *reader) header() (frame.Header, error) {
	for need := 2; ; need++ {
		b, err := r.in.Peek(need)
		if err != nil {
			if len(b) > 0 {
				err = noEOF(err)
			}
			return frame.Header{}, err
		}
		h, n, err := frame.Parse(b)
		if err != nil {
			return h, broken("%v", err)
		}
		if n > 0 {
			r.in.Discard(n)
			return h, nil
		}
	}
}

// check returns an error if the frame may not come now (RFC 6455, sections 5.1 to 5.5).
func (r *reader) check(h frame.Header) error {
	control := h.Opcode.IsControl()
	switch {
	case h.Masked != r.masked:
		return broken("mask bit is %v", h.Masked)
	case h.Rsv2 || h.Rsv3:
		return broken("reserved bits in a %v frame", h.Opcode)
	case h.Rsv1 && (!r.deflate || control || h.Opcode == frame.Continuation):
		return broken("Rsv1 in a %v frame", h.Opcode)
	case h.Opcode.IsReserved():
		return broken("%v", h.Opcode)
	case control && (!h.Fin || h.Length > frame.MaxControlPayload):
		return broken("%v frame in fragments or with %d octets", h.Opcode, h.Length)
	case !control && r.open != (h.Opcode == frame.Continuation):
		return broken("%v frame out of place", h.Opcode)
	case h.Length+int64(len(r.message)) > maxMessage:
		return broken("message of more than %d octets", maxMessage)
	}
	return nil
}

func (r *reader) control(op frame.Opcode, payload []byte) (found, error) {
	if op == frame.Close && (len(payload) == 1 || len(payload) > 2 && !utf8.Valid(payload[2:])) {
		return found{}, broken("malformed Close payload % X", payload)
	}
	return found{op: op, data: payload}, nil
}

func (r *reader) whole() (found, error) {
	data := r.message
	r.message = nil
	if r.compressed {
		var err error
		if data, err = r.inflate.message(data, maxMessage); err != nil {
			return found{}, broken("%v", err)
		}
	}
	if r.op == frame.Text && !utf8.Valid(data) {
		return found{}, broken("text is no UTF-8: %s", brief(data))
	}
	return found{op: r.op, data: data}, nil
}
