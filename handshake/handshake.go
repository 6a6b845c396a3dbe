// Package handshake opens WebSocket connections (RFC 6455, section 4), from
// either side, and agrees on permessage-deflate (RFC 7692, section 7.1). It
// ends where frames begin: what it returns is a net.Conn, the octets that came
// behind the handshake, and the terms.
package handshake

import (
	"net"
	"net/http"
)

// A Result is a connection whose handshake is done.
type Result struct {
	// Conn is the stream, with no deadline set. It is the caller's to close.
	Conn net.Conn
	// Buffered holds the octets that came behind the peer's handshake and were
	// read along with it: the first of what is to be read. It is the caller's
	// to keep and to modify; nil if there were none.
	Buffered []byte
	// Subprotocol is the one that was agreed on, "" for none.
	Subprotocol string
	// Deflate holds the agreed terms of permessage-deflate, nil if it is not
	// in use.
	Deflate *Deflate
	// Target is the target of the request (RFC 9112, section 3.2) as it came:
	// path and query. Empty in the client.
	Target string
	// Header is the peer's: that of the request in a server, that of the
	// response in a client. AcceptConn leaves it nil unless
	// Options.KeepHeader, CheckOrigin or Before is set.
	Header http.Header
}
