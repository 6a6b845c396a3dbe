package engineio

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
)

// A Message is data of the application, encoded once for any number of
// sessions. It is immutable and may be used from any goroutine.
type Message struct {
	kind    packet.Type
	binary  bool
	plain   bool                    // never compressed
	frame   *conn.Prepared          // on WebSocket, but see framing
	data    []byte                  // the packet's, in memory of frame
	framing atomic.Pointer[framing] // of a codec that has a frame of its own, once a session has needed it
}

// A framing is a binary message as it goes over a WebSocket where a codec has a
// frame of its own.
type framing struct {
	codec *packet.Codec
	frame *conn.Prepared
}

// NewMessage makes a message from data, which it copies. Text must be UTF-8 and
// must not hold the byte 0x1E, which separates packets on long-polling.
func NewMessage(data []byte, binary bool) *Message {
	if binary {
		m := &Message{kind: packet.Message, binary: true, frame: conn.NewPrepared(conn.Binary, data)}
		m.data = m.frame.Payload()
		return m
	}
	b := texts.Get().(*[]byte)
	*b = append(append((*b)[:0], '0'+byte(packet.Message)), data...)
	m := &Message{kind: packet.Message, frame: conn.NewPrepared(conn.Text, *b)}
	m.data = m.frame.Payload()[1:]
	if cap(*b) <= maxPooled {
		texts.Put(b)
	}
	return m
}

// texts holds the buffers in which NewMessage puts a text after its type.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the size of the largest buffer that is kept, in bytes.
const maxPooled = 64 << 10

// Uncompressed returns m as a message that is never compressed, even if the
// handshake has agreed on compression.
func (m *Message) Uncompressed() *Message {
	return &Message{kind: m.kind, binary: m.binary, plain: true, frame: m.frame.Uncompressed(), data: m.data}
}

// frameFor returns m as it goes over the WebSocket of a client with a codec.
func (m *Message) frameFor(c *packet.Codec) *conn.Prepared {
	if !m.binary || c.Frame == nil {
		return m.frame
	}
	if f := m.framing.Load(); f != nil && f.codec == c {
		return f.frame
	}
	b, binary := c.Frame(m.data)
	f := &framing{c, conn.NewPrepared(conn.MessageType(binary), b)}
	if m.plain {
		f.frame = f.frame.Uncompressed()
	}
	m.framing.Store(f)
	return f.frame
}

// control makes a packet that is not the application's.
func control(t packet.Type, data string) *Message {
	b := packet.Packet{Type: t, Data: []byte(data)}.Append(nil)
	return &Message{kind: t, frame: conn.NewPrepared(conn.Text, b), data: b[1:]}
}

// The packets that all sessions share.
var (
	pingMessage  = control(packet.Ping, "")
	pongMessage  = control(packet.Pong, "")
	probeMessage = control(packet.Pong, "probe")
	closeMessage = control(packet.Close, "")
	noopMessage  = control(packet.Noop, "")

	askMessage     = control(packet.Ping, "probe") // of a client
	upgradeMessage = control(packet.Upgrade, "")
)

// messageOverhead is what a message takes in memory beside its bytes, and its
// place in a queue with it.
const messageOverhead = 160

// size returns what m counts in a session's queue, in bytes.
func (m *Message) size() int { return messageOverhead + m.frame.Len() }

// payload returns messages as the body of a response, in the form that it has for a
// client with a codec.
func payload(c *packet.Codec, ms []*Message) (body []byte, form *packet.Form) {
	form = c.Text
	if slices.ContainsFunc(ms, func(m *Message) bool { return m.binary }) {
		form = c.Mixed
	}
	for _, m := range ms {
		body = form.Append(body, packet.Packet{Type: m.kind, Binary: m.binary, Data: m.data})
	}
	return body, form
}
