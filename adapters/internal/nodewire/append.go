package nodewire

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// A writer writes a message as JSON with placeholders. The fields have the order that
// they have in JavaScript.
type writer struct {
	out          []byte
	attachments  [][]byte
	placeholders []parser.Placeholder
	binary       []byte // memory for MessagePack
}

func (w *writer) reset() {
	clear(w.attachments)
	if cap(w.out) > maxKept {
		w.out = nil
	}
	if cap(w.binary) > maxKept {
		w.binary = nil
	}
	w.out, w.attachments, w.placeholders = w.out[:0], w.attachments[:0], w.placeholders[:0]
}

func (w *writer) text(s string) { w.out = append(w.out, s...) }

// message writes a whole message.
func (w *writer) message(namespace string, m *cluster.Message) error {
	w.text(`{"type":`)
	w.out = strconv.AppendUint(w.out, uint64(m.Type), 10)
	if hasNoData(m.Type) != nil {
		w.text(`,"data":`)
		if err := w.data(m); err != nil {
			return err
		}
	}
	w.text(`,"uid":`)
	w.str(m.UID)
	w.text(`,"nsp":`)
	w.str(namespace)
	w.text("}")
	return nil
}

var errWriteType = errors.New("socket.io: cluster message of an unknown type")

// data writes the data of a message.
func (w *writer) data(m *cluster.Message) error {
	switch m.Type {
	case cluster.Hello, cluster.Alive, cluster.Gone:
	case cluster.Broadcast:
		w.text(`{"packet":{"type":2,"data":`)
		w.encoded(m.Event)
		w.text("}")
		if m.Request != "" {
			w.request(`,"requestId":`, m)
		}
		w.text(",")
		w.opts(m)
		w.text("}")
	case cluster.Join, cluster.Leave:
		w.text("{")
		w.opts(m)
		w.text(`,"rooms":`)
		w.list(m.Rooms)
		w.text("}")
	case cluster.Disconnect:
		w.text("{")
		w.opts(m)
		w.text(`,"close":`)
		w.out = strconv.AppendBool(w.out, m.Connection)
		w.text("}")
	case cluster.Fetch:
		w.text("{")
		w.opts(m)
		w.request(`,"requestId":`, m)
		w.text("}")
	case cluster.Fetched:
		w.request(`{"requestId":`, m)
		w.text(`,"sockets":`)
		if err := w.sockets(m.Sockets); err != nil {
			return err
		}
		w.text("}")
	case cluster.ServerEvent:
		w.text("{")
		if m.Request != "" {
			w.request(`"requestId":`, m)
			w.text(",")
		}
		w.text(`"packet":`)
		w.encoded(m.Event)
		w.text("}")
	case cluster.ServerAnswer, cluster.Ack:
		w.request(`{"requestId":`, m)
		w.text(`,"packet":`)
		w.encoded(m.Answer)
		w.text("}")
	case cluster.Clients:
		w.request(`{"requestId":`, m)
		w.text(`,"clientCount":`)
		w.out = strconv.AppendInt(w.out, int64(m.Count), 10)
		w.text("}")
	default:
		return errWriteType
	}
	return nil
}

func (w *writer) request(head string, m *cluster.Message) {
	w.text(head)
	w.str(m.Request)
}

// opts writes whom a message addresses.
func (w *writer) opts(m *cluster.Message) {
	w.text(`"opts":{"rooms":`)
	w.list(m.Target.Rooms)
	w.text(`,"except":`)
	w.list(m.Target.Except)
	w.text(`,"flags":{`)
	comma := ""
	if m.Target.Flags.Volatile {
		w.text(`"volatile":true`)
		comma = ","
	}
	if m.Target.Flags.Uncompress {
		w.text(comma)
		w.text(`"compress":false`)
		comma = ","
	}
	if m.Timeout > 0 {
		w.text(comma)
		w.text(`"timeout":`)
		w.out = strconv.AppendInt(w.out, max(int64(m.Timeout/time.Millisecond), 1), 10)
	}
	w.text("}}")
}

func (w *writer) list(rooms []string) {
	w.text("[")
	for i, room := range rooms {
		if i > 0 {
			w.text(",")
		}
		w.str(room)
	}
	w.text("]")
}

// str writes a string.
func (w *writer) str(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			text, _ := json.Marshal(s) // can't fail
			w.out = append(w.out, text...)
			return
		}
	}
	w.out = append(append(append(w.out, '"'), s...), '"')
}

// encoded writes a JSON value with its binary data. Those pieces that came before keep
// their numbers.
func (w *writer) encoded(e socketio.Encoded) {
	if len(e.Data) == 0 {
		w.text("null")
		return
	}
	if len(e.Attachments) == 0 {
		w.out = append(w.out, e.Data...)
		return
	}
	first, shift := len(w.attachments), len(w.out)
	w.out = append(w.out, e.Data...)
	w.attachments = append(w.attachments, e.Attachments...)
	w.placeholders = slices.Grow(w.placeholders, len(e.Placeholders))
	for _, p := range e.Placeholders {
		p.Start, p.End, p.Num = p.Start+shift, p.End+shift, p.Num+first
		w.placeholders = append(w.placeholders, p)
	}
}

// sockets writes the sockets of an answer.
func (w *writer) sockets(list []socketio.RemoteSocket) error {
	w.text("[")
	for i, s := range list {
		if i > 0 {
			w.text(",")
		}
		w.text(`{"id":`)
		w.str(s.ID)
		handshake, err := json.Marshal(s.Handshake)
		if err != nil {
			return err
		}
		w.text(`,"handshake":`)
		w.out = append(w.out, handshake...)
		w.text(`,"rooms":`)
		w.list(s.Rooms)
		w.text(`,"data":`)
		if err := w.socketData(s.Data); err != nil {
			return err
		}
		w.text("}")
	}
	w.text("]")
	return nil
}

// socketData writes the data of a socket.
func (w *writer) socketData(data map[string]any) error {
	if len(data) == 0 {
		w.text("{}")
		return nil
	}
	e, err := socketio.Encode(data)
	if err != nil {
		return err
	}
	w.encoded(e)
	return nil
}

// hasNoData returns nil if messages of type t have no data.
func hasNoData(t cluster.Type) error {
	switch t {
	case cluster.Hello, cluster.Alive, cluster.Gone:
		return nil
	}
	return errMissing
}
