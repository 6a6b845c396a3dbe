// Package nodewire is how the JavaScript cluster adapter writes its messages: an object
// {type, data, uid, nsp} in JSON, or in MessagePack if it holds binary data. The
// adapters for Redis streams and for sharded channels speak it.
//
// A message is written as JSON with placeholders for its binary data, and read from
// that; MessagePack is translated from it and to it. So there is one writer and one
// reader, and an event passes through both of them as bytes, without being decoded.
package nodewire

import (
	"bytes"
	"encoding/base64"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// MaxMessage is how long a received message may be, in bytes: the fields and elements of
// a shorter one can be counted by an int32, and Redis has no longer ones by default.
const MaxMessage = 512 << 20

// maxAttachments bounds the pieces of binary data in a message: those of all sockets
// that an answer describes. How many an event may have is for Local to say.
const maxAttachments = 1 << 16

// maxDepth is how deep arrays and objects of a message may be nested: those of an
// event's arguments, in data, packet and the event.
const maxDepth = socketio.MaxDepth + 8

// Errors of reading.
var (
	errJSON     error = &parser.Error{Reason: "cluster message is not JSON"}
	errLong     error = &parser.Error{Reason: "cluster message is too long"}
	errType     error = &parser.Error{Reason: "unknown type of a cluster message"}
	errField    error = &parser.Error{Reason: "field of a cluster message has the wrong type"}
	errMissing  error = &parser.Error{Reason: "field of a cluster message is missing"}
	errPacket   error = &parser.Error{Reason: "packet of a cluster message is not an event"}
	errTrailing error = &parser.Error{Reason: "bytes after a cluster message"}
	errBase64   error = &parser.Error{Reason: "cluster message is not base64"}
)

// maxKept is how much memory an Encoder or Decoder keeps for each of its uses, in bytes.
const maxKept = 1 << 20

// An Encoder writes messages. It keeps the memory of those that it has written. The zero
// value is ready; it is used by one goroutine at a time.
type Encoder struct{ w writer }

// Append appends a message of a namespace to b: as JSON, or as MessagePack if it has
// binary data or if binary is set.
func (e *Encoder) Append(b []byte, namespace string, m *cluster.Message, binary bool) ([]byte, error) {
	w := &e.w
	w.reset()
	if err := w.message(namespace, m); err != nil {
		return b, err
	}
	if binary || len(w.placeholders) > 0 {
		return msgpack.AppendValue(b, w.out, w.attachments, w.placeholders), nil
	}
	return append(b, w.out...), nil
}

// AppendData appends the data of a message to b, as an entry of a stream has it: JSON,
// or MessagePack in base64 if there is binary data. Messages without data have none.
func (e *Encoder) AppendData(b []byte, m *cluster.Message) ([]byte, error) {
	w := &e.w
	w.reset()
	if err := w.data(m); err != nil {
		return b, err
	}
	if len(w.placeholders) == 0 {
		return append(b, w.out...), nil
	}
	w.binary = msgpack.AppendValue(w.binary[:0], w.out, w.attachments, w.placeholders)
	return base64.StdEncoding.AppendEncode(b, w.binary), nil
}

// A Decoder reads messages, whatever somebody has written. The zero value is ready; it
// is used by one goroutine at a time.
type Decoder struct {
	packet parser.Packet // what was MessagePack
	binary []byte        // what was base64
	m      cluster.Message
	lists  [3][]string // the memory of rooms, except, and the rooms of joins

	uid, namespace string // of the last message: most come from few nodes
}

// Decode reads a message, JSON or MessagePack. The message, without its Sockets, is valid
// until the next call, as long as b is not modified. Errors are of type *parser.Error.
func (d *Decoder) Decode(b []byte) (namespace string, m *cluster.Message, err error) {
	r, err := d.reader(b)
	if err != nil {
		return "", nil, err
	}
	namespace, err = r.message()
	if err != nil {
		return "", nil, err
	}
	return namespace, &d.m, nil
}

// DecodeData reads the data of a message of a node, as an entry of a stream has it; see
// Decode.
func (d *Decoder) DecodeData(t cluster.Type, uid string, data []byte) (*cluster.Message, error) {
	if len(data) > 0 && data[0] != '{' {
		binary, err := base64.StdEncoding.AppendDecode(d.binary[:0], data)
		if err != nil {
			return nil, errBase64
		}
		if data = binary; cap(binary) <= maxKept {
			d.binary = binary
		}
		if len(data) == 0 || data[0] == '{' {
			return nil, errBase64
		}
	}
	d.m = cluster.Message{Type: t, UID: uid}
	if len(data) == 0 {
		return &d.m, hasNoData(t)
	}
	r, err := d.reader(data)
	if err != nil {
		return nil, err
	}
	d.m.Type, d.m.UID = t, uid
	if err := r.data(); err != nil {
		return nil, err
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return &d.m, nil
}

// reader returns a reader of b, and begins a message.
func (d *Decoder) reader(b []byte) (reader, error) {
	d.m = cluster.Message{}
	if len(b) > MaxMessage {
		return reader{}, errLong
	}
	r := reader{d: d, m: &d.m}
	if trimmed := bytes.TrimLeft(b, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		r.b = b
		return r, nil
	}
	if cap(d.packet.Data) > maxKept {
		d.packet.Data = nil
	}
	d.packet.Reset()
	x := msgpack.NewReader(b)
	if err := x.Value(&d.packet, parser.Limits{Attachments: maxAttachments, Depth: maxDepth}); err != nil {
		return reader{}, err
	}
	if x.Len() > 0 {
		return reader{}, errTrailing
	}
	r.b, r.attachments = d.packet.Data, d.packet.Binary
	return r, nil
}
