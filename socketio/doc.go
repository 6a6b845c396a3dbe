// Package socketio speaks the Socket.IO protocol, version 5: events with arguments and
// acknowledgements, namespaces, rooms. It has a server for the JavaScript client, any
// version from 4.0 on, and with Options.Engine.AllowEIO3 for the clients of Socket.IO 2
// too. And it has a client, which comes back by itself; see Dial.
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
// On, Handle and Call are the same for the Sockets of a server and for a Client:
//
//	c, err := socketio.Dial(ctx, "http://localhost:3000", &socketio.DialOptions{
//		Setup: func(c *socketio.Client) {
//			socketio.On(c, "receive-message", func(ctx context.Context, text string) error {
//				_, err := fmt.Println(text)
//				return err
//			})
//		},
//	})
//
// What follows is said of sockets and clients, and holds for a Client and its server as
// well: it names the bounds of the one side whose twins are ClientLimits.
//
// # Values
//
// Arguments are JSON, as encoding/json writes and reads it. A []byte anywhere in
// them, in structs, maps, slices and interface values, travels as binary. The
// one exception is a struct of an unexported type that is embedded by pointer: its
// bytes are sent as base64. Types that write or read their own JSON are left to do
// so, without a look at what is in them.
//
// Received arguments are decoded when a handler asks for them: On, On2 and Handle
// decode them into the types of the handler's parameters, Event.Decode into any
// variable. A sent event is encoded once, whatever the number of its recipients.
//
// # Wire format
//
// Packets have the text form of the protocol unless Options.Parser says otherwise.
// Everything here is the same with any parser.
//
// # Order
//
// Each socket handles its events one after the other, on a goroutine that exists
// only while there is something to do. A client receives events in the order in
// which they were emitted, whichever transport carries them. Delivery is at most
// once; use Call to learn whether an event has arrived.
//
// # Concurrency
//
// Everything may be called from any goroutine. Emit and the other methods that
// send never wait; a client that does not keep up is closed when its queue is
// full (see engineio.Limits). Call and CallAll wait, and always with a timeout.
//
// Handlers, middleware, hooks, adapters, the logger, and the methods of arguments
// that write or read their own JSON are called with no lock held, so they may call
// everything in this package. A call of Shutdown that waits must not come from a
// handler, for which Shutdown waits.
//
// # Limits and errors
//
// Everything that a client can grow is bounded; see Limits, engineio.Limits and
// the constants of this package. A client that breaks a rule of the protocol is
// closed, and logged at the level Info. A handler's error is logged at the level
// Warn, and answers a client that asks for an acknowledgement; see AnswerError and
// Options.OnError. A handler's panic is logged at the level Error, and its socket is
// disconnected; so it is if the handler ends its goroutine.
//
// # Ends
//
// When a socket ends, its ctx ends first; what its handlers still do with a ctx they
// do with context.WithoutCancel, which keeps the values. The handlers of
// OnDisconnecting are called while the socket is in its rooms, those of OnDisconnect
// afterwards. In both, ID, Handshake, Value, To and the other methods that address
// other sockets work; Join and Emit to the socket itself return an error, unless the
// client may come back (Recovery): then Emit keeps the event for it.
//
// # Many nodes
//
// Options.Adapter connects servers, so that rooms reach across them.
package socketio
