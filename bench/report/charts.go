package main

// charts draws all charts for which there are figures.
func (r *report) charts() (all []chart) {
	add := func(c chart, ok bool) {
		if ok {
			all = append(all, c)
		}
	}
	add(r.bars("echo.svg", "Echo over loopback: processor time of the server, a message", []panel{
		{"100 connections, 16 B, 64 in flight", "L3", cpuTime},
		{"100 connections, 16 B, 1 in flight", "L1", cpuTime},
		{"100 connections, 1 KB, 64 in flight", "L4", cpuTime},
		{"100 connections, 16 KB, 1 in flight", "L2", cpuTime},
		{"1,000 connections, 16 B, 1 in flight", "L6", cpuTime},
		{many + " connections, 16 B, 16 in flight", "L7", cpuTime},
		{"64 in flight: slowest hundredth of answers", "L3", slowest},
		{"64 in flight: system calls a message", "L3", calls},
	}))
	add(r.bars("memory.svg", "Resident memory of a connection", []panel{
		{"idle after an echo, keepalive on", "M1", kilobytes},
		{"idle, has never sent a message", "M5", kilobytes},
		{"idle after decoding JSON", "M2 JSON", kilobytes},
		{"idle over TLS", "M2 TLS", kilobytes},
		{"deflate with context takeover both ways", "M3", kilobytes},
	}))
	add(r.bars("operations.svg", "In memory: time of an operation", []panel{
		{"read 16 B text", "P7", nanoseconds},
		{"read 1 KB text", "P8text", nanoseconds},
		{"write 16 B", "P11", nanoseconds},
		{"write 1 KB", "P12", nanoseconds},
		{"broadcast, one recipient of 10,000", "P15", nanoseconds},
		{"broadcast with deflate, one of 10,000", "P16", nanoseconds},
		{"upgrade on the connection itself", "P14", nanoseconds},
		{"echo 1 KB with deflate, compress/flate", "P21", nanoseconds},
	}))
	add(r.bars("socketio.svg", "Socket.IO: processor time of the server, a message, and memory", []panel{
		{"echo 64 B, 100 clients, 1 in flight", "S1", cpuTime},
		{"echo 64 B, 100 clients, 16 in flight", "S2", cpuTime},
		{"broadcast, one recipient of 2,000", "S3", cpuTime},
		{"memory of an idle client", "S4", kilobytes},
	}))
	add(r.bars("nodes.svg", "Two nodes: processor time of a node, an event", []panel{
		{"publish an event", "nodes publish", cpuTime},
		{"deliver an event to one client", "nodes 1", cpuTime},
		{"deliver an event to 50 clients, each", "nodes 50", cpuTime},
		{"no client of the room on the node", "nodes 0", cpuTime},
	}))
	for _, g := range growths {
		add(r.lines(g))
	}
	return all
}

// growths lists the charts of cost against growth.
var growths = []growth{
	{file: "shells.svg", title: "Echo of 16 B, 1 in flight a connection: the event loop beside goroutines",
		subtitle: "processor time of the server, a message: times that on goroutines", x: "connections", work: "shells", metric: times,
		curves: (*report).shellCurves, marks: []float64{0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 3, 5, 10}},
	{file: "connections.svg", title: "Echo of 16 B, 1 in flight a connection", subtitle: "messages a second",
		x: "connections", work: "connections", metric: throughput},
	{file: "connections-cpu.svg", title: "Echo of 16 B, 1 in flight a connection: cost", subtitle: "processor time of the server, a message",
		x: "connections", work: "connections", metric: cpuTime},
	{file: "connections-memory.svg", title: "Memory of the whole server", subtitle: "resident",
		x: "connections", work: "connections", metric: megabytes, lawful: true},
	{file: "sizes.svg", title: "Echo over 10 connections, 1 in flight a connection", subtitle: "processor time of the server, a message",
		x: "size of a message", work: "size", metric: cpuTime, octets: true, lawful: true},
	{file: "rooms.svg", title: "Socket.IO: a broadcast of 100 B to a room", subtitle: "processor time of the server, a broadcast",
		x: "clients in the room", work: "room", metric: cpuTime, lawful: true},
}
