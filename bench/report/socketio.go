package main

import (
	"slices"
	"strings"
	"time"
)

var (
	socketIOs = []library{
		{name: us, path: "socketio"},
		{name: "socket.io", path: "servers/node/socketio.mjs", node: true},
		{name: "zishang520", path: "zishang"},
	}
	socketIOShells = []library{
		{name: onGoroutines, path: "socketio", args: onGo.args},
		{name: inLoop, path: "socketio", args: looped.args},
	}
)

// event returns an event with strings as its arguments: a packet of Socket.IO,
// version 5, in a message of Engine.IO.
func event(arguments ...string) string { return `42["` + strings.Join(arguments, `","`) + `"]` }

// A socketIOLoad is a row of S1 to S3.
type socketIOLoad struct {
	id string
	target
	work
}

func (p *plan) socketIOLoads() []socketIOLoad {
	echo := event("echo", strings.Repeat("a", 64))
	broadcast := event("room", "all", strings.Repeat("a", 100))
	return []socketIOLoad{
		{"S1", target{Conns: 100, SocketIO: true}, work{Text: echo, InFlight: 1}},
		{"S2", target{Conns: 100, SocketIO: true}, work{Text: echo, InFlight: 16}},
		{"S3", target{Conns: p.many, SocketIO: true, Greeting: event("join", "all")}, work{Text: broadcast, InFlight: 1, Fanout: p.many}},
	}
}

// socketIO measures Socket.IO servers, by raw packets over WebSocket.
func (r *report) socketIO() error {
	if why := r.absent["node"]; why != "" {
		r.absent["S"] = why // Node is the bar of all goals
		return nil
	}
	libraries := slices.Concat(socketIOs, socketIOShells)
	servers, err := r.startAll(libraries)
	if err != nil {
		return err
	}
	defer stopAll(servers)
	loads := r.socketIOLoads()
	for i := range loads {
		l := &loads[i]
		l.work.Seconds = r.seconds
		if err := r.warmUp(l.target, l.work, servers); err != nil {
			return err
		}
		if err := r.profile(l.id, l.target, l.work, servers); err != nil {
			return err
		}
	}
	for round := range r.rounds {
		for _, l := range loads {
			r.progress("Socket.IO: %s, round %d of %d", l.id, round+1, r.rounds)
			if err := r.round(l.id, l.target, l.work, servers); err != nil {
				return err
			}
		}
		r.progress("Socket.IO: S4, round %d of %d", round+1, r.rounds)
		for _, l := range r.available(libraries) {
			if err := r.hold("S4", l, nil, target{SocketIO: true, Greeting: event("echo", greeting)}, r.few); err != nil {
				return err
			}
		}
		r.progress("Socket.IO: S5, round %d of %d", round+1, r.rounds)
		for _, l := range r.available(socketIOClients) {
			if err := r.holdClients(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// socketIOClients hold clients.
var socketIOClients = []library{
	{name: us, path: "load"},
	{name: "socket.io-client", path: "servers/node/clients.mjs", node: true},
}

// holdClients adds the memory of an idle client, of many in a process, to the results.
func (r *report) holdClients(l library) error {
	s, err := r.start(socketIOs[0])
	if err != nil {
		return err
	}
	defer s.Stop()
	clients, err := r.start(l)
	if err != nil {
		return err
	}
	defer clients.Stop()
	var at [2]int64
	for i, n := range []int{firstConns, r.idle} {
		if err := clients.Call("clients", target{Address: s.address, Conns: n}, nil); err != nil {
			return r.excuse("S5", l.name, err)
		}
		time.Sleep(clientsRest)
		if at[i], err = clients.memory(); err != nil {
			return err
		}
	}
	r.add("S5", l.name, kilobytes, float64(at[1]-at[0])/1024/float64(r.idle))
	return nil
}

// clientsRest is the time after which clients have no goroutine that they do not need.
const clientsRest = 3 * time.Second
