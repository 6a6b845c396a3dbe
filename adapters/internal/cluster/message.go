// Package cluster is what those adapters have in common that exchange the messages of
// the JavaScript cluster adapter: what is done when a message has come, and the requests
// that wait for answers. It knows neither how a message is written nor how it travels:
// that is a Transport's.
package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/parleyws/parley/socketio"
)

// A Type says what a Message is for. The numbers are those of the JavaScript cluster
// adapter.
type Type uint8

// The types. A Message has the fields that stand beside its type, and UID and Type.
const (
	Hello        Type = 1  // a node has come; the others answer with Alive
	Alive        Type = 2  // a node is there
	Broadcast    Type = 3  // Target, Event; with acknowledgements Request, Timeout
	Join         Type = 4  // Target, Rooms
	Leave        Type = 5  // Target, Rooms
	Disconnect   Type = 6  // Target, Connection
	Fetch        Type = 7  // Target, Request
	Fetched      Type = 8  // Request, Sockets
	ServerEvent  Type = 9  // Event; with an answer Request
	ServerAnswer Type = 10 // Request, Answer
	Clients      Type = 11 // Request, Count: how many clients a Broadcast asks
	Ack          Type = 12 // Request, Answer: of one of them
	Gone         Type = 13 // a node leaves
)

// IsAnswer reports whether messages of type t go to one node: the one that has made the
// request.
func (t Type) IsAnswer() bool { return t == Fetched || t == ServerAnswer || t == Clients || t == Ack }

// A Message is what nodes exchange about a namespace.
type Message struct {
	Type       Type
	UID        string // of the node that sends it
	Request    string // identifies the request
	Target     socketio.Target
	Timeout    time.Duration // for acknowledgements; 0: the sender has not said
	Event      socketio.Encoded
	Answer     socketio.Encoded
	Rooms      []string
	Connection bool
	Sockets    []socketio.RemoteSocket
	Count      int
}

// NewUID returns the name of a node in a namespace, or of a request: 16 hexadecimal
// digits, as in Node.
func NewUID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
