// Package handshake opens WebSocket connections (RFC 6455, section 4), from
// either side, and agrees on permessage-deflate (RFC 7692, section 7.1). It
// ends where frames begin: what it returns is a net.Conn, the octets that came
// behind the peer's handshake, and the terms. Most programs use package conn,
// which does this for them.
//
// Accept takes over a request that net/http has read. AcceptConn does without
// net/http: it reads the request from a net.Conn with a strict parser of its
// own, for a fraction of the time and the memory. Dial is the client; it
// sends its request through an http.Client.
//
// # Origin
//
// A browser lets any page open a WebSocket connection to any server, sends the
// user's cookies along, and names the page's origin (RFC 6455, section 10.2).
// So a server has to look at it. Without options a request is accepted if it
// has no Origin, which is then no browser's, or if the origin's host and port
// equal those of the Host field. The default port of the origin's scheme, 80
// for http and 443 for https, is taken away from both before they are compared;
// letters may be of any case. If the connection's TLS ended in this process,
// which is seen by http.Request.TLS and by a ConnectionState method, the
// scheme has to be https. On a plain connection it is not compared, since a
// proxy may have ended TLS before us. Fields such as X-Forwarded-Host are
// never looked at. Anything else is refused with 403.
//
// Options.Origins lets more origins in, by patterns:
//
//	example.com                 the host, at the default port
//	example.com:8080            the host, at that port
//	localhost:*                 the host, at any port
//	*.example.com               any host below it, but not itself
//	https://example.com         the same with the scheme said: all of the above may
//	chrome-extension://abcdef   another scheme
//	null                        the origin of sandboxed pages and files
//	*                           any origin at all
//
// Where a pattern does not say the scheme, the rule for schemes above holds.
// Options.CheckOrigin replaces all of this.
//
// # Limits
//
// AcceptConn answers a request head of more than 16 KiB, a line of more than 8
// KiB or more than 100 fields with 431 (414 if it is the request line), and
// gives up after 10 s; see Limits. It takes less than 4 KiB of what comes
// behind the request. A peer that is refused is listened to for 1 s or 256 KiB
// more, so that the answer is not lost; these can't be set.
//
// Accept reads nothing itself: http.Server's ReadHeaderTimeout and
// MaxHeaderBytes (1 MiB, unless set) are what bounds the request there, and
// ReadHeaderTimeout is zero, no limit, unless set. A server should set it.
//
// The client's own transport takes 64 KiB and 100 fields of response head,
// within 30 s. With an http.Client that has a Transport, that one's settings
// hold. Of a refusal's body 1 KiB is read, for up to 1 s.
//
// # Compression
//
// permessage-deflate is offered and accepted only if Deflate is set. Its zero
// value asks both sides to forget their window after each message. Window bits
// of 8 to 15 are agreed to in either direction. An offer with an unknown or
// illegal parameter is declined and the next one looked at; the first that is
// legal is taken. A client takes any answer that its offer allows, and one that
// leaves out server_no_context_takeover or server_max_window_bits although they
// were asked for: Result.Deflate says what holds. This package only agrees on
// the terms; it neither compresses nor inflates.
//
// # Errors
//
// A server's refusal is an *Error: its status has been answered, with
// Connection: close. A client gets a *DialError when a response came that does
// not open a connection. All other errors come from the connection, from ctx,
// or from options that can't be meant, and wrap their cause. Whatever the user
// gives as header field, subprotocol, host or path is an error if it has CR, LF
// or NUL in it: nothing of it is sent.
//
// # Concurrency
//
// All functions may be called from any goroutine at any time. They start none
// that outlives them, but for those of the http.Client's transport, and keep
// nothing that they are given but the net.Conn and the request's header.
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
	// path and query, or a whole URL. It is "" in a client.
	Target string
	// Header is the peer's: that of the request in a server, that of the
	// response in a client. AcceptConn leaves it nil, to save the memory,
	// unless Options.KeepHeader, CheckOrigin or Before is set.
	Header http.Header
}
