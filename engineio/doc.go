// Package engineio speaks the Engine.IO protocol, version 4, and by option version
// 3: it exchanges messages with clients over whatever transport gets through to
// them. A session
// starts on HTTP long-polling or on WebSocket; one that starts on long-polling
// moves to WebSocket as soon as its client has found that WebSocket works.
// Package socketio builds on it.
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
// All methods of Server and Session may be called from any goroutine. Send
// never waits. The data that a Receiver gets is valid until its method returns.
// NewMessage copies its data once, for any number of sessions.
//
// Receivers, hooks and the logger are called with no lock held, so they may call
// everything in this package. A call of Shutdown that waits for a session to end
// must not come from its Receiver, for which Shutdown waits.
//
// An idle session costs a timer, and one goroutine while a request of its client
// waits or its WebSocket is open.
//
// # Ends
//
// Every end of a session that the client has caused is one line in the log: at
// the level Debug if it is ordinary, such as a client that has closed or gone
// silent; at Info if the client broke a rule or exceeded a limit; at Warn if it
// did not take its messages fast enough. The line names the rule or the limit.
//
// # Limits
//
// Everything that a client can grow is bounded; see Limits. In addition a client
// may have one GET and one POST at a time, a body in either direction has to
// arrive within PingInterval and PingTimeout together, and a client that polls
// has 30 s to fetch the news that its session has ended.
package engineio
