// Package conn is a WebSocket connection (RFC 6455, sections 5 to 7, and RFC
// 7692) for either role: what Accept and Dial return, or New makes of any
// stream after any handshake.
//
// # Concurrency
//
// Every method may be called from any goroutine at any time. Reads take
// turns; writes go out whole and in some order, with control frames between
// them. Something must be reading for Pings to be answered, for Ping to get
// its Pong, and for the peer's Close to be noticed: those who only write use
// CloseRead.
//
// A read whose ctx ends loses nothing, and the next one goes on where it
// stopped. A write whose ctx ends has sent nothing, or will have sent all. The
// connection lives on in both cases. Where the stream has no deadlines the end
// of ctx closes it.
//
// # Ownership
//
// Read gives its message away. Each lends a view of the connection's buffer
// until the callback returns: it copies and allocates nothing. Reader streams.
// Slices that are written are neither modified nor kept.
//
// While it waits a connection holds no buffer. A Server's connection waits on
// a goroutine with a small stack: with Server.Handle even if its messages take
// a large one.
//
// # Limits
//
// All that a peer can make us hold, or wait for, is bounded by default: see
// Limits. Fixed are the number of fragments of a message (1,024 and one for
// each 16 octets; 1008) and of Pings (1,000 at once, 100 a second; 1008). A
// length that is only declared is never allocated. A dead peer is found by a
// Ping after 25 s of silence, as long as something reads.
//
// # Origin
//
// A browser sends the user's cookies with a page's upgrade request, wherever
// the page came from. So Accept refuses a request whose Origin is another host
// than that which it was sent to, unless handshake.Options.Origins names it.
//
// # Compression
//
// permessage-deflate is off unless handshake.Options.Deflate, or its like for
// Dial, asks for it. It then compresses messages of 128 octets or more without
// keeping a window between them, which takes no memory while idle. Context
// takeover, in DeflateOptions, compresses small messages that are alike much
// better and holds a window, and with compress/flate a compressor, for each
// connection. See Codec for the use of another implementation.
//
// # Errors
//
// The first cause of a connection's end is what all calls return from then on:
// net.ErrClosed after a local close, a *CloseError after the peer's, the
// *frame.Error that the peer was told after it broke a rule, and
// io.ErrUnexpectedEOF when the stream was cut. Use errors.Is and errors.AsType.
package conn
