// Package natsadapter connects the namespaces of Socket.IO servers over NATS, so that
// rooms reach across nodes:
//
//	c, err := natsadapter.New("nats://127.0.0.1:4222", nil)
//	if err != nil {
//		return err
//	}
//	io, err := socketio.NewServer(&socketio.Options{Adapter: c.Adapter})
//
// The package embedded, a module of its own, needs no NATS service: it runs the server
// inside the process.
//
// # What travels
//
// An event for one room is published on a subject of the room, to which only those nodes
// subscribe that have a member there. Other nodes spend nothing on it. Everything else
// goes to all nodes that have the namespace; answers go to the node that has asked.
//
// # What is guaranteed
//
// Clients of this node get what is emitted here whether or not NATS can be reached, and
// nothing waits for it. What is published waits in a queue while NATS is away or slow. If
// the queue is full an event is dropped for the other nodes, counted, and Emit returns
// ErrQueueFull.
//
// Each node gets what another one has published at most once, and in the order in which
// that was published. While a connection is lost messages may be lost too, which
// Stats.Gaps counts. The connection comes back by itself, with all subscriptions.
//
// A node that has just got the first member of a room gets the room's events as soon as
// the NATS server has its subscription, a moment later. What is done in one place keeps
// its order all the same: SocketsJoin and then Emit reach the same sockets, because the
// events for a room go to all nodes for JoinTime after a node has made sockets elsewhere
// join it. So does Join and then whatever the node publishes to make others answer.
//
// With Options.Recovery of the server a client that comes back to its own node also gets
// what other nodes have sent meanwhile: rooms keep their subscriptions for
// Recovery.MaxAge, a day at most.
//
// A node that does not answer any more is forgotten when its NATS server says that nobody
// hears it: after about three seconds, and at once with package embedded. Requests that
// wait for it, such as FetchSockets, return with what has come and an error.
package natsadapter
