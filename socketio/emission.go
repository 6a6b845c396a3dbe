package socketio

import (
	"encoding/json"
	"strconv"
	"sync"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

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

// headroom is the size of the longest text that may precede the JSON of a packet,
// without the namespace: type, attachments, dash, comma, id.
const headroom = 1 + 2 + 1 + 1 + 20

// newEncoder returns an encoder that holds the JSON which fill appends, after room
// for the text that precedes it. The caller releases the encoder.
func newEncoder(namespace string, fill func(*encoder) error) (*encoder, error) {
	e := encoders.Get().(*encoder)
	e.start = headroom + len(namespace)
	e.buf = append(e.buf[:0], make([]byte, e.start)...)
	if err := fill(e); err != nil {
		e.release()
		return nil, err
	}
	return e, nil
}

// release gives e back to encoders.
func (e *encoder) release() {
	clear(e.attachments)
	if e.attachments = e.attachments[:0]; cap(e.buf) <= maxPooled {
		encoders.Put(e)
	}
}

// emission returns the packet whose JSON e holds; e comes from newEncoder. The text
// before the JSON is written now, since it needs the number of attachments.
func (e *encoder) emission(t packet.Type, namespace string, id *uint64, f Flags) *emission {
	p := packet.Packet{Type: t, Namespace: []byte(namespace)}
	if id != nil {
		p.HasID, p.ID = true, *id
	}
	if n := len(e.attachments); n > 0 {
		p.Type, p.Attachments = t+(packet.BinaryEvent-packet.Event), n
	}
	head := p.Append(make([]byte, 0, headroom+64))
	text := e.buf[e.start-len(head):]
	copy(text, head)
	em := &emission{size: len(text)}
	em.messages = em.one[:0] // most have no attachments
	em.add(text, false, f)
	for _, data := range e.attachments {
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
func newEvent(namespace, name string, args []any, id *uint64, f Flags) (*emission, error) {
	e, err := newEncoder(namespace, func(e *encoder) error { return e.event(name, args) })
	if err != nil {
		return nil, err
	}
	defer e.release()
	return e.emission(packet.Event, namespace, id, f), nil
}

// newAck encodes an acknowledgement.
func newAck(namespace string, id uint64, args []any) (*emission, error) {
	e, err := newEncoder(namespace, func(e *encoder) error { return e.array(args) })
	if err != nil {
		return nil, err
	}
	defer e.release()
	return e.emission(packet.Ack, namespace, &id, Flags{}), nil
}

// newControl encodes a packet. The caller knows that encoding/json can write data.
func newControl(t packet.Type, namespace string, data any) *emission {
	p := packet.Packet{Type: t, Namespace: []byte(namespace)}
	if data != nil {
		p.Data, _ = json.Marshal(data)
	}
	text := p.Append(nil)
	return &emission{messages: []*engineio.Message{engineio.NewMessage(text, false)}, size: len(text)}
}

// formatOffset returns the offset of packet number n.
func formatOffset(prefix string, n uint64) string {
	return prefix + strconv.FormatUint(n, 36)
}
