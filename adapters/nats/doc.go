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
// A node that does not answer any more is forgotten when its NATS server says that nobody
// hears it: after about three seconds, and at once with package embedded. Requests that
// wait for it, such as FetchSockets, return with what has come and an error.
//
// # Clients that come back
//
// With socketio.Options.Recovery a client that comes back to its own node also gets what
// other nodes have sent meanwhile. With Options.JetStream it may come back to any node, also
// when its own was shut down or killed: it has its id, rooms and data again, and gets the
// events that it has missed, each once, and those of a node in their order.
//
// A node still delivers its own events at once, and waits for nothing. Events travel by a
// stream of JetStream, which numbers them and publishes each again on the subject of its
// room: so here too nodes spend nothing on rooms in which they have no member. The offset
// of an event says what the stream had brought to the node by then, and which events of
// its own the node had delivered.
//
// Sessions are written when clients connect, when their rooms or data change, and when they
// are lost: what has changed in the last 10 ms may be missing if the node is killed then.
// What a node has emitted and not handed over to NATS is lost with the node, as without
// JetStream. A client whose node is still connected, but can't be reached by it, is taken
// over.
//
// A client that would need an event that is not kept any more, or never was, joins anew.
// So do all clients for which JetStream is not there at the moment, and all that were away
// when streams in memory were lost. Meanwhile events go to the other nodes without it,
// which Stats.Unlogged counts; as long as that is so on one node, no client comes back to
// any, and if the node is killed the others see to it that no client does that may lack such
// events. Streams with replicas are not there for some seconds after the server that leads
// them was killed. What was on its way to that server is lost to the other nodes, as with a
// connection, and is counted too; a client that comes back before the node has noticed, which
// takes about four seconds, or whose node was killed before, is not told that it lacks this.
//
// JetStream and all nodes must be in one cluster of NATS servers: by gateways and leaf nodes
// events may overtake the subscriptions of a client that comes back.
package natsadapter
