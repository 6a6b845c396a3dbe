// Package engineio speaks the Engine.IO protocol, version 4: sessions that
// exchange messages with a client whatever stands between. A session starts
// on HTTP long-polling or on WebSocket; one that polls moves to WebSocket when
// the client finds that it gets through. Socket.IO stands on it.
//
// A Server is an http.Handler. Each session that opens gets a Receiver, which
// takes the client's messages; Session.Send sends some.
//
//	server, err := engineio.NewServer(func(s *engineio.Session) engineio.Receiver {
//		return &receiver{s}
//	}, nil)
//	if err != nil {
//		log.Fatal(err)
//	}
//	http.Handle("/engine.io/", server)
//
// # Requests and transports
//
// Requests of one client are handled in any order. What the protocol fixes is
// fixed here by waiting, never by the order of arrival: see upgrade.go for
// the move from one transport to the other. Messages keep their order across
// it, in both directions, and none is lost or comes twice.
//
// # Origins
//
// Pages of the server's own origin may use it. Options.CORS lets in others, by
// one list for both transports. A WebSocket that is refused for its origin is
// logged: its client would go on polling otherwise, and nobody would know why.
//
// # Concurrency and ownership
//
// All methods of Server and Session may be called from any goroutine. Send
// never waits. A message that a Receiver gets is a view, valid until its
// method returns; what is sent is copied once, by NewMessage, for any number
// of sessions.
//
// An idle session costs a timer, and no goroutine but the one that serves its
// waiting request or reads its WebSocket.
//
// The functions on packets are pure.
//
// # Limits
//
// Everything that a client can grow is bounded, see Limits. Besides: one GET
// and one POST of a session at a time, a body, in either direction, no slower
// than PingInterval and PingTimeout together, 30 s for a client that is to learn of the end.
package engineio
