package socketio

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio/internal/packet"
)

// A dialect is what versions 5 and 4 of the protocol differ in: how a client joins
// a namespace. All other packets are the same. A connection has the dialect of its
// client, and nothing else asks for the version.
type dialect struct {
	// unasked says that the server makes a client join the root namespace, which
	// the client awaits.
	unasked bool
	// recovers says that a client may come back: it is told by which pid.
	recovers bool
	// asked returns which namespace a CONNECT asks for, and the auth: an object.
	asked func(u *packet.Unit) (name string, auth json.RawMessage)
	// id returns a new socket's id.
	id func(s *Socket) string
	// granted returns the data of the CONNECT that grants a namespace, nil for
	// none.
	granted func(s *Socket) any
	// refused returns the data of the packet that tells a client what middleware
	// has refused it for.
	refused func(e connectError) any
}

// The dialects.
var (
	// version5 is that of the clients of Socket.IO 3 and 4.
	version5 = &dialect{
		recovers: true,
		asked: func(u *packet.Unit) (string, json.RawMessage) {
			if len(u.Data) == 0 {
				return string(u.Namespace), noAuth
			}
			return string(u.Namespace), bytes.Clone(u.Data)
		},
		id:      func(*Socket) string { return randomID() },
		granted: func(s *Socket) any { return connectAnswer{s.id, s.pid()} },
		refused: func(e connectError) any { return e },
	}
	// version4 is that of the clients of Socket.IO 2. They have a query where later
	// ones have auth, and make up the ids of their sockets themselves, from the
	// session's.
	version4 = &dialect{
		unasked: true,
		asked:   askedByQuery,
		id: func(s *Socket) string {
			if s.namespace.name == "/" {
				return s.session.ID()
			}
			return s.namespace.name + "#" + s.session.ID()
		},
		granted: func(*Socket) any { return nil },
		refused: func(e connectError) any {
			if e.Data != nil {
				return e.Data
			}
			return e.Message
		},
	}
)

// dialectOf returns the dialect of a session's client. Each version of Socket.IO
// speaks one version of Engine.IO.
func dialectOf(session *engineio.Session) *dialect {
	if session.Version() == 3 {
		return version4
	}
	return version5
}

// askedByQuery is dialect.asked of version 4. The namespace ends with the query, of
// whose parameters the last one of a name counts.
func askedByQuery(u *packet.Unit) (name string, auth json.RawMessage) {
	name, query, _ := strings.Cut(string(u.Namespace), "?")
	values, _ := url.ParseQuery(query) // what is malformed is left out
	last := make(map[string]string, len(values))
	for key, list := range values {
		last[key] = list[len(list)-1]
	}
	auth, _ = json.Marshal(last)
	return name, auth
}
