// Package capacity says on paper what a fleet of nodes costs: it spreads the members of
// rooms over nodes at random, counts which nodes each event reaches, and multiplies what
// benchmarks have measured. The command million prints the tables of docs/scaling.md.
package capacity

import (
	"math"
	"math/rand/v2"
)

// A Fleet is nodes whose clients are each in one room and send events to it.
type Fleet struct {
	Nodes   int
	Clients int     // of all nodes
	Room    int     // members of each room
	Rate    float64 // events that each client sends, a second
}

// Events returns how many events are sent, a second.
func (f Fleet) Events() float64 { return float64(f.Clients) * f.Rate }

// Reached returns on how many nodes a room has members, as the formula has it: a node has
// none of k members if each of them is on one of the other n-1 nodes.
func (f Fleet) Reached() float64 {
	n := float64(f.Nodes)
	return n * (1 - math.Pow(1-1/n, float64(f.Room)))
}

// A Traffic is what a simulation has counted.
type Traffic struct {
	Reached float64 // nodes with a member of a room, on average
	Busiest float64 // what the busiest node delivers, beside the average
}

// Simulate spreads the members of so many rooms over the nodes, and lets each send an event.
func (f Fleet) Simulate(random *rand.Rand, rooms int) Traffic {
	delivered, here := make([]int64, f.Nodes), make([]int64, f.Nodes)
	reached := 0
	for range rooms {
		clear(here)
		for range f.Room {
			here[random.IntN(f.Nodes)]++
		}
		for node, members := range here {
			if members > 0 {
				reached++
			}
			// Each member gets what the others send.
			delivered[node] += members * int64(f.Room-1)
		}
	}
	most, sum := int64(0), int64(0)
	for _, n := range delivered {
		most, sum = max(most, n), sum+n
	}
	t := Traffic{Reached: float64(reached) / float64(rooms), Busiest: 1}
	if sum > 0 {
		t.Busiest = float64(most) * float64(f.Nodes) / float64(sum)
	}
	return t
}

// A Load is what a way costs.
type Load struct {
	Broker      float64 // processors of one server of the broker
	BrokerSends float64 // bytes of one server, a second
	Node        float64 // processors of one node
	NodeReads   float64 // bytes from the broker, or from other nodes, a second
	NodeSends   float64 // bytes to its clients, and to other nodes if there is no broker, a second
}

// Load returns what a way costs a fleet with a traffic.
func (w Way) Load(f Fleet, t Traffic) Load {
	events, nodes := f.Events(), float64(f.Nodes)
	read, others, clients := w.read(f, t), t.Reached-1, float64(f.Room-1)
	node := FromClient + w.Emit + others*w.Receive + (read-others)*w.Ignore + clients*ToClient
	server, bytes := w.event(read), events*read*float64(w.Bytes)
	l := Load{NodeReads: bytes / nodes, NodeSends: events / nodes * clients * ClientBytes}
	if w.InNodes {
		node += server
		l.NodeSends += bytes / nodes
	} else {
		l.Broker = events * server * 1e-6 / float64(w.Servers)
		l.BrokerSends = bytes / float64(w.Servers)
	}
	l.Node = events / nodes * node * 1e-6
	return l
}

// read returns how many nodes read an event from the broker.
func (w Way) read(f Fleet, t Traffic) float64 {
	switch {
	case w.All:
		return float64(f.Nodes)
	case w.NoEcho:
		return t.Reached - 1
	}
	return t.Reached
}

// event returns what an event that so many nodes read costs the servers, in microseconds.
func (w Way) event(read float64) float64 {
	cost := w.Publish + read*w.Deliver
	if w.InNodes { // the servers of the nodes that read have it to pass on too
		cost += read * (w.Publish + w.Deliver)
	}
	return cost
}

// A Machine is what each node has, and each server of a broker.
type Machine struct {
	Processors int
	Bytes      float64 // that its network sends, a second
	Busy       float64 // the part of it that may be used
}

// Most returns how many events a second of such a traffic fill a machine, and what of it.
func (w Way) Most(f Fleet, t Traffic, m Machine) (events float64, full string) {
	l, broker := w.Load(f, t), m.Processors
	if w.OneThread {
		broker = 1
	}
	most := 0.0
	for _, part := range []struct {
		name      string
		used, all float64
	}{
		{"broker's processor", l.Broker, float64(broker)},
		{"broker's network", l.BrokerSends, m.Bytes},
		{"nodes' processors", l.Node, float64(m.Processors)},
		{"nodes' network", l.NodeSends, m.Bytes},
	} {
		if used := part.used / (part.all * m.Busy); used > most {
			most, full = used, part.name
		}
	}
	return f.Events() / most, full
}
