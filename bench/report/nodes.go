package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A clustered library has nodes that are connected by a broker, or without one.
type clustered struct {
	library
	broker func(*report) (*broker, error) // nil: the nodes need none
}

var clusters = []clustered{
	ourNode("parley, classic", "classic", (*report).startRedis),
	nodeNode("socket.io, classic", "classic"),
	ourNode("parley, pattern", "pattern", (*report).startRedis),
	ourNode("parley, sharded", "sharded", (*report).startRedis),
	nodeNode("socket.io, sharded", "sharded"),
	ourNode("parley, streams", "streams", (*report).startRedis),
	nodeNode("socket.io, streams", "streams"),
	ourNode("parley, NATS", "nats", (*report).startNATS),
	ourNode("parley, NATS with JetStream", "nats-jetstream", (*report).startNATS),
	ourNode("parley, embedded", "embedded", nil),
}

func ourNode(name, adapter string, broker func(*report) (*broker, error)) clustered {
	return clustered{library{name: name, path: "cluster", args: []string{"-adapter", adapter}}, broker}
}

func nodeNode(name, adapter string) clustered {
	return clustered{library{name: name, path: "servers/node/cluster.mjs", args: []string{"-adapter", adapter}, node: true}, (*report).startRedis}
}

// recipients lists how many clients of the room there are in a run.
var recipients = []int{0, 1, 50}

// nodes measures what an event costs that goes from one node to another.
func (r *report) nodes() error {
	if _, err := exec.LookPath("redis-server"); err != nil {
		r.absent["N"] = "there is no redis-server on this machine"
		return nil
	}
	if why := r.absent["node"]; why != "" {
		r.absent["N"] = why // Node is the bar of most goals
		return nil
	}
	for round := range r.rounds {
		for _, l := range clusters {
			if r.names != nil && !slices.Contains(r.names, l.name) {
				continue
			}
			r.progress("nodes: %s, round %d of %d", l.name, round+1, r.rounds)
			if err := r.excuse("nodes", l.name, r.cluster(l, round == 0)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A cluster is two nodes, one of which publishes.
type cluster struct {
	broker   *broker // nil: there is none
	from, to *server
	number   int // of the next event
}

// cluster starts two nodes and measures them once.
func (r *report) cluster(l clustered, profiled bool) error {
	var c cluster
	defer c.stop()
	if err := r.startCluster(l, &c); err != nil {
		return err
	}
	for _, n := range recipients {
		events := r.events
		if n > 1 {
			events /= 10
		}
		if err := r.between(&c, l.name, n, events); err != nil {
			return fmt.Errorf("with %d recipients: %w", n, err)
		}
	}
	if r.profiles == "" || l.node || !profiled {
		return nil
	}
	return r.profileNodes(&c, l.name)
}

func (r *report) startCluster(l clustered, c *cluster) (err error) {
	address := ""
	if l.broker != nil {
		if c.broker, err = l.broker(r); err != nil {
			return err
		}
		address = c.broker.address
	}
	if c.to, err = r.start(l.library, "-broker", address); err != nil {
		return err
	}
	if l.broker == nil {
		if err := c.to.Call("peer", nil, &address); err != nil {
			return err
		}
	}
	c.from, err = r.start(l.library, "-broker", address)
	return err
}

func (c *cluster) stop() {
	for _, s := range []*server{c.from, c.to} {
		if s != nil {
			s.Stop()
		}
	}
	if c.broker != nil {
		c.broker.stop()
	}
}

// A tally is the Tally of package load.
type tally struct {
	Events    int
	Seconds   float64
	CPU       int64
	Lost      int
	Doubled   int
	Reordered int
}

func (t *tally) clean() bool { return t.Lost+t.Doubled+t.Reordered == 0 }

// between measures events for some clients of the other node.
func (r *report) between(c *cluster, name string, clients, events int) error {
	defer r.load.close()
	if err := r.connectMembers(c, clients, events/10); err != nil {
		return err
	}
	before, err := c.spent()
	if err != nil {
		return err
	}
	t, err := r.publish(c, clients, events, patient)
	if err != nil {
		return err
	}
	after, err := c.spent()
	if err != nil {
		return err
	}
	r.sum("nodes numbers", name, lost, t.Lost)
	r.sum("nodes numbers", name, doubled, t.Doubled)
	r.sum("nodes numbers", name, reordered, t.Reordered)
	each := func(of func(spent) int64, n int) float64 { return float64(of(after)-of(before)) / 1e3 / float64(n) }
	r.add(fmt.Sprint("nodes ", clients), name, cpuTime, each(func(s spent) int64 { return s.to }, events*max(1, clients)))
	if clients == 1 {
		r.add("nodes publish", name, cpuTime, each(func(s spent) int64 { return s.from }, events))
		r.load.busy = max(r.load.busy, float64(t.CPU)/1e9/t.Seconds)
		r.add("nodes rate", name, throughput, float64(t.Events)/t.Seconds)
		r.add("nodes rate", name, generatorBusy, float64(t.CPU)/1e9/t.Seconds)
		if c.broker != nil {
			r.add("nodes broker", name, cpuTime, each(func(s spent) int64 { return s.broker }, events))
		}
	}
	return nil
}

// connectMembers connects clients of the room, waits until the nodes know of each other and of
// the room, and warms up with some events. If there shall be no clients, one that is not in
// the room tells when all has come.
func (r *report) connectMembers(c *cluster, clients, events int) error {
	room, end := rooms(clients)
	t := target{Address: c.to.address, Conns: clients, SocketIO: true, Greeting: fmt.Sprintf(`42["join",[%q,%q]]`, room, end)}
	if clients == 0 {
		t.Conns, t.Greeting = 1, fmt.Sprintf(`42["join",[%q]]`, end)
	}
	if err := r.load.connect(t); err != nil {
		return err
	}
	if err := r.untilClean(c, clients, 0, hasty); err != nil {
		return err
	}
	return r.untilClean(c, clients, events, patient)
}

// rooms returns the room of the clients, and the one of the last event. Each number of
// clients has its own: clients that have just gone are still leaving theirs.
func rooms(clients int) (room, end string) {
	return fmt.Sprintf("room %d", clients), fmt.Sprintf("end %d", clients)
}

// untilClean publishes until all comes.
func (r *report) untilClean(c *cluster, clients, events int, silence float64) error {
	for end := time.Now().Add(warmUpTime); time.Now().Before(end); {
		if t, err := r.publish(c, clients, events, silence); err != nil || t.clean() {
			return err
		}
	}
	return errors.New("some events of the warm-up do not come")
}

const (
	warmUpTime = 30 * time.Second // in which all must come once
	patient    = 30.              // seconds without an event after which those that miss are lost
	hasty      = 0.5              // while it is not known that the nodes are connected
)

// publish lets a node publish numbered events, and waits for them.
func (r *report) publish(c *cluster, clients, events int, silence float64) (t tally, err error) {
	first := c.number
	c.number += events + 1
	collected := make(chan error, 1)
	go func() {
		collected <- r.load.Call("collect", map[string]any{"First": first, "Count": events, "None": clients == 0, "Silence": silence}, &t)
	}()
	room, end := rooms(clients)
	err = c.from.Call("publish", map[string]any{"Room": room, "End": end, "First": first, "Count": events}, nil)
	return t, errors.Join(err, <-collected)
}

// spent is what processor time the processes of a cluster have used, in nanoseconds.
type spent struct{ from, to, broker int64 }

// spent waits until neither node has anything to do.
func (c *cluster) spent() (s spent, err error) {
	if s.from, err = c.from.settled(); err != nil {
		return s, err
	}
	if s.to, err = c.to.settled(); err != nil || c.broker == nil {
		return s, err
	}
	s.broker, err = c.broker.cpu()
	return s, err
}

const (
	settleTick = 25 * time.Millisecond
	settled    = 500_000 // nanoseconds of processor time that an idle node may use in a tick
)

// settled waits until a server uses next to no processor time, and returns what it has used.
func (s *server) settled() (used int64, err error) {
	for range int(brokerTime / settleTick) {
		before := used
		if used, err = s.cpu(); err != nil || before > 0 && used-before < settled {
			return used, err
		}
		time.Sleep(settleTick)
	}
	return used, fmt.Errorf("%s is never idle", s.name)
}

// profileNodes profiles both nodes, in a run that does not count.
func (r *report) profileNodes(c *cluster, name string) error {
	if err := os.MkdirAll(r.profiles, 0o777); err != nil {
		return err
	}
	defer r.load.close()
	if err := r.connectMembers(c, 1, r.events/10); err != nil {
		return err
	}
	_, adapter, _ := strings.Cut(name, ", ")
	nodes := map[string]*server{"N1 ": c.from, "N2 ": c.to}
	for id, s := range nodes {
		file, err := filepath.Abs(filepath.Join(r.profiles, id+adapter+".pprof"))
		if err != nil {
			return err
		}
		if err := s.Call("profile", file, nil); err != nil {
			return err
		}
	}
	if _, err := r.publish(c, 1, 5*r.events, patient); err != nil {
		return err
	}
	return errors.Join(c.from.Call("profile", "", nil), c.to.Call("profile", "", nil))
}
