// Package embedded connects the namespaces of Socket.IO servers without any service
// beside them: a NATS server runs inside each process, and the nodes find each other by a
// list of addresses.
//
//	c, err := embedded.Start(ctx, &embedded.Options{
//		Listen: "10.0.0.1:6222",
//		Peers:  []string{"10.0.0.1:6222", "10.0.0.2:6222", "10.0.0.3:6222"},
//		Secret: secret,
//	})
//	if err != nil {
//		return err
//	}
//	io, err := socketio.NewServer(&socketio.Options{Adapter: c.Adapter})
//
// Every node is connected with every other one. What package natsadapter says of order
// and of what may be lost holds here too. A node that was killed is noticed as soon as
// its connections end, at once on a network that works. Nodes that can't reach each other
// go on by themselves, and are together again within about two seconds after they can.
//
// The server has no signal handlers and no accounts but that of the process, no files
// without JetStream, and nobody else can use it. A process takes about 10 MB for it, and
// its binary as much.
//
// # JetStream
//
// With Options.Adapter.JetStream, and socketio.Options.Recovery, clients come back to any
// node. Some nodes keep what is needed for that: those that are among their Peers. They
// must have the same Peers, three or five of them, and addresses that stay; with
// Replicas: 3 any one of three may be killed, and two of five with 5. Other nodes list
// these, but not themselves.
//
// The nodes that keep something agree by majority of all that were ever among them. So this
// does not fit a cluster whose nodes all come and go: if half of them are away, whether they
// crashed or were taken away, JetStream is not there, until enough of them are back at
// their addresses. Rooms, events and everything else go on without it meanwhile, and
// clients that were away connect anew. Let a few nodes stay, and others come and go.
//
// With Replicas: 1, the default, everything is kept by one of the nodes. When that one ends
// nobody can come back until it is there again, and then nobody who was away.
package embedded

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio"
)

// A Cluster is this node of a cluster, for one socketio.Server. Its methods may be called
// from any goroutine.
type Cluster struct {
	adapter *natsadapter.Broker
	server  *server.Server
	log     *log
	others  int    // how many nodes are dialed
	dir     string // to be removed; "": none
}

// startTime is how long the server may take until it lets its own process in.
const startTime = 10 * time.Second

var errStart = errors.New("embedded: the server does not start")

// Start starts the server and begins to connect with the other nodes, for which it does not
// wait: see Ready. If ctx ends first it returns an error.
func Start(ctx context.Context, o *Options) (*Cluster, error) {
	resolved := o.resolve()
	so, err := resolved.server()
	if err != nil {
		return nil, err
	}
	c := &Cluster{log: newLog(resolved.Adapter.Logger), others: len(resolved.others())}
	if so.JetStream && so.StoreDir == "" {
		if c.dir, err = os.MkdirTemp("", "parley-"); err != nil {
			return nil, err
		}
		so.StoreDir = c.dir
	}
	s, err := server.NewServer(so)
	if err != nil {
		c.remove()
		return nil, err
	}
	c.server = s
	s.SetLoggerV2(c.log, false, false, false)
	s.Start()
	if err := c.connect(ctx, &resolved, so); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// connect connects the process with its server.
func (c *Cluster) connect(ctx context.Context, o *Options, so *server.Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, errStart)
	defer cancel()
	for ready := false; !ready; {
		ready = c.server.ReadyForConnections(readyTick)
		if err := c.log.fatal(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	adapter := o.Adapter
	// A connection in memory (nats.InProcessServer) has no buffer, and costs a quarter more.
	adapter.NATS = append(slices.Clip(adapter.NATS), nats.UserInfo(so.Username, so.Password))
	var err error
	if c.adapter, err = natsadapter.New(c.server.ClientURL(), &adapter); err != nil {
		return err
	}
	c.log.watch(c.adapter)
	return nil
}

// Adapter connects a namespace: it is the Adapter of socketio.Options. It does not wait.
func (c *Cluster) Adapter(l *socketio.Local) (socketio.Adapter, error) { return c.adapter.Adapter(l) }

// Addr returns the address where other nodes connect.
func (c *Cluster) Addr() net.Addr { return c.server.ClusterAddr() }

// readyTick is how often Ready looks.
const readyTick = 10 * time.Millisecond

// Ready waits until this node is connected with as many others as Options.Peers lists. It
// returns the error of ctx if that ends first. A Server need not wait for it: whoever comes
// later is let in.
func (c *Cluster) Ready(ctx context.Context) error {
	if err := c.adapter.Ready(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(readyTick)
	defer ticker.Stop()
	for c.server.NumRoutes() < c.others {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Stats says what c has done so far. A connection with another node that was lost counts
// as a gap.
func (c *Cluster) Stats() natsadapter.Stats {
	s := c.adapter.Stats()
	s.Gaps += c.log.lost.Load()
	return s
}

// Close ends the connections and the server, after the Shutdown of the socketio.Server. What
// was published before still leaves, unless ctx ends first, whose error is returned then.
func (c *Cluster) Close(ctx context.Context) error {
	c.log.close()
	err := c.adapter.Close(ctx)
	c.stop()
	return err
}

// stop ends the server.
func (c *Cluster) stop() {
	c.log.close()
	if c.adapter != nil {
		_ = c.adapter.Close(context.Background()) // it is closed, or nothing was published
	}
	c.server.Shutdown()
	c.server.WaitForShutdown()
	c.remove()
}

// remove removes what is temporary.
func (c *Cluster) remove() {
	if c.dir != "" {
		_ = os.RemoveAll(c.dir) // what remains is in the directory for temporary files
	}
}
