// Package handshake opens WebSocket connections (RFC 6455, section 4) from
// either side, and negotiates permessage-deflate (RFC 7692, section 7.1). It
// stops where frames begin: it returns a net.Conn, the bytes that followed the
// peer's handshake, and the negotiated terms. Most programs use package conn,
// which calls this one.
//
// There are three ways in. Accept takes over a request that net/http has read.
// AcceptConn does without net/http: it reads the request from a net.Conn with a
// strict parser of its own, in a fraction of the time and memory. Dial is the
// client; it sends its request through an http.Client. An Opening is AcceptConn
// without its reads and writes, for servers that have their own.
//
// # Origin
//
// A browser lets any page open a WebSocket connection to any server. It sends
// the user's cookies along, and names the page's origin (RFC 6455, section
// 10.2), so the server has to look at that. By default a request is accepted if
// it has no Origin field, because then it does not come from a browser, or if
// the origin's host and port equal those of the Host field. Before they are
// compared, the default port of the origin's scheme (80 for http, 443 for https)
// is removed from both. Letters may be of any case. If TLS ended in this
// process, which http.Request.TLS or a ConnectionState method of the connection
// shows, the origin's scheme must be https. On a plain connection the scheme is
// not compared, because a proxy may have ended TLS on the way. Fields such as
// X-Forwarded-Host are never consulted. Any other request is refused with 403.
//
// Options.Origins allows more origins, by pattern:
//
//	example.com                 the host, at the default port
//	example.com:8080            the host, at that port
//	localhost:*                 the host, at any port
//	*.example.com               any host below it, but not the host itself
//	https://example.com         the same with a scheme, as every pattern above may have
//	chrome-extension://abcdef   another scheme
//	null                        the origin of sandboxed pages and of files
//	*                           any origin
//
// The rule for schemes above applies to a pattern without a scheme.
// Options.CheckOrigin replaces all of this.
//
// # Limits
//
// AcceptConn refuses a request line of more than 8 KiB with 414, and with 431 a
// head of more than 16 KiB, any other line of more than 8 KiB, and more than 100
// fields. It gives up after 10 s. Options.Limits changes these. It reads less
// than 4 KiB beyond the request. It listens to a peer that it has refused for
// 1 s or 256 KiB more, so that the answer is not lost; this can't be changed.
//
// Accept itself reads nothing. The limits there are those of the http.Server:
// MaxHeaderBytes, which is 1 MiB unless set, and ReadHeaderTimeout, which is no
// limit unless set. A server should set it.
//
// The client's own transport accepts 64 KiB and 100 fields of response head,
// within 30 s. An http.Client that has a Transport brings its own limits. Dial
// reads at most 1 KiB of a refusal's body, for at most 1 s.
//
// These times are kept even on a connection that ignores its deadlines, as a
// wrapper of an ssh channel may: every connection but a *net.TCPConn, a
// *net.UnixConn, and a *tls.Conn on one of these has a timer, which closes it.
//
// # Compression
//
// permessage-deflate is offered and accepted only if Deflate is set. The zero
// value of its options asks both sides to forget their window after each
// message. Windows of 8 to 15 bits are accepted in either direction. A server
// declines an offer that has an unknown or illegal parameter and looks at the
// next one; it takes the first legal offer. A client accepts any answer that its
// offer permits, including one that omits server_no_context_takeover or
// server_max_window_bits although they were asked for: Result.Deflate holds the
// terms that result. This package only negotiates; it neither compresses nor
// decompresses.
//
// # Errors
//
// When a server refuses a request the error is an *Error; its response has been
// sent, with Connection: close. When a response does not open a connection Dial
// returns a *DialError. Both say what the message has, quoted and cut to a length
// that does no harm in a log, and what it should have. All other errors come
// from the connection, from ctx, or from options that can't be right, which are
// named with their value. They wrap their cause.
//
// A header field, subprotocol, host or path of the caller's that has a control
// character in it is an error, and nothing of it is sent. A server tells its
// peer nothing of its own options.
//
// # Concurrency
//
// All functions may be called from any goroutine at any time. They do not keep
// what they are given, but for the net.Conn and the request's header. The
// goroutines that they start end before they return, with three exceptions:
// those of the http.Client's transport; a read of a net.Conn over a response's
// body (see Dial), which ends with the connection; and a read of a refusal's
// body, which ends when that body is closed.
package handshake

import (
	"net"
	"net/http"
)

// A Result is a connection whose handshake is complete.
type Result struct {
	// Conn is the stream, with no deadline set. The caller must close it.
	Conn net.Conn
	// Buffered holds the bytes that followed the peer's handshake and were read
	// along with it. They come before anything that Conn reads. The slice
	// belongs to the caller; it is nil if there were none.
	Buffered []byte
	// Subprotocol is the subprotocol that was agreed on, "" for none.
	Subprotocol string
	// Deflate holds the negotiated terms of permessage-deflate, nil if it is
	// not in use.
	Deflate *Deflate
	// Target is the target of the request as the client sent it (RFC 9112,
	// section 3.2): path and query, or a whole URL. It is "" in a client.
	Target string
	// Header is the peer's header: the request's in a server, the response's
	// in a client. AcceptConn leaves it nil to save memory, unless
	// Options.KeepHeader, CheckOrigin or Before is set.
	Header http.Header
}
