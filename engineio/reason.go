package engineio

// A Reason says why a session has ended, in the words that the JavaScript
// server has for it.
type Reason uint8

// The reasons of a server's session.
const (
	TransportClose     Reason = iota // the client closed, or its WebSocket was cut
	TransportError                   // the client broke a rule of the transport, or went over a limit
	PingTimeout                      // no pong came in time
	ParseError                       // the client sent what is no packet
	ForcedClose                      // Session.Close
	ForcedServerClose                // Session.Close, and the client is told with its next GET
	ServerShuttingDown               // Server.Shutdown
)

// String returns the words.
func (r Reason) String() string {
	switch r {
	case TransportClose:
		return "transport close"
	case TransportError:
		return "transport error"
	case PingTimeout:
		return "ping timeout"
	case ParseError:
		return "parse error"
	case ForcedClose:
		return "forced close"
	case ForcedServerClose:
		return "forced server close"
	case ServerShuttingDown:
		return "server shutting down"
	}
	return "unknown reason"
}
