package natsadapter

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/socketio"
)

// Limits on what a message of another node may hold. The events themselves are judged by
// socketio.Local.
const (
	maxUID         = 64      // bytes of a node's name, or of a request's
	maxList        = 100_000 // rooms of a list
	maxAttachments = 1 << 16
	maxSockets     = 10_000_000
	maxTimeout     = 24 * time.Hour
)

// Errors of reading.
var (
	errVersion error = &parser.Error{Reason: "message of another version of the adapter"}
	errType    error = &parser.Error{Reason: "unknown type or flags of a cluster message"}
	errShort   error = &parser.Error{Reason: "cluster message is cut off"}
	errLong    error = &parser.Error{Reason: "cluster message has more than its fields"}
	errLimit   error = &parser.Error{Reason: "number in a cluster message is out of range"}
	errUID     error = &parser.Error{Reason: "cluster message has no proper sender or request"}
	errSocket  error = &parser.Error{Reason: "handshake or data of a socket is not JSON"}
)

// A decoder reads messages, whatever somebody has published. It is used by one goroutine.
// It keeps the memory of its lists.
type decoder struct {
	m      cluster.Message
	number uint64 // of an event; 0: none
	lists  struct{ rooms, except, joins []string }
	parts  [][]byte
	names  map[string]string // names of nodes that have been read, each by itself
}

// decode reads a message. It is valid until the next call, as long as b is not modified.
func (d *decoder) decode(b []byte) (*cluster.Message, error) {
	d.m, d.number = cluster.Message{}, 0
	if len(b) < 3 {
		return nil, errShort
	}
	if b[0] != version {
		return nil, errVersion
	}
	m, flags := &d.m, b[2]
	m.Type = cluster.Type(b[1])
	if m.Type < cluster.Hello || m.Type > cluster.Gone || flags&^flagAll != 0 {
		return nil, errType
	}
	m.Target.Flags = socketio.Flags{Volatile: flags&flagVolatile != 0, Uncompress: flags&flagUncompress != 0}
	m.Connection = flags&flagConnection != 0
	r := reader{b: b[3:]}
	if flags&flagNumber != 0 {
		at := len(r.b) - numberBytes
		switch {
		case m.Type != cluster.Broadcast:
			return nil, errType
		case at < 0:
			return nil, errShort
		}
		d.number, r.b = binary.BigEndian.Uint64(r.b[at:]), r.b[:at]
	}
	uid := r.bytes()
	if flags&flagRequest != 0 {
		request := r.bytes()
		if len(request) == 0 || len(request) > maxUID {
			r.fail(errUID)
		}
		m.Request = string(request)
		m.Timeout = time.Duration(r.number(int(maxTimeout/time.Millisecond))) * time.Millisecond
	}
	if len(uid) <= linkLength || len(uid) > maxUID {
		r.fail(errUID)
	}
	if r.err != nil {
		return nil, r.err
	}
	m.UID = d.name(uid)
	d.body(&r)
	if r.err == nil && len(r.b) > 0 {
		r.err = errLong
	}
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

// name returns a node's name as a string, which is made once for each node.
func (d *decoder) name(uid []byte) string {
	if name, ok := d.names[string(uid)]; ok {
		return name
	}
	if d.names == nil || len(d.names) >= maxNodes {
		d.names = make(map[string]string)
	}
	name := string(uid)
	d.names[name] = name
	return name
}

// body reads the fields of the message's type.
func (d *decoder) body(r *reader) {
	m := &d.m
	switch m.Type {
	case cluster.Broadcast:
		d.target(r)
		m.Event = d.encoded(r, d.parts[:0])
	case cluster.Join, cluster.Leave:
		d.target(r)
		m.Rooms = r.list(&d.lists.joins)
	case cluster.Disconnect, cluster.Fetch:
		d.target(r)
	case cluster.ServerEvent:
		m.Event = d.encoded(r, d.parts[:0])
	case cluster.ServerAnswer, cluster.Ack:
		m.Answer = d.encoded(r, d.parts[:0])
	case cluster.Clients:
		m.Count = r.number(math.MaxInt32)
	case cluster.Fetched:
		for n := r.length(maxSockets); n > 0 && r.err == nil; n-- {
			m.Sockets = append(m.Sockets, d.socket(r))
		}
	}
}

func (d *decoder) target(r *reader) {
	d.m.Target.Rooms = r.list(&d.lists.rooms)
	d.m.Target.Except = r.list(&d.lists.except)
}

// encoded reads a value, whose attachments it appends to parts.
func (d *decoder) encoded(r *reader, parts [][]byte) (e socketio.Encoded) {
	e.Data = r.bytes()
	for n := r.length(maxAttachments); n > 0 && r.err == nil; n-- {
		parts = append(parts, r.bytes())
	}
	if cap(parts) <= maxKept {
		d.parts = parts
	}
	e.Attachments = parts
	return e
}

// maxKept is how many elements of a list are kept as memory for the next message.
const maxKept = 1024

func (d *decoder) socket(r *reader) (s socketio.RemoteSocket) {
	s.ID = string(r.bytes())
	s.Rooms = r.list(nil)
	handshake := r.bytes()
	data := d.encoded(r, nil)
	if r.err == nil && (s.Handshake.UnmarshalJSON(handshake) != nil || data.Decode(&s.Data) != nil) {
		r.fail(errSocket)
	}
	return s
}

// A reader reads the fields of a message. After an error it reads zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.b, r.err = nil, err
	}
}

// number reads a number that is at most limit.
func (r *reader) number(limit int) int {
	n, size := binary.Uvarint(r.b)
	switch {
	case size == 0:
		r.fail(errShort)
		return 0
	case size < 0 || n > uint64(limit):
		r.fail(errLimit)
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

// length reads the length of a list, each of whose elements takes at least one byte.
func (r *reader) length(limit int) int {
	n := r.number(limit)
	if n > len(r.b) {
		r.fail(errShort)
		return 0
	}
	return n
}

// bytes reads a string. It is a view of the message, whose capacity ends with it.
func (r *reader) bytes() []byte {
	n := r.number(math.MaxInt32)
	if n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

// list reads a list into the memory of *kept, which may be nil.
func (r *reader) list(kept *[]string) []string {
	n := r.length(maxList)
	if n == 0 {
		return nil
	}
	var list []string
	if kept != nil {
		list = (*kept)[:0]
	}
	for range n {
		list = append(list, string(r.bytes()))
	}
	if kept != nil && cap(list) <= maxKept {
		*kept = list
	}
	return list
}
