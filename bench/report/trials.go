package main

import (
	"fmt"
	"strings"
	"time"
)

// A trial is a row on which versions of Parley are compared: a load, or where
// conns is set connections that are weighed.
type trial struct {
	id      string
	program string
	args    []string
	target
	work
	conns int
	rest  time.Duration // before they are weighed
}

// metric is what a trial measures.
func (t *trial) metric() metric {
	if t.conns > 0 {
		return kilobytes
	}
	return cpuTime
}

// keptAlive is longer than any of our servers lets a silent connection be: by
// then it has sent a Ping.
const keptAlive = 30 * time.Second

// trials are all there are.
func (p *plan) trials() (all []trial) {
	for _, l := range p.loads() {
		if l.place == anywhere {
			all = append(all, trial{id: l.id, program: "parley", target: l.target, work: l.work})
		}
	}
	// Broadcasts of 128 octets below Engine.IO.
	for _, n := range []int{p.many / 2, 5 * p.many / 2} {
		w := work{Text: strings.Repeat("hello, w", 16), InFlight: 1, Fanout: n}
		all = append(all,
			trial{id: fmt.Sprintf("WritePrepared %d", n), program: "broadcast", target: target{Conns: n}, work: w},
			trial{id: fmt.Sprintf("Send %d", n), program: "broadcast", args: []string{"-send"}, target: target{Conns: n}, work: w})
	}
	for _, l := range p.socketIOLoads() {
		all = append(all, trial{id: l.id, program: "socketio", target: l.target, work: l.work})
	}
	jsonTwice := target{Greeting: jsonMessage, Greetings: 2}
	greeted := target{SocketIO: true, Greeting: event("echo", greeting)}
	return append(all,
		trial{id: "M1", program: "parley", args: []string{"-idle"}, target: target{Greeting: greeting}, conns: p.idle},
		trial{id: "M1 limits", program: "broadcast", conns: p.idle}, // with limits of the server's own
		trial{id: "M5", program: "parley", args: []string{"-idle"}, conns: p.idle},
		trial{id: "M2", program: "parley", args: []string{"-idle", "-json"}, target: target{Greeting: jsonMessage}, conns: p.few},
		trial{id: "M2 rest", program: "parley", args: []string{"-idle", "-json"}, target: jsonTwice, conns: p.few, rest: p.rest},
		trial{id: "S4", program: "socketio", target: greeted, conns: p.few},
		trial{id: "S4 rest", program: "socketio", target: greeted, conns: p.few, rest: p.rest},
	)
}
