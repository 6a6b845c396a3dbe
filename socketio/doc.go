// Package socketio speaks the Socket.IO protocol, version 5, as a server for
// any JavaScript client of version 4: events with arguments and
// acknowledgements, namespaces, rooms.
//
//	io, err := socketio.NewServer(nil)
//	if err != nil {
//		log.Fatal(err)
//	}
//	io.OnConnect(func(s *socketio.Socket) {
//		socketio.On(s, "message", func(ctx context.Context, m Message) error {
//			return s.To(m.Room).Emit("receive-message", m.Text)
//		})
//	})
//	http.ListenAndServe("localhost:3000", io)
//
// # Values
//
// Arguments are JSON, as encoding/json has it, and a []byte anywhere in them,
// in structs, maps, slices and interface values, travels as binary. Received
// arguments are decoded when a handler asks: On, On2 and Handle into their
// types, Socket.OnEvent into what it likes. What is in a type that writes or
// reads its own JSON is not looked at.
//
// An event is encoded once, whatever the number of sockets that it goes to.
//
// # Order
//
// Each socket handles its events one after the other, on a goroutine that
// exists only while there are any. A client gets events in the order in which
// they were emitted, whichever transport carries them. Delivery is at most
// once: who needs to know uses Call.
//
// # Concurrency
//
// Everything may be called from any goroutine. Emit and what else sends never
// waits; a client that does not keep up is closed when its queue is full (see
// engineio.Limits). Call and CallAll wait, with a timeout always.
//
// # Limits and errors
//
// Everything that a client can grow is bounded, see Limits, engineio.Limits
// and the constants of this package. A client that breaks a rule of the
// protocol is closed, and logged at the level Info. A handler that returns an
// error is logged at the level Warn; one that panics, at Error, and its socket
// is disconnected.
//
// # Many nodes
//
// Options.Adapter connects servers, so that rooms reach across them.
package socketio
