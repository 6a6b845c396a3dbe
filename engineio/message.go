package engineio

import (
	"sync"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio/internal/packet"
)

// A Message is data of the application, encoded once for any number of
// sessions. It is immutable and may be used from any goroutine.
type Message struct {
	binary bool
	frame  *conn.Prepared // on WebSocket
	data   []byte         // on long-polling: the text after its type, or what becomes base64
}

// NewMessage makes a message from data, which it copies. Text must be UTF-8 and
// must not hold the byte 0x1E, which separates packets on long-polling.
func NewMessage(data []byte, binary bool) *Message {
	if binary {
		m := &Message{binary: true, frame: conn.NewPrepared(conn.Binary, data)}
		m.data = m.frame.Payload()
		return m
	}
	b := texts.Get().(*[]byte)
	*b = append(append((*b)[:0], '0'+byte(packet.Message)), data...)
	m := &Message{frame: conn.NewPrepared(conn.Text, *b)}
	m.data = m.frame.Payload()
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
	c := *m
	c.frame = m.frame.Uncompressed()
	return &c
}

// control makes a packet that is not the application's.
func control(t packet.Type, data string) *Message {
	b := packet.Packet{Type: t, Data: []byte(data)}.Append(nil)
	return &Message{frame: conn.NewPrepared(conn.Text, b), data: b}
}

// The packets that all sessions share.
var (
	pingMessage  = control(packet.Ping, "")
	probeMessage = control(packet.Pong, "probe")
	closeMessage = control(packet.Close, "")
	noopMessage  = control(packet.Noop, "")
)

// messageOverhead is what a message takes in memory beside its bytes, and its
// place in a queue with it.
const messageOverhead = 160

// size returns what m counts in a session's queue, in bytes.
func (m *Message) size() int { return messageOverhead + len(m.data) }

// appendPayload appends m to the payload b of a response, after a separator
// unless b is empty.
func (m *Message) appendPayload(b []byte) []byte {
	if m.binary {
		return packet.AppendPayload(b, packet.Packet{Type: packet.Message, Binary: true, Data: m.data})
	}
	if len(b) > 0 {
		b = append(b, packet.Separator)
	}
	return append(b, m.data...)
}
