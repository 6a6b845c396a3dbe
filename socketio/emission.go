package socketio

import (
	"encoding/json"
	"strconv"
	"sync"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// A wire is the form that packets have on the wire.
type wire struct {
	parser parser.Parser
	limits parser.Limits
}

func newWire(p parser.Parser, attachments int) wire {
	return wire{parser: p, limits: parser.Limits{Attachments: attachments, Arguments: MaxArguments, Depth: MaxDepth}}
}

// An emission is a packet with its attachments, encoded once for all its
// recipients.
type emission struct {
	messages []*engineio.Message // they belong together
	size     int                 // of all messages, in bytes
	one      [1]*engineio.Message
}

// encoders holds encoders that are used again. They hold no attachments.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// maxPooled is the size of the largest buffer that is kept, in bytes.
const maxPooled = 64 << 10

// newEncoder returns an encoder that holds the JSON which fill appends, after room
// for the text that precedes it in the text form. The caller releases the encoder.
func (w *wire) newEncoder(namespace string, fill func(*encoder) error) (*encoder, error) {
	e := encoders.Get().(*encoder)
	e.limit = w.limits.Attachments
	e.start = packet.Headroom + len(namespace)
	e.buf = append(e.buf[:0], make([]byte, e.start)...)
	err := fill(e)
	if err == nil && !w.parser.Binary() { // others have no placeholders on the wire
		err = e.check(e.start)
	}
	if err != nil {
		e.release()
		return nil, err
	}
	return e, nil
}

// release gives e back to encoders.
func (e *encoder) release() {
	p := &e.packet
	if len(p.Binary) > 0 {
		clear(p.Binary)
		p.Binary, p.Placeholders = p.Binary[:0], p.Placeholders[:0]
	}
	if cap(e.buf) > maxPooled {
		e.buf = nil
		p.SetData(nil, 0)
	}
	if cap(p.Namespace) > maxPooled { // clients ask for namespaces that are not there
		p.Namespace = nil
	}
	if cap(p.Scratch) > maxPooled {
		p.Scratch = nil
	}
	encoders.Put(e)
}

// encode returns the messages of the packet whose JSON e holds; e comes from
// newEncoder. They are valid until e is released.
func (w *wire) encode(e *encoder, t parser.Type, namespace string, id *uint64) (message []byte, attachments [][]byte) {
	p := &e.packet
	p.Type, p.Namespace = t, append(p.Namespace[:0], namespace...)
	if p.HasID = id != nil; p.HasID {
		p.ID = *id
	}
	p.SetData(e.buf, e.start)
	return w.parser.Encode(p)
}

// emission returns the packet whose JSON e holds; e comes from newEncoder.
func (w *wire) emission(e *encoder, t parser.Type, namespace string, id *uint64, f Flags) *emission {
	message, attachments := w.encode(e, t, namespace, id)
	em := &emission{size: len(message)}
	em.messages = em.one[:0] // most have no attachments
	em.add(message, w.parser.Binary(), f)
	for _, data := range attachments {
		em.add(data, true, f)
		em.size += len(data)
	}
	return em
}

// add appends a message.
func (e *emission) add(data []byte, binary bool, f Flags) {
	m := engineio.NewMessage(data, binary)
	if f.Uncompress {
		m = m.Uncompressed()
	}
	e.messages = append(e.messages, m)
}

// newEvent encodes an event.
func (w *wire) newEvent(namespace, name string, args []any, id *uint64, f Flags) (*emission, error) {
	e, err := w.newEncoder(namespace, func(e *encoder) error { return e.event(name, args) })
	if err != nil {
		return nil, err
	}
	defer e.release()
	return w.emission(e, parser.Event, namespace, id, f), nil
}

// newAck encodes an acknowledgement.
func (w *wire) newAck(namespace string, id uint64, args []any) (*emission, error) {
	e, err := w.newEncoder(namespace, func(e *encoder) error { return e.array(args) })
	if err != nil {
		return nil, err
	}
	defer e.release()
	return w.emission(e, parser.Ack, namespace, &id, Flags{}), nil
}

// newControl encodes a packet. The caller knows that encoding/json can write data.
func (w *wire) newControl(t parser.Type, namespace string, data any) *emission {
	e, _ := w.newEncoder(namespace, func(e *encoder) error {
		if data == nil {
			return nil
		}
		text, _ := json.Marshal(data)
		e.buf = append(e.buf, inUTF8(text)...)
		return nil
	})
	defer e.release()
	return w.emission(e, t, namespace, nil, Flags{})
}

// loop returns the packet that a peer would receive whose arguments fill encodes.
func (w *wire) loop(t parser.Type, fill func(*encoder) error) (*packet.Unit, error) {
	e, err := w.newEncoder("/", fill)
	if err != nil {
		return nil, err
	}
	defer e.release()
	message, attachments := w.encode(e, t, "/", nil)
	u := new(packet.Unit)
	if err := u.Parse(w.parser, message, w.limits); err != nil {
		return nil, err
	}
	u.Binary = append(u.Binary, attachments...)
	return u, nil
}

// formatOffset returns the offset of packet number n.
func formatOffset(prefix string, n uint64) string {
	return prefix + strconv.FormatUint(n, 36)
}
