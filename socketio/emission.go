package socketio

import (
	"encoding/json"
	"strconv"
	"sync"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// An emission is a packet with its attachments, encoded once for all that it
// is sent to.
type emission struct {
	messages []*engineio.Message // they belong together
	size     int                 // octets
	one      [1]*engineio.Message
}

// encoders holds encoders for reuse; their attachments have been let go of.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// maxPooled is the size of a buffer that is worth keeping, in octets.
const maxPooled = 64 << 10

// headroom is what the text before the JSON of a packet may need at most,
// beside the namespace: type, attachments, dash, comma, id.
const headroom = 1 + 2 + 1 + 1 + 20

// newEmission encodes an event or acknowledgement, whose array fill writes. It
// writes in front of the array once the number of attachments is known.
func newEmission(t packet.Type, namespace string, id *uint64, f Flags, fill func(*encoder) error) (*emission, error) {
	e := encoders.Get().(*encoder)
	defer func() {
		clear(e.attachments)
		if e.attachments = e.attachments[:0]; cap(e.buf) <= maxPooled {
			encoders.Put(e)
		}
	}()
	room := headroom + len(namespace)
	e.buf = append(e.buf[:0], make([]byte, room)...)
	if err := fill(e); err != nil {
		return nil, err
	}
	p := packet.Packet{Type: t, Namespace: []byte(namespace)}
	if id != nil {
		p.HasID, p.ID = true, *id
	}
	if n := len(e.attachments); n > 0 {
		p.Type, p.Attachments = t+(packet.BinaryEvent-packet.Event), n
	}
	head := p.Append(make([]byte, 0, headroom+64))
	text := e.buf[room-len(head):]
	copy(text, head)
	em := &emission{size: len(text)}
	em.messages = em.one[:0] // most have no attachments
	em.add(text, false, f)
	for _, data := range e.attachments {
		em.add(data, true, f)
		em.size += len(data)
	}
	return em, nil
}

// add appends a message.
func (e *emission) add(data []byte, binary bool, f Flags) {
	m := engineio.NewMessage(data, binary)
	if f.Uncompress {
		m = m.Uncompressed()
	}
	e.messages = append(e.messages, m)
}

// newEvent encodes an event. An offset that is not empty follows the
// arguments.
func newEvent(namespace, name string, args []any, id *uint64, offset string, f Flags) (*emission, error) {
	return newEmission(packet.Event, namespace, id, f, func(e *encoder) error {
		if err := e.event(name, args); err != nil || offset == "" {
			return err
		}
		e.buf = append(e.buf[:len(e.buf)-1], ',')
		e.buf = append(appendString(e.buf, offset), ']')
		return nil
	})
}

// newAck encodes an acknowledgement.
func newAck(namespace string, id uint64, args []any) (*emission, error) {
	return newEmission(packet.Ack, namespace, &id, Flags{}, func(e *encoder) error { return e.array(args) })
}

// newControl encodes a packet whose data can be encoded.
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
