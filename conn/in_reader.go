package conn

import (
	"context"
	"errors"
	"io"

	"github.com/parleyws/parley/conn/internal/message"
)

// Reader returns the next message as a stream of its bytes, which come as they
// arrive; compressed messages come when they are whole, as does one that a Read
// has waited for in vain. The reads take turns with other reads, and end with
// ctx. Any other read discards what is left of the message; the Reader then
// returns an error.
func (c *Conn) Reader(ctx context.Context) (MessageType, io.Reader, error) {
	return c.in.reader(ctx, message.Parts)
}

func (in *inbound) reader(ctx context.Context, mode message.Mode) (MessageType, *partsReader, error) {
	if err := in.begin(ctx); err != nil {
		return Text, nil, err
	}
	defer in.giveUpTurn()
	e, err := in.next(ctx, mode)
	if err != nil {
		return Text, nil, err
	}
	in.parser.parts = &partsReader{in: in, ctx: ctx, mode: mode, part: e.Payload, last: e.Last}
	return typeOf(e), in.parser.parts, nil
}

// A partsReader is what Reader returns. Its fields belong to the turn.
type partsReader struct {
	in   *inbound
	ctx  context.Context
	mode message.Mode
	part []byte // view: of the stream's buffer, or of the message if it was compressed
	last bool
	lost bool // another read has discarded some of it
}

var errStaleReader = errors.New("websocket: read of a message that another read has discarded")

// Read implements io.Reader.
func (r *partsReader) Read(p []byte) (int, error) { return r.readWith(r.ctx, p) }

func (r *partsReader) readWith(ctx context.Context, p []byte) (int, error) {
	in := r.in
	if err := in.takeTurn(ctx); err != nil {
		return 0, err
	}
	defer in.giveUpTurn()
	switch {
	case r.lost:
		return 0, errStaleReader
	case in.parser.parts != r && r.last && len(r.part) == 0:
		return 0, io.EOF
	case in.parser.parts != r:
		return 0, errStaleReader
	}
	for len(r.part) == 0 && !r.last {
		e, err := in.next(ctx, r.mode)
		if err != nil {
			return 0, err
		}
		r.part, r.last = e.Payload, e.Last
	}
	n := copy(p, r.part)
	r.part = r.part[n:]
	if r.last && len(r.part) == 0 {
		in.endParts()
		if n == 0 && len(p) > 0 {
			return 0, io.EOF
		}
	}
	return n, nil
}

// begin takes the turn for a read of a new message, and discards what is left
// of one that a Reader has not finished.
func (in *inbound) begin(ctx context.Context) error {
	if err := in.takeTurn(ctx); err != nil {
		return err
	}
	for in.parser.parts != nil {
		if in.parser.parts.last {
			in.endParts()
			break
		}
		in.parser.parts.part, in.parser.parts.lost = nil, true
		e, err := in.next(ctx, message.Parts)
		if err != nil {
			in.giveUpTurn()
			return err
		}
		in.parser.parts.last = e.Last
	}
	return nil
}

func (in *inbound) endParts() {
	in.parser.Settle()
	in.parser.parts = nil
}
