package main

// A variant is an adapter of ours, and the one that it is measured against.
type variant struct {
	name, own, rival string

	publish, one, many float64 // goals for the times, as parts of the rival's
	rate               float64 // goal for the rate
	idle               bool    // a node without a member of a room gets none of its events
}

const embeddedName = "embedded NATS beside our classic"

// variants lists what rows there are of each kind. A node with the embedded server does the
// work of the broker too, so it has no goals.
var variants = []variant{
	{name: "classic", own: "parley, classic", rival: "socket.io, classic", publish: 0.4, one: 0.5, many: 0.55, rate: 1.5, idle: true},
	{name: "classic by the pattern", own: "parley, pattern", rival: "socket.io, classic", publish: 0.4, one: 0.5, many: 0.55, rate: 1.5},
	{name: "sharded", own: "parley, sharded", rival: "socket.io, sharded", publish: 0.4, one: 0.5, many: 0.55, rate: 1.5, idle: true},
	{name: "streams", own: "parley, streams", rival: "socket.io, streams", publish: 0.4, one: 0.5, many: 0.55, rate: 1.5},
	{name: "NATS beside our classic", own: "parley, NATS", rival: "parley, classic", publish: 1, one: 1, many: 1, rate: 1, idle: true},
	{name: embeddedName, own: "parley, embedded", rival: "parley, classic"},
}

// idleTime is the goal for a node without a member, in microseconds for an event: what a
// process takes that waits.
const idleTime = 0.05

// nodeRows returns the rows N1 to N7.
func nodeRows() (all []row) {
	for _, v := range variants {
		all = append(all, v.row("N1", "publish an event", "nodes publish", cpuTime, v.publish))
	}
	for _, v := range variants {
		all = append(all, v.row("N2", "deliver to one client", "nodes 1", cpuTime, v.one))
	}
	for _, v := range variants {
		all = append(all, v.row("N3", "deliver to 50 clients, each", "nodes 50", cpuTime, v.many))
	}
	for _, v := range variants {
		w := v.row("N4", "an event for which there is no client", "nodes 0", cpuTime, 0)
		if v.idle {
			w.limits = []limit{{metric: cpuTime, most: idleTime}}
		}
		all = append(all, w)
	}
	for _, v := range variants {
		w := v.row("N5", "events a second, from end to end", "nodes rate", throughput, 0)
		w.least = v.rate
		all = append(all, w)
	}
	for _, v := range variants {
		w := v.row("N6", "lost, doubled and reordered events", "nodes numbers", lost, 0)
		w.limits = []limit{{metric: lost}, {metric: doubled}, {metric: reordered}}
		all = append(all, w)
	}
	for _, v := range variants {
		if v.name != embeddedName {
			all = append(all, v.row("N7", "the broker's time for an event", "nodes broker", cpuTime, 0))
		}
	}
	return all
}

func (v *variant) row(id, measure, work string, m metric, most float64) row {
	return row{id: id, measure: measure + ", " + v.name, work: work, metric: m, own: v.own, rivals: []string{v.rival}, most: most}
}
