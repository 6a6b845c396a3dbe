package redisadapter

import (
	"math"
	"time"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

// Errors of messages that are refused.
var (
	errForm      error = &parser.Error{Reason: "not a message of the Redis adapter"}
	errNamespace error = &parser.Error{Reason: "message for another namespace"}
	errRoom      error = &parser.Error{Reason: "room is not a string or number"}
	errPacket    error = &parser.Error{Reason: "packet is not an event"}
)

// maxAttachments is how many pieces of binary data a message may have. Local has a limit
// of its own.
const maxAttachments = 1 << 16

var limits = parser.Limits{Attachments: maxAttachments, Depth: socketio.MaxDepth}

// A decoder reads the messages that are MessagePack. It uses its memory again: what it
// returns is valid until the next call.
type decoder struct {
	r      msgpack.Reader // here, since a variable would be on the heap anew each time
	packet parser.Packet
	rooms  []string
	except []string
	names  map[string]string // strings that were seen lately, by themselves
}

// A message is what was read of one. What is not there is empty.
type message struct {
	typ     int
	uid     []byte
	id      []byte // of the request
	packet  msgpack.Reader
	has     bool // packet
	target  socketio.Target
	timeout time.Duration
	clients int
}

// broadcast reads a broadcast, but for the packet. If uid is the node's own nothing more
// than it is read.
func (d *decoder) broadcast(payload []byte, own string) (m message, err error) {
	d.r = msgpack.NewReader(payload)
	r := &d.r
	n, ok := r.Array()
	if !ok || n < 3 {
		return m, errForm
	}
	if m.uid, ok = r.String(); !ok {
		return m, errForm
	}
	if string(m.uid) == own {
		return m, nil
	}
	m.packet, m.has = *r, true
	if err := r.Skip(); err != nil {
		return m, err
	}
	if err := d.options(r, &m); err != nil {
		return m, err
	}
	for range n - 3 {
		if err := r.Skip(); err != nil {
			return m, err
		}
	}
	return m, end(r)
}

func end(r *msgpack.Reader) error {
	if r.Len() > 0 {
		return errForm
	}
	return nil
}

// object reads a request or an answer, but for the packet.
func (d *decoder) object(payload []byte) (m message, err error) {
	d.r = msgpack.NewReader(payload)
	r := &d.r
	m.typ = -1
	err = fields(r, func(key []byte, r *msgpack.Reader) error {
		var ok bool
		switch string(key) {
		case "uid":
			if m.uid, ok = r.String(); !ok {
				return errForm
			}
		case "requestId":
			if m.id, ok = r.String(); !ok {
				return errForm
			}
		case "type":
			m.typ, ok = integer(r)
			if !ok {
				return errForm
			}
		case "clientCount":
			m.clients, ok = integer(r)
			if !ok {
				return errForm
			}
		case "opts":
			return d.options(r, &m)
		case "packet":
			m.packet, m.has = *r, true
			return r.Skip()
		default:
			return r.Skip()
		}
		return nil
	})
	if err != nil {
		return m, err
	}
	return m, end(r)
}

// fields reads a map. f reads the value of a key.
func fields(r *msgpack.Reader, f func(key []byte, r *msgpack.Reader) error) error {
	n, ok := r.Map()
	if !ok {
		return errForm
	}
	for range n {
		key, ok := r.String()
		if !ok {
			return errForm
		}
		if err := f(key, r); err != nil {
			return err
		}
	}
	return nil
}

// integer reads an integer that is not negative.
func integer(r *msgpack.Reader) (int, bool) {
	f, ok := r.Number()
	if !ok || f < 0 || f > math.MaxInt32 || f != math.Trunc(f) {
		return 0, false
	}
	return int(f), true
}

// options reads the rooms and flags.
func (d *decoder) options(r *msgpack.Reader, m *message) error {
	d.rooms, d.except = d.rooms[:0], d.except[:0]
	err := fields(r, func(key []byte, r *msgpack.Reader) (err error) {
		switch string(key) {
		case "rooms":
			d.rooms, err = d.list(d.rooms[:0], r)
		case "except":
			d.except, err = d.list(d.except[:0], r)
		case "flags":
			if !r.Nil() {
				err = flags(r, m)
			}
		default:
			err = r.Skip()
		}
		return err
	})
	m.target.Rooms, m.target.Except = d.rooms, d.except
	return err
}

// flags reads the flags. Those that mean nothing here are skipped.
func flags(r *msgpack.Reader, m *message) error {
	return fields(r, func(key []byte, r *msgpack.Reader) error {
		switch string(key) {
		case "volatile":
			if v, ok := r.Bool(); ok {
				m.target.Flags.Volatile = v
				return nil
			}
		case "compress":
			if v, ok := r.Bool(); ok {
				m.target.Flags.Uncompress = !v
				return nil
			}
		case "timeout":
			if ms, ok := r.Number(); ok {
				m.timeout = milliseconds(ms)
				return nil
			}
		}
		return r.Skip()
	})
}

// maxAckTime is the longest time that another node may make this one wait for its
// clients. One that asks for more is treated like one that does not say.
const maxAckTime = time.Hour

// milliseconds returns a time of Node's: 0 if it makes no sense.
func milliseconds(ms float64) time.Duration {
	if !(ms > 0 && ms <= float64(maxAckTime.Milliseconds())) { // false for NaN too
		return 0
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// list appends an array of rooms to to.
func (d *decoder) list(to []string, r *msgpack.Reader) ([]string, error) {
	if r.Nil() {
		return to, nil
	}
	n, ok := r.Array()
	if !ok {
		return to, errForm
	}
	for range n {
		if s, ok := r.String(); ok {
			to = append(to, d.text(s))
		} else if f, ok := r.Number(); ok {
			to = append(to, string(msgpack.AppendNumber(nil, f)))
		} else {
			return to, errRoom
		}
	}
	return to, nil
}

const (
	maxNames = 4096 // that are remembered
	maxName  = 64   // bytes of each
)

// text returns s as a string. Most rooms are seen again soon, and cost no memory then.
func (d *decoder) text(s []byte) string {
	if known, ok := d.names[string(s)]; ok {
		return known
	}
	text := string(s)
	if len(text) > maxName {
		return text
	}
	if d.names == nil || len(d.names) >= maxNames {
		d.names = make(map[string]string)
	}
	d.names[text] = text
	return text
}

// event reads the packet of a message, which must be an event for a namespace.
func (d *decoder) event(m *message, namespace string) (socketio.Encoded, error) {
	typ, data := -1, false
	d.reset()
	if !m.has {
		return socketio.Encoded{}, errPacket
	}
	d.r = m.packet
	right := false
	err := fields(&d.r, func(key []byte, r *msgpack.Reader) error {
		var ok bool
		switch string(key) {
		case "type":
			if typ, ok = integer(r); !ok {
				return errPacket
			}
		case "nsp":
			s, ok := r.String()
			if !ok {
				return errPacket
			}
			right = string(s) == namespace
		case "data":
			if data {
				return errPacket
			}
			data = true
			return r.Value(&d.packet, limits)
		default:
			return r.Skip()
		}
		return nil
	})
	switch {
	case err != nil:
		return socketio.Encoded{}, err
	case !right:
		return socketio.Encoded{}, errNamespace
	case typ != 2 && typ != 5 || !data: // 5 is an event with binary data
		return socketio.Encoded{}, errPacket
	}
	return d.encoded(), nil
}

// value reads the packet of an answer, which is any value.
func (d *decoder) value(m *message) (socketio.Encoded, error) {
	d.reset()
	if !m.has { // undefined
		d.packet.Data = append(d.packet.Data, "null"...)
		return d.encoded(), nil
	}
	r := m.packet
	if err := r.Value(&d.packet, limits); err != nil {
		return socketio.Encoded{}, err
	}
	return d.encoded(), nil
}

// keptPacket is the size of the largest packet whose memory is used again, in bytes.
const keptPacket = 1 << 20

func (d *decoder) reset() {
	d.packet.Reset()
	if cap(d.packet.Data) > keptPacket {
		d.packet = parser.Packet{}
	}
}

func (d *decoder) encoded() socketio.Encoded {
	p := &d.packet
	return socketio.Encoded{Data: p.Data, Attachments: p.Binary, Placeholders: p.Placeholders}
}
