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
	echo := event("echo", strings.Repeat("a", 64))
	loads := []struct {
		id string
		target
		work
	}{
		{"S1", target{Conns: 100}, work{Text: echo, InFlight: 1}},
		{"S2", target{Conns: 100}, work{Text: echo, InFlight: 16}},
		{"S3", target{Conns: r.many, Greeting: event("join", "all")}, work{Text: event("room", "all", strings.Repeat("a", 100)), InFlight: 1, Fanout: r.many}},
	}
	for i, l := range loads {
		loads[i].target.SocketIO, loads[i].work.Seconds = true, r.seconds
		if err := r.warmUp(loads[i].target, loads[i].work, servers); err != nil {
			return err
		}
		if err := r.profile(l.id, loads[i].target, loads[i].work, servers); err != nil {
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
