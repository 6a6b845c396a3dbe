// Package engineio speaks the Engine.IO protocol, version 4, and as a server by
// option version 3: server and client exchange messages over whatever transport gets
// through. A session starts on HTTP long-polling or on WebSocket; one that starts on
// long-polling moves to WebSocket as soon as its client has found that WebSocket
// works. Package socketio builds on it.
//
// A Server is an http.Handler. Each session that opens gets a Receiver, which
// takes the client's messages. Session.Send sends messages to the client.
//
//	server, err := engineio.NewServer(func(s *engineio.Session) engineio.Receiver {
//		return &receiver{s}
//	}, nil)
//	if err != nil {
//		log.Fatal(err)
//	}
//	http.Handle("/engine.io/", server)
//
// # Clients
//
// Dial opens a session with a server, ours or any other of version 4. A Client is to
// the client what a Session is to the server: it has a Receiver, and it sends the same
// Messages.
//
//	c, err := engineio.Dial(ctx, "https://example.com/engine.io/", func(c *engineio.Client) engineio.Receiver {
//		return &receiver{c}
//	}, nil)
//
// It tries the transports of DialOptions.Transports, in that order: the first alone, or
// one after the other. A Client does not come back by itself: Client.Err and the
// Reason that its Receiver is told say why it has ended.
//
// # Order
//
// Messages keep their order in both directions, also when a session moves from
// one transport to the other; none is lost in the move, and none arrives twice.
// Delivery is at most once: what was on its way when a session ends is lost.
//
// # Origins
//
// Pages of the server's own origin may use it. Options.CORS lets in other
// origins; its list holds for both transports. A WebSocket that is refused for
// its origin is logged, because its client goes on polling and nobody would
// notice.
//
// # Concurrency and ownership
//
// All methods of Server, Session and Client may be called from any goroutine. Send
// never waits. The data that a Receiver gets is valid until its method returns.
// NewMessage copies its data once, for any number of sessions.
//
// Receivers, hooks and the logger are called with no lock held, so they may call
// everything in this package. A call of Shutdown that waits for a session to end
// must not come from its Receiver, for which Shutdown waits.
//
// An idle session costs one goroutine while a request of its client waits, or while
// its WebSocket is open if no loop serves that; see Options.Loop. An idle Client costs a timer and one goroutine: the
// one that sends GETs, along with what the http.Transport needs for that, or the one
// that reads its WebSocket.
//
// # Ends
//
// Every end of a session that the client has caused is one line in the server's log: at
// the level Debug if it is ordinary, such as a client that has closed or gone
// silent; at Info if the client broke a rule or exceeded a limit; at Warn if it
// did not take its messages fast enough. The line names the rule or the limit.
//
// A Client logs no end. Client.Err returns it as an *EndError, which wraps what
// happened: a *ResponseError for a response that is none of Engine.IO, a *ProtocolError
// or a *frame.Error for a rule that the server broke, a *conn.CloseError, or an error
// of the net.
//
// # Limits
//
// Everything that a client can grow is bounded; see Limits. In addition a client
// may have one GET and one POST at a time, a body in either direction has to
// arrive within PingInterval and PingTimeout together, and a client that polls
// has 30 s to fetch the news that its session has ended.
//
// A server may be as hostile as a client, so what it can grow is bounded too; see
// DialLimits. In addition an open packet has 64 KiB at most and times that a heartbeat
// can have, a session ends without a ping within the server's pingInterval and
// pingTimeout, which bounds each GET, a POST has to be answered within the same time,
// and what is queued has 5 s to leave after Close on long-polling. Redirects are
// followed only if that was asked for, and nothing of DialOptions.Header follows them
// to another host.
package engineio
