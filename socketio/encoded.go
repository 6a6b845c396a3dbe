package socketio

import (
	"encoding/json"
	"fmt"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// Encoded is a JSON value with its binary data: the array of an event, whose first
// element is the event's name; or an answer, which is the first argument of an
// acknowledgement.
type Encoded struct {
	// Data is JSON, in UTF-8. An object {"_placeholder":true,"num":N} stands for
	// attachment N, as in the protocol. Without attachments there are no
	// placeholders: such an object is then data.
	Data json.RawMessage
	// Attachments are the pieces of binary data, by number. They are shared.
	Attachments [][]byte
	// Placeholders says where they are in Data, in their order there, so that an
	// Adapter need not look for them. Local ignores it.
	Placeholders []parser.Placeholder
}

// Encode returns v as JSON with its binary data, as the argument of an event: a []byte
// anywhere in v becomes an attachment, which is shared. It is for what adapters send
// beside events, such as RemoteSocket.Data. Like Emitter.Emit it refuses an object that
// would be taken for a placeholder beside such data, and like Decode what is nested too
// deep. A MarshalJSON that panics is an error: the goroutine is the adapter's.
func Encode(v any) (_ Encoded, err error) {
	defer recovered(&err)
	w := wire{limits: parser.Limits{Attachments: maxAttachments, Depth: dataDepth + 1}}
	return w.answer(v)
}

// recovered is deferred. It turns a panic into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("socket.io: panic while encoding: %v", p)
	}
}

// dataDepth is how deep what Encode and Decode deal in may be nested: an argument of a client's
// event may be part of a socket's data, and that part of a session.
const dataDepth = MaxDepth + 2

// EncodeEvent returns an event as other nodes get it, for those who send some without being a
// node: an emitter in another process. A []byte anywhere in args is shared. It returns an error
// if args can't be encoded, also if a MarshalJSON panics, if the name is reserved, or if all nodes
// would refuse the event; see Emitter.Emit. Nodes also refuse more attachments than their
// Limits.Attachments.
func EncodeEvent(event string, args ...any) (_ Encoded, err error) {
	defer recovered(&err)
	e := encoder{limit: maxAttachments}
	err = e.event(event, args)
	if err == nil {
		err = e.refused(len(args))
	}
	if err == nil {
		err = e.check(e.start)
	}
	if err != nil {
		return Encoded{}, err
	}
	return Encoded{Data: e.buf, Attachments: e.packet.Binary, Placeholders: e.packet.Placeholders}, nil
}

// Decode reads e into v, a pointer, as an argument of an event; see Event.Decode. It
// judges e, and refuses what is nested deeper than MaxDepth and 2 levels more, for what a socket's
// data has around an argument. Binary data is shared.
func (e Encoded) Decode(v any) error {
	a, err := e.asArgument(parser.Limits{Attachments: maxAttachments, Arguments: 1, Depth: dataDepth + 1})
	if err != nil {
		return err
	}
	return a.Decode(0, v)
}

// asArgument returns e as an acknowledgement whose only argument it is.
func (e Encoded) asArgument(l parser.Limits) (*Args, error) {
	u := new(packet.Unit)
	data := make([]byte, 0, len(e.Data)+2)
	data = append(append(append(data, '['), e.Data...), ']')
	if err := u.Read(parser.Ack, data, e.Attachments, l); err != nil {
		return nil, err
	}
	if u.Len() != 1 {
		return nil, errAnswer
	}
	return &Args{u}, nil
}

var errAnswer error = &parser.Error{Reason: "an answer is not one value"}
