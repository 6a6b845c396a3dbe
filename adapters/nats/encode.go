package natsadapter

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

// The form of a message, which only this adapter uses:
//
//	version   1 byte, 1
//	type      1 byte, of cluster.Type
//	flags     1 byte, the bits below
//	uid       string
//	request   string, if flagRequest is set
//	timeout   number of milliseconds, if flagRequest is set
//
// and then the fields of its type, in the order in which appendBody writes them. A number
// is a varint (encoding/binary), a string is its length and its bytes, a list is its
// length and its elements. An Encoded is its JSON as a string and the list of its
// attachments, so that an event travels as it is in memory, and the reader copies nothing.
//
// At the end there are 8 bytes, big-endian, with the number of the event among those of its
// node, if flagNumber is set.
const version = 1

// The flags.
const (
	flagVolatile   = 1 << iota
	flagUncompress // of the Target
	flagConnection // Message.Connection
	flagRequest    // there is a request
	flagNumber     // there is a number at the end
	flagAll        = 1<<iota - 1
)

// appendMessage appends m to b. Only the data of sockets can fail.
func appendMessage(b []byte, m *cluster.Message) ([]byte, error) {
	var flags byte
	if m.Target.Flags.Volatile {
		flags |= flagVolatile
	}
	if m.Target.Flags.Uncompress {
		flags |= flagUncompress
	}
	if m.Connection {
		flags |= flagConnection
	}
	if m.Request != "" {
		flags |= flagRequest
	}
	b = append(b, version, byte(m.Type), flags)
	b = appendString(b, m.UID)
	if m.Request != "" {
		b = appendString(b, m.Request)
		b = binary.AppendUvarint(b, uint64(max(m.Timeout, 0)/time.Millisecond))
	}
	return appendBody(b, m)
}

// appendBody appends the fields that messages of m's type have.
func appendBody(b []byte, m *cluster.Message) ([]byte, error) {
	switch m.Type {
	case cluster.Broadcast:
		b = appendTarget(b, &m.Target)
		b = appendEncoded(b, &m.Event)
	case cluster.Join, cluster.Leave:
		b = appendTarget(b, &m.Target)
		b = appendList(b, m.Rooms)
	case cluster.Disconnect, cluster.Fetch:
		b = appendTarget(b, &m.Target)
	case cluster.ServerEvent:
		b = appendEncoded(b, &m.Event)
	case cluster.ServerAnswer, cluster.Ack:
		b = appendEncoded(b, &m.Answer)
	case cluster.Clients:
		b = binary.AppendUvarint(b, uint64(m.Count))
	case cluster.Fetched:
		b = binary.AppendUvarint(b, uint64(len(m.Sockets)))
		for i := range m.Sockets {
			var err error
			if b, err = appendSocket(b, &m.Sockets[i]); err != nil {
				return b, err
			}
		}
	}
	return b, nil
}

// numberBytes is the length of an event's number.
const numberBytes = 8

// makeRoom appends the place of a number to an event, which setNumber fills in.
func makeRoom(b []byte) []byte {
	b[2] |= flagNumber
	return append(b, make([]byte, numberBytes)...)
}

func setNumber(b []byte, n uint64) { binary.BigEndian.PutUint64(b[len(b)-numberBytes:], n) }

func appendString[S string | []byte | json.RawMessage](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendList(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func appendTarget(b []byte, t *socketio.Target) []byte {
	return appendList(appendList(b, t.Rooms), t.Except)
}

func appendEncoded(b []byte, e *socketio.Encoded) []byte {
	b = appendString(b, e.Data)
	b = binary.AppendUvarint(b, uint64(len(e.Attachments)))
	for _, a := range e.Attachments {
		b = appendString(b, a)
	}
	return b
}

// appendSocket appends a socket: its id, rooms, handshake as JSON, and data.
func appendSocket(b []byte, s *socketio.RemoteSocket) ([]byte, error) {
	b = appendList(appendString(b, s.ID), s.Rooms)
	handshake, err := s.Handshake.MarshalJSON()
	if err != nil {
		return b, err
	}
	data, err := socketio.Encode(s.Data)
	if err != nil {
		return b, err
	}
	return appendEncoded(appendString(b, handshake), &data), nil
}
