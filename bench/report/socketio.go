package main

import "strings"

var socketIOs = []library{
	{name: us, path: "socketio"},
	{name: "socket.io", path: "servers/node/socketio.mjs", node: true},
	{name: "zishang520", path: "zishang"},
}

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
	servers, err := r.startAll(socketIOs)
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
		for _, l := range r.available(socketIOs) {
			if err := r.hold("S4", l, nil, target{SocketIO: true}, r.few); err != nil {
				return err
			}
		}
	}
	return nil
}
