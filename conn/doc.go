// Package conn is a WebSocket connection (RFC 6455, sections 5 to 7, and RFC
// 7692) for either role: what Accept and Dial return, or New makes of any
// stream after any handshake. Server accepts connections and serves them, through
// net/http or from a listener of its own; Redialer dials, and dials again when a
// connection has ended.
//
// # Concurrency
//
// Every method may be called from any goroutine at any time. Reads take turns;
// writes go out whole and in some order, with control frames between them. A
// goroutine must be reading for Pings to be answered, for Ping to get its Pong,
// and for the peer's Close frame to be noticed; a program that only writes uses
// CloseRead.
//
// A read whose ctx ends loses nothing, and the next one goes on where it
// stopped. A write whose ctx ends has sent nothing of its message, or all of it
// will be sent. The connection lives on in both cases. A stream without
// deadlines is the exception: a read can't be woken there, and the end of its
// ctx closes the stream.
//
// A connection has no goroutine of its own while nothing happens. One exists
// while something is to be written that the stream has not taken yet, and one
// while the stream is brought to its end.
//
// # Ownership
//
// Read gives its message away. Each lends a view of the connection's buffer
// until the callback returns: it copies and allocates nothing. Reader streams.
// Slices that are written are neither modified nor kept.
//
// While it waits, a connection holds no buffer. Those whose messages come by callback
// (Server.Handle, Receive) wait on goroutines with small stacks, even if their messages
// take large ones, or on a Loop, without a goroutine.
//
// # Limits
//
// Everything that a peer can make us hold, or wait for, is bounded by default;
// see Limits. Two bounds are fixed: a message comes in at most 1,024 fragments
// and one more for each 16 bytes, and a peer may send 1,000 Pings at once and
// 100 a second. Beyond them the connection is failed with 1008. A length that is
// only declared is never allocated. A dead peer is found by a Ping after 25 s of
// silence, as long as a read waits.
//
// A handshake has the limits of package handshake. Through net/http, a request's
// head is bounded by the http.Server. Server.ServeConns has 4,096 handshakes under
// way at most, unless Server.MaxHandshakes says otherwise: clients that never speak
// hold 10 KB each for 10 s, 16 KB over TLS, and those whose head is as large as it
// may be 40 KB. On a Loop silent clients hold less than 1 KB.
//
// # Origin
//
// A browser sends the user's cookies with a page's upgrade request, wherever the
// page came from. So Accept refuses a request whose Origin is another host than
// the one that it was sent to, unless handshake.Options.Origins names it.
//
// # Compression
//
// permessage-deflate is off unless handshake.Options.Deflate, or its like for
// Dial, asks for it. It then compresses messages of 128 bytes or more without
// keeping a window between them, which takes no memory while idle. Context
// takeover, in DeflateOptions, compresses small messages that are alike much
// better and holds a window, and with compress/flate a compressor, for each
// connection. See Codec for the use of another implementation.
//
// # Errors
//
// The first cause of a connection's end is what every call returns from then on:
//
//	net.ErrClosed        Close or CloseNow was called here
//	*CloseError          the peer closed, with a code and a reason
//	*frame.Error         the peer broke a rule or a limit, and was told the code
//	io.ErrUnexpectedEOF  the stream ended without a Close frame, or failed
//	os.ErrDeadlineExceeded  the peer is dead, or takes no more bytes
//	ErrQueueFull, ErrAbandoned  we gave the connection up
//
// Match them with errors.Is and errors.AsType; CloseStatus returns the status
// code of any of them. Calls learn of the end at once; the stream is closed in
// the background, after what had been written (Conn.Done).
// Messages that arrived before the peer's Close frame are delivered first. So
// are those that arrived before a write failed; the writer gets its error, and
// if the peer's Close frame is among what arrived, that is the cause.
//
// An error of a ctx is returned to the call that was given it, and to no other.
package conn
