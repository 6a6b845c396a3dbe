package socketio

import "github.com/parleyws/parley/engineio"

// A Reason says why a Socket or a Client was disconnected. String gives the words that the
// JavaScript API uses.
type Reason uint8

// The reasons for which a socket is disconnected.
const (
	TransportClose            Reason = iota // the other end went away, or the connection was cut
	TransportError                          // the other end broke a rule of the transport, or exceeded a limit
	PingTimeout                             // no pong came in time, or to a Client no ping
	ParseError                              // the client sent what is no Engine.IO packet, the server what may not come
	ForcedClose                             // the client broke a rule of Socket.IO, or never joined a namespace
	ForcedServerClose                       // the same on long-polling, while no request waited
	ClientNamespaceDisconnect               // the client left the namespace
	ServerNamespaceDisconnect               // Socket.Disconnect was called
	ServerShuttingDown                      // Server.Shutdown was called

	// A Client is told these and the first four.

	IOServerDisconnect // the server has disconnected the Client, which stays away
	IOClientDisconnect // Client.Disconnect or Client.Close was called
)

var reasonWords = [...]string{
	TransportClose:            "transport close",
	TransportError:            "transport error",
	PingTimeout:               "ping timeout",
	ParseError:                "parse error",
	ForcedClose:               "forced close",
	ForcedServerClose:         "forced server close",
	ClientNamespaceDisconnect: "client namespace disconnect",
	ServerNamespaceDisconnect: "server namespace disconnect",
	ServerShuttingDown:        "server shutting down",
	IOServerDisconnect:        "io server disconnect",
	IOClientDisconnect:        "io client disconnect",
}

// String returns the reason in words.
func (r Reason) String() string {
	if int(r) < len(reasonWords) {
		return reasonWords[r]
	}
	return "unknown reason"
}

// A DisconnectError is the cause with which the ctx of a socket ends.
type DisconnectError struct{ Reason Reason }

// Error returns the reason.
func (e *DisconnectError) Error() string { return "socket.io: disconnected: " + e.Reason.String() }

// recoverable reports whether a client may come back to its session: if it has
// neither left by itself nor been disconnected by the server.
func (r Reason) recoverable() bool {
	return r != ClientNamespaceDisconnect && r != ServerNamespaceDisconnect && r != ParseError
}

// fromEngine returns the reason for the sockets of a session that has ended with r.
func fromEngine(r engineio.Reason) Reason {
	switch r {
	case engineio.TransportError:
		return TransportError
	case engineio.PingTimeout:
		return PingTimeout
	case engineio.ParseError:
		return ParseError
	case engineio.ForcedClose:
		return ForcedClose
	case engineio.ForcedServerClose:
		return ForcedServerClose
	case engineio.ServerShuttingDown:
		return ServerShuttingDown
	}
	return TransportClose
}
