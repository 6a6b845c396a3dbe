package redisstreams

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"

	"github.com/parleyws/parley/parser"
	"github.com/parleyws/parley/parser/msgpack"
	"github.com/parleyws/parley/socketio"
)

var (
	errSession error = &parser.Error{Reason: "session in Redis can't be read"}
)

// A stored session is what Redis keeps. Servers in Node have SID, PID, Rooms and Data.
type stored struct {
	Own       string         `json:"own,omitempty"` // of a client that is connected; the first field
	SID       string         `json:"sid"`
	PID       string         `json:"pid"`
	Rooms     []string       `json:"rooms"`
	Data      map[string]any `json:"data"`
	Connected string         `json:"connected,omitempty"`
	Sent      string         `json:"sent,omitempty"`
	Lost      string         `json:"lost,omitempty"`
}

// appendSession appends a session to b as Redis keeps it: MessagePack in base64.
// own, "" for none, is whose it is while the client is connected.
func appendSession(b []byte, s *socketio.Session, own string) ([]byte, error) {
	v := stored{own, s.ID, s.PID, s.Rooms, s.Data, s.Connected, s.Sent, s.Lost}
	if v.Data == nil {
		v.Data = map[string]any{}
	}
	e, err := socketio.Encode(v)
	if err != nil {
		return b, err
	}
	return base64.StdEncoding.AppendEncode(b, msgpack.AppendValue(nil, e.Data, e.Attachments, e.Placeholders)), nil
}

// ownSize is the size of stored.Own.
const ownSize = 12

// newOwn returns a name that no other has.
func newOwn() string {
	var b [9]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// A session that has an owner begins, in base64, with 4 characters for the head of the
// map and of the first key, and then with stamp(own), by which scripts in Redis know it.
const stampFrom, stampTo = 4, 23

// stamp returns the characters from stampFrom to stampTo of a session that has an owner.
func stamp(own string) string {
	return base64.StdEncoding.EncodeToString(append([]byte("wn\xac"), own...))
}

// readSession reads a session that any server has written, and whose it is.
func readSession(b []byte) (s socketio.Session, own string, err error) {
	binary, err := base64.StdEncoding.DecodeString(string(b))
	if err != nil {
		return s, "", errSession
	}
	var p parser.Packet
	r := msgpack.NewReader(binary)
	if err := r.Value(&p, parser.Limits{Attachments: 1 << 16, Depth: socketio.MaxDepth + 8}); err != nil {
		return s, "", err
	}
	e := socketio.Encoded{Data: json.RawMessage(p.Data), Attachments: p.Binary, Placeholders: p.Placeholders}
	for i, data := range e.Attachments {
		e.Attachments[i] = bytes.Clone(data)
	}
	var v stored
	if err := e.Decode(&v); err != nil || r.Len() > 0 || v.SID == "" || v.PID == "" {
		return s, "", errSession
	}
	if v.Own != "" && (len(v.Own) != ownSize || string(b[stampFrom:stampTo+1]) != stamp(v.Own)) {
		return s, "", errSession
	}
	return socketio.Session{ID: v.SID, PID: v.PID, Rooms: v.Rooms, Data: v.Data, Connected: v.Connected, Sent: v.Sent, Lost: v.Lost}, v.Own, nil
}

// key is where Redis keeps a session.
func key(pid string) string { return "sio:session:" + pid }
