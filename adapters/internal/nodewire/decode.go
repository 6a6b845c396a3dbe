package nodewire

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/parleyws/parley/adapters/internal/cluster"
	"github.com/parleyws/parley/socketio"
)

// A reader reads a message that is JSON with placeholders.
type reader struct {
	scanner
	d           *Decoder
	m           *cluster.Message
	attachments [][]byte
}

// The memory of lists of rooms.
const (
	rooms = iota
	except
	joined
)

// message reads a whole message.
func (r *reader) message() (namespace string, err error) {
	b := r.b
	if err = r.parts(true); err == errTwice {
		r.b, r.i, *r.m = b, 0, cluster.Message{}
		err = r.parts(false)
	}
	if err != nil {
		return "", err
	}
	return r.d.namespace, nil
}

// errTwice is the error of parts for a message that is to be read with its data last.
var errTwice = errors.New("a part of a cluster message comes twice")

// parts reads the parts of a message. If early is set it reads the data where it is, once the type is
// known, as in what Node writes. Otherwise it reads the data last: of several parts of
// the same name the last one counts.
func (r *reader) parts(early bool) error {
	var data []byte
	hasUID, hasNamespace, done := false, false, false
	err := r.object(func(name []byte) (err error) {
		if r.null() {
			return nil
		}
		switch string(name) {
		case "type":
			if done {
				return errTwice
			}
			n, err := r.number()
			if err != nil || n < 1 || n > float64(cluster.Gone) || n != math.Trunc(n) {
				return errType
			}
			r.m.Type = cluster.Type(n)
		case "uid":
			hasUID = true
			err = r.text(&r.d.uid)
		case "nsp":
			hasNamespace = true
			err = r.text(&r.d.namespace)
		case "data":
			switch {
			case done:
				return errTwice
			case early && data == nil && r.m.Type != 0:
				done = true
				return r.data()
			}
			data, err = r.skip()
		default:
			_, err = r.skip()
		}
		return err
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return err
	}
	if !hasUID || r.d.uid == "" || !hasNamespace || r.d.namespace == "" || r.m.Type == 0 {
		return errMissing
	}
	r.m.UID = r.d.uid
	switch {
	case done:
		return nil
	case len(data) == 0:
		return hasNoData(r.m.Type)
	}
	r.b, r.i = data, 0
	return r.data()
}

// text reads a string into s. What follows an s that is right already costs nothing.
func (r *reader) text(s *string) error {
	b, err := r.str()
	if err == nil && *s != string(b) {
		*s = string(b)
	}
	return err
}

// What the data of a message may have, beside what it needs.
const (
	hasPacket = 1 << iota
	hasRequest
	hasOpts
	hasRooms
	hasClose
	hasSockets
	hasCount
)

// fields says which fields the data of a message must have, and which it may have too.
// Others are skipped.
var fields = [...]struct{ must, may int }{
	cluster.Broadcast:    {must: hasPacket | hasOpts, may: hasRequest},
	cluster.Join:         {must: hasOpts | hasRooms},
	cluster.Leave:        {must: hasOpts | hasRooms},
	cluster.Disconnect:   {must: hasOpts, may: hasClose},
	cluster.Fetch:        {must: hasOpts | hasRequest},
	cluster.Fetched:      {must: hasRequest | hasSockets},
	cluster.ServerEvent:  {must: hasPacket, may: hasRequest},
	cluster.ServerAnswer: {must: hasRequest, may: hasPacket},
	cluster.Clients:      {must: hasRequest | hasCount},
	cluster.Ack:          {must: hasRequest, may: hasPacket},
	cluster.Gone:         {},
}

// names are the names of fields.
var names = map[string]int{
	"packet": hasPacket, "requestId": hasRequest, "opts": hasOpts, "rooms": hasRooms,
	"close": hasClose, "sockets": hasSockets, "clientCount": hasCount,
}

// data reads the data of a message whose type is known.
func (r *reader) data() error {
	if r.m.Type < 1 || int(r.m.Type) >= len(fields) {
		return errType
	}
	of := fields[r.m.Type]
	has := 0
	err := r.object(func(name []byte) error {
		field := names[string(name)] & (of.must | of.may)
		if field == 0 {
			_, err := r.skip()
			return err
		}
		if r.null() {
			return nil
		}
		has |= field
		return r.field(field)
	})
	if err != nil {
		return err
	}
	if has&of.must != of.must {
		return errMissing
	}
	if len(r.m.Answer.Data) == 0 {
		r.m.Answer.Data = null
	}
	return nil
}

var null = []byte("null")

// field reads a field of the data.
func (r *reader) field(field int) (err error) {
	m := r.m
	switch field {
	case hasPacket:
		return r.packet()
	case hasRequest:
		return r.text(&m.Request)
	case hasOpts:
		return r.opts()
	case hasRooms:
		m.Rooms, err = r.list(joined)
	case hasClose:
		m.Connection, err = r.boolean()
	case hasSockets:
		return r.sockets()
	case hasCount:
		n, err := r.number()
		if err != nil || n < 0 || n > math.MaxInt32 || n != math.Trunc(n) {
			return errField
		}
		m.Count = int(n)
	}
	return err
}

// packet reads an event, or an answer.
func (r *reader) packet() error {
	switch r.m.Type {
	case cluster.Broadcast:
		typ := 0.0
		err := r.object(func(name []byte) (err error) {
			switch string(name) {
			case "type":
				typ, err = r.number()
			case "data":
				r.m.Event, err = r.encoded()
			default:
				_, err = r.skip()
			}
			return err
		})
		if err == nil && (typ != 2 || len(r.m.Event.Data) == 0) {
			err = errPacket
		}
		return err
	case cluster.ServerEvent:
		var err error
		r.m.Event, err = r.encoded()
		return err
	}
	var err error
	r.m.Answer, err = r.encoded()
	return err
}

// encoded reads a value as it is.
func (r *reader) encoded() (socketio.Encoded, error) {
	text, err := r.skip()
	return socketio.Encoded{Data: text, Attachments: r.attachments}, err
}

// opts reads whom a message addresses.
func (r *reader) opts() error {
	return r.object(func(name []byte) (err error) {
		if r.null() {
			return nil
		}
		switch string(name) {
		case "rooms":
			r.m.Target.Rooms, err = r.list(rooms)
		case "except":
			r.m.Target.Except, err = r.list(except)
		case "flags":
			return r.object(r.flag)
		default:
			_, err = r.skip()
		}
		return err
	})
}

// flag reads a flag.
func (r *reader) flag(name []byte) (err error) {
	if r.null() {
		return nil
	}
	switch string(name) {
	case "volatile":
		r.m.Target.Flags.Volatile, err = r.boolean()
	case "compress":
		var compress bool
		compress, err = r.boolean()
		r.m.Target.Flags.Uncompress = !compress
	case "timeout":
		var ms float64
		if ms, err = r.number(); err == nil {
			// Node has no upper bound: the engine has.
			r.m.Timeout = time.Duration(min(max(ms, 0), maxTimeout)) * time.Millisecond
		}
	default:
		_, err = r.skip()
	}
	return err
}

// maxTimeout is the longest time that setTimeout of JavaScript knows, in milliseconds.
const maxTimeout = math.MaxInt32

// list reads rooms. One that is a number is its text.
func (r *reader) list(memory int) ([]string, error) {
	list := r.d.lists[memory][:0]
	err := r.array(func() error {
		if r.next() == '"' {
			b, err := r.str()
			if err != nil {
				return err
			}
			if n := len(list); n < cap(list) && list[:n+1][n] == string(b) {
				list = list[:n+1] // as in the message before
				return nil
			}
			list = append(list, string(b))
			return nil
		}
		f, err := r.number()
		if err != nil {
			return errField
		}
		list = append(list, strconv.FormatFloat(f, 'f', -1, 64))
		return nil
	})
	if cap(list) <= maxList {
		r.d.lists[memory] = list
	}
	return list, err
}

// maxList is how long a list may be whose memory is kept.
const maxList = 1024

// sockets reads the sockets of an answer.
func (r *reader) sockets() error {
	e, err := r.encoded()
	if err != nil {
		return err
	}
	// The sockets are kept; the message is not.
	e.Attachments = slices.Clone(e.Attachments)
	for i, data := range e.Attachments {
		e.Attachments[i] = bytes.Clone(data)
	}
	var list []struct {
		ID        string             `json:"id"`
		Handshake socketio.Handshake `json:"handshake"`
		Rooms     []room             `json:"rooms"`
		Data      any                `json:"data"`
	}
	if err := e.Decode(&list); err != nil {
		return errField
	}
	r.m.Sockets = make([]socketio.RemoteSocket, len(list))
	for i, s := range list {
		data, _ := s.Data.(map[string]any)
		r.m.Sockets[i] = socketio.RemoteSocket{ID: s.ID, Handshake: s.Handshake, Data: data}
		for _, room := range s.Rooms {
			r.m.Sockets[i].Rooms = append(r.m.Sockets[i].Rooms, string(room))
		}
	}
	return nil
}

// A room is a string, or a number.
type room string

func (r *room) UnmarshalJSON(b []byte) error {
	s := scanner{b: b}
	if s.next() == '"' {
		text, err := s.str()
		*r = room(text)
		return err
	}
	f, err := s.number()
	*r = room(strconv.FormatFloat(f, 'f', -1, 64))
	return err
}
