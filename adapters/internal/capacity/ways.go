package capacity

// A Way is how events get from node to node, and what it costs, in microseconds of processor
// time.
type Way struct {
	Name      string
	Servers   int  // of the broker, which share the work evenly
	OneThread bool // a server uses one processor, as Redis does
	InNodes   bool // each node has a server of its own
	All       bool // every node reads every event
	NoEcho    bool // the node that sends an event does not get it back

	// Of a server of the broker: each event, and each node that reads it.
	Publish, Deliver float64
	// Of a node: each event that it sends, each that it gets for members, and each that it
	// reads in vain.
	Emit, Receive, Ignore float64

	Bytes int // of an event from the broker to a node
}

// What clients cost a node, in microseconds and bytes: bench/REPORT.md has the times, of a
// machine like that of all other figures.
const (
	FromClient  = 6.0 // an event of a client: half of the echo of row S1, 11.9
	ToClient    = 9.7 // an event to a client, which has one write of its own: row S3
	ClientBytes = 200 // 110 of the event, 4 of WebSocket, 86 of TCP, IP and Ethernet
)

// Ways are those of the adapters. Publish and Deliver come from two of the figures that
//
//	go test -run '^$' -bench Redis -benchtime 20000x ./adapters/internal/brokertest
//	go -C adapters/nats test -run '^$' -bench Server -benchtime 20000x .
//
// print for events that come 50 at a time: those with 1 and with 100 nodes. Emit, Receive and
// Ignore are the greater figures of the table "What it costs" in docs/scaling.md; Receive is
// what is left of an event for one client without that client's share, which is the figure
// for each of 50, and for streams what a node without a member has. Bytes are 150 of the event and what each protocol has around them.
var Ways = []Way{
	{Name: "redis", Servers: 1, OneThread: true, Publish: 1.6, Deliver: 0.27, Emit: 3.3, Receive: 1.9, Ignore: 0.03, Bytes: 205},
	{Name: "redis, Pattern", Servers: 1, OneThread: true, All: true, Publish: 1.4, Deliver: 0.35, Emit: 4.2, Receive: 1.4, Ignore: 1.0, Bytes: 225},
	{Name: "NewSharded, 3 masters", Servers: 3, OneThread: true, Publish: 1.7, Deliver: 0.27, Emit: 3.3, Receive: 3.7, Ignore: 0.03, Bytes: 205},
	{Name: "redisstreams", Servers: 1, OneThread: true, All: true, Publish: 4.9, Deliver: 1.76, Emit: 4.8, Receive: 3.9, Ignore: 3.9, Bytes: 300},
	{Name: "nats", Servers: 1, NoEcho: true, Publish: 2.0, Deliver: 0.72, Emit: 3.7, Receive: 2.2, Ignore: 0.09, Bytes: 190},
	{Name: "nats/embedded", InNodes: true, NoEcho: true, Publish: 2.0, Deliver: 0.72, Emit: 3.7, Receive: 2.2, Ignore: 0.09, Bytes: 190},
}
