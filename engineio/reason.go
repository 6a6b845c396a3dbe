package engineio

// A Reason says why a session has ended. String gives the words that the JavaScript
// server and client use.
type Reason uint8

// The reasons for which a session ends.
const (
	TransportClose     Reason = iota // the peer closed, or its WebSocket was cut
	TransportError                   // the peer broke a rule of the transport, or exceeded a limit; a Client's request failed
	PingTimeout                      // no pong came in time, or, to a Client, no ping
	ParseError                       // the peer sent bytes that are no packet
	ForcedClose                      // Session.Close or Client.Close was called
	ForcedServerClose                // Session.Close was called, and the client's next GET tells it
	ServerShuttingDown               // Server.Shutdown was called
)

// String returns the reason in words.
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
