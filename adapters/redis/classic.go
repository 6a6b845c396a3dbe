package redisadapter

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
	"github.com/tinylib/msgp/msgp"
)

// The types of requests and answers, which are those of @socket.io/redis-adapter. A
// broadcast has none.
const (
	typeSockets     = 0 // asks for the ids of sockets; from old versions only
	typeRooms       = 1 // asks for the rooms
	typeJoin        = 2
	typeLeave       = 3
	typeDisconnect  = 4
	typeFetch       = 5 // asks for the sockets
	typeServerEvent = 6 // and its answer
	typeCall        = 7 // a broadcast with acknowledgements
	typeClients     = 8 // answers it: how many clients the node asks
	typeAck         = 9 // answers it: one acknowledgement
)

// A request is one of those that are JSON.
type request struct {
	UID       string          `json:"uid,omitempty"` // of the node; an emitter may have none
	RequestID string          `json:"requestId,omitempty"`
	Type      int             `json:"type"`
	Opts      *opts           `json:"opts,omitempty"`
	Rooms     names           `json:"rooms,omitempty"`
	Close     *bool           `json:"close,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	// Old versions name one socket and one room:
	SID  string `json:"sid,omitempty"`
	Room name   `json:"room,omitempty"`
}

// opts are the sockets that a request is for.
type opts struct {
	Rooms  names `json:"rooms"`
	Except names `json:"except"`
}

func optsOf(t socketio.Target) *opts { return &opts{list(t.Rooms), list(t.Except)} }

// list returns s, which is not null in JSON.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (o *opts) target() socketio.Target { return socketio.Target{Rooms: o.Rooms, Except: o.Except} }

// names are rooms. In Node they may be numbers.
type names []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(data []byte) error {
	var list []name
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*n = make(names, len(list))
	for i, one := range list {
		(*n)[i] = string(one)
	}
	return nil
}

// A name is one of names.
type name string

// UnmarshalJSON implements json.Unmarshaler.
func (n *name) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, (*string)(n))
	}
	var f float64
	if bytes.Equal(data, []byte("null")) {
		return errRoom
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	*n = name(msgpack.AppendNumber(nil, f))
	return nil
}

// encodeJSON writes v as JSON.stringify does, without escapes for HTML.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// appendBroadcast appends a broadcast: [uid, packet, options].
func appendBroadcast(b []byte, uid, namespace string, t socketio.Target, event socketio.Encoded) []byte {
	b = msgp.AppendArrayHeader(b, 3)
	b = msgp.AppendString(b, uid)
	b = appendPacket(b, namespace, event)
	return appendOptions(b, t, 0)
}

// appendPacket appends the packet of an event.
func appendPacket(b []byte, namespace string, event socketio.Encoded) []byte {
	b = msgp.AppendMapHeader(b, 3)
	b = msgp.AppendString(b, "type")
	b = msgp.AppendInt(b, 2)
	b = msgp.AppendString(b, "data")
	b = msgpack.AppendValue(b, event.Data, event.Attachments, event.Placeholders)
	b = msgp.AppendString(b, "nsp")
	return msgp.AppendString(b, namespace)
}

// appendOptions appends the rooms and flags. A timeout of 0 is left out.
func appendOptions(b []byte, t socketio.Target, timeout time.Duration) []byte {
	b = msgp.AppendMapHeader(b, 3)
	b = appendNames(msgp.AppendString(b, "rooms"), t.Rooms)
	b = appendNames(msgp.AppendString(b, "except"), t.Except)
	b = msgp.AppendString(b, "flags")
	flags := uint32(0)
	for _, set := range [...]bool{t.Flags.Volatile, t.Flags.Uncompress, timeout > 0} {
		if set {
			flags++
		}
	}
	b = msgp.AppendMapHeader(b, flags)
	if t.Flags.Volatile {
		b = msgp.AppendBool(msgp.AppendString(b, "volatile"), true)
	}
	if t.Flags.Uncompress {
		b = msgp.AppendBool(msgp.AppendString(b, "compress"), false)
	}
	if timeout > 0 {
		b = msgp.AppendInt64(msgp.AppendString(b, "timeout"), max(timeout.Milliseconds(), 1))
	}
	return b
}

func appendNames(b []byte, list []string) []byte {
	b = msgp.AppendArrayHeader(b, uint32(len(list)))
	for _, s := range list {
		b = msgp.AppendString(b, s)
	}
	return b
}

// appendCall appends a request of typeCall.
func appendCall(b []byte, uid, id, namespace string, t socketio.Target, timeout time.Duration, event socketio.Encoded) []byte {
	b = msgp.AppendMapHeader(b, 5)
	b = msgp.AppendString(msgp.AppendString(b, "uid"), uid)
	b = msgp.AppendString(msgp.AppendString(b, "requestId"), id)
	b = msgp.AppendInt(msgp.AppendString(b, "type"), typeCall)
	b = appendPacket(msgp.AppendString(b, "packet"), namespace, event)
	return appendOptions(msgp.AppendString(b, "opts"), t, timeout)
}

// appendAck appends an answer of typeAck.
func appendAck(b []byte, id string, value socketio.Encoded) []byte {
	b = msgp.AppendMapHeader(b, 3)
	b = msgp.AppendInt(msgp.AppendString(b, "type"), typeAck)
	b = msgp.AppendString(msgp.AppendString(b, "requestId"), id)
	return msgpack.AppendValue(msgp.AppendString(b, "packet"), value.Data, value.Attachments, value.Placeholders)
}
