package main

import "fmt"

// many is how the report calls the greatest number of connections. They are
// plan.idle, which is less where the limit of descriptors says so.
const many = "10,000"

// Rows of echo servers over loopback, in the event loop and on goroutines.
var loopbackRows = []row{
	{id: "L1", measure: "echo, 100 connections, 16 B, 1 in flight, in the loop, beside gws", work: "L1", metric: cpuTime, own: inLoop, rivals: []string{"gws"}, most: 0.8},
	{id: "L1", measure: "the same, beside gobwas by hand", work: "L1", metric: cpuTime, own: inLoop, rivals: []string{"gobwas"}, most: 0.85},
	{id: "L1", measure: "the same, beside uWebSockets", work: "L1", metric: cpuTime, own: inLoop, rivals: []string{uWS}, most: 1.1},
	{id: "L1", measure: "the same, on goroutines", work: "L1", metric: cpuTime, own: onGoroutines, rivals: libs, most: 0.95},
	{id: "L1", measure: "the same, server on one processor, in the loop, beside gws", work: "L1 one", metric: cpuTime, own: inLoop, rivals: []string{"gws"}, most: 0.8},
	{id: "L1", measure: "the same, beside gobwas by hand", work: "L1 one", metric: cpuTime, own: inLoop, rivals: []string{"gobwas"}, most: 0.85},
	{id: "L1", measure: "the same, beside uWebSockets", work: "L1 one", metric: cpuTime, own: inLoop, rivals: []string{uWS}, most: 1.1},
	{id: "L2", measure: "echo, 100 connections, 16 KB, 1 in flight, in the loop", work: "L2", metric: cpuTime, own: inLoop, rivals: libs, most: 0.75},
	{id: "L2", measure: "the same, on goroutines", work: "L2", metric: cpuTime, own: onGoroutines, rivals: libs, most: 0.85},
	{id: "L2", measure: "the same, server on one processor, in the loop", work: "L2 one", metric: cpuTime, own: inLoop, rivals: libs, most: 0.75},
	{id: "L3", measure: "echo, 100 connections, 16 B, 64 in flight, in the loop", work: "L3", metric: cpuTime, own: inLoop, rivals: libs, most: 0.045},
	{id: "L3", measure: "the same, on goroutines", work: "L3", metric: cpuTime, own: onGoroutines, rivals: libs, most: 0.05},
	{id: "L3", measure: "the same, in the loop: the slowest hundredth", work: "L3", metric: slowest, own: inLoop, rivals: libs, most: 0.05},
	{id: "L3", measure: "the same, on goroutines", work: "L3", metric: slowest, own: onGoroutines, rivals: libs, most: 0.05},
	{id: "L3", measure: "the same, in the loop: system calls a message", work: "L3", metric: calls, own: inLoop, rivals: libs, limits: []limit{{metric: calls, most: 0.1}}},
	{id: "L3", measure: "the same, on goroutines", work: "L3", metric: calls, own: onGoroutines, rivals: libs, limits: []limit{{metric: calls, most: 0.1}}},
	{id: "L4", measure: "echo, 100 connections, 1 KB, 64 in flight, in the loop", work: "L4", metric: cpuTime, own: inLoop, rivals: libs, most: 0.12},
	{id: "L4", measure: "the same, on goroutines", work: "L4", metric: cpuTime, own: onGoroutines, rivals: libs, most: 0.15},
	{id: "L5", measure: "echo, 1 connection, 16 B, 1 in flight: until the answer", work: "L5", metric: median, own: us, rivals: []string{onGoroutines}, most: few, paired: true},
	{id: "L5", measure: "the same, in the loop", work: "L5", metric: median, own: inLoop, rivals: []string{onGoroutines}, most: few, paired: true},
	{id: "L5", measure: "the same, on goroutines", work: "L5", metric: median, own: onGoroutines, rivals: libs, most: 1},
	{id: "L5", measure: "server and client on two processors: until the answer", work: "L5apart", metric: median, own: us, rivals: []string{onGoroutines}, most: few, paired: true},
	{id: "L5", measure: "the same, in the loop", work: "L5apart", metric: median, own: inLoop, rivals: []string{onGoroutines}, most: few, paired: true},
	{id: "L5", measure: "the same, on goroutines", work: "L5apart", metric: median, own: onGoroutines, rivals: libs},
	{id: "L6", measure: "echo, 1,000 connections, 16 B, 1 in flight, in the loop", work: "L6", metric: cpuTime, own: inLoop, rivals: libs, most: 0.75},
	{id: "L6", measure: "the same: the slowest hundredth", work: "L6", metric: slowest, own: inLoop, rivals: libs, most: 0.7},
	{id: "L6", measure: "the same, beside uWebSockets", work: "L6", metric: cpuTime, own: inLoop, rivals: []string{uWS}},
	{id: "L6", measure: "the same, on goroutines", work: "L6", metric: cpuTime, own: onGoroutines, rivals: libs},
	{id: "L6", measure: "the same, server on one processor, in the loop", work: "L6 one", metric: cpuTime, own: inLoop, rivals: libs, most: 0.75},
	{id: "L6", measure: "the same: the slowest hundredth", work: "L6 one", metric: slowest, own: inLoop, rivals: libs, most: 0.7},
	{id: "L7", measure: "echo, " + many + " connections, 16 B, 16 in flight, in the loop", work: "L7", metric: cpuTime, own: inLoop, rivals: libs},
	{id: "L7", measure: "the same: the slowest hundredth", work: "L7", metric: slowest, own: inLoop, rivals: libs},
	{id: "L7", measure: "the same, on goroutines", work: "L7", metric: cpuTime, own: onGoroutines, rivals: libs},
}

// few is what a server with few connections may need, times what it needs on goroutines.
const few = 1.03

// countRows returns the rows C1 and C2: what waits for the messages of so many
// connections.
func countRows() (all []row) {
	for i, w := range counted {
		id := fmt.Sprintf("C%d", i+1)
		for _, n := range counts {
			w := row{id: id, measure: fmt.Sprintf("echo, 16 B, connections: %s, %s, in the loop", thousands(float64(n)), w.on), work: w.work(n),
				metric: cpuTime, own: inLoop, rivals: []string{onGoroutines}, paired: true}
			if n > fewConns {
				all = append(all, w)
				continue
			}
			w.most = few
			all = append(all, w)
			w.measure, w.own = "the same, with the default", us
			all = append(all, w)
		}
	}
	return all
}

// heldRows are about the memory of connections.
var heldRows = []row{
	{id: "M1", measure: "idle connection that has echoed 128 B, with keepalive, in the loop", work: "M1", metric: kilobytes, own: inLoop, rivals: []string{"nbio", uWS}, limits: []limit{{metric: kilobytes, most: 0.88}}},
	{id: "M1", measure: "the same, without net/http", work: "M1", metric: kilobytes, own: rawInLoop, rivals: []string{"nbio", uWS}, limits: []limit{{metric: kilobytes, most: 0.54}}},
	{id: "M1", measure: "the same, on goroutines", work: "M1", metric: kilobytes, own: onGoroutines, rivals: goroutines, most: 0.8},
	{id: "M2", measure: "idle after decoding JSON, in the loop", work: "M2 JSON", metric: kilobytes, own: inLoop, rivals: goroutines},
	{id: "M2", measure: "the same, on goroutines", work: "M2 JSON", metric: kilobytes, own: onGoroutines, rivals: goroutines, most: 1, limits: []limit{{metric: kilobytes, most: 7}}},
	{id: "M2", measure: "idle over TLS after an echo of 128 B, on goroutines", work: "M2 TLS", metric: kilobytes, own: onGoroutines, rivals: goroutines, most: 1, limits: []limit{{metric: kilobytes, most: 15}}},
	{id: "M3", measure: "deflate with context takeover, klauspost/compress", work: "M3", metric: kilobytes, own: "parley, klauspost", rivals: []string{"gws", "coder"}, limits: []limit{{metric: kilobytes, most: 83}}},
	{id: "M3", measure: "the same with compress/flate", work: "M3", metric: kilobytes, rivals: []string{"coder"}},
	{id: "M4", measure: many + " connections with traffic, each more than idle, in the loop", work: "M4", metric: kilobytes, own: inLoop, rivals: []string{onGoroutines}, limits: []limit{{metric: kilobytes, most: 1.3}}},
	{id: "M4", measure: "the same, left of it 30 s later", work: "M4 later", metric: kilobytes, own: inLoop, rivals: []string{onGoroutines}, limits: []limit{{metric: kilobytes, most: 0.2}}},
	{id: "M5", measure: "idle connection that has never sent a message, in the loop", work: "M5", metric: kilobytes, own: inLoop, rivals: []string{"gobwas"}},
	{id: "M5", measure: "the same, on goroutines", work: "M5", metric: kilobytes, own: onGoroutines, rivals: []string{"gobwas"}, most: 0.8, limits: []limit{{metric: kilobytes, most: 4.6}}},
}

var socketIORows = []row{
	{id: "S1", measure: "Socket.IO echo, 64 B, 100 clients, 1 in flight, in the loop", work: "S1", metric: cpuTime, own: inLoop, rivals: []string{"socket.io"}, most: 0.36},
	{id: "S1", measure: "the same, on goroutines", work: "S1", metric: cpuTime, own: onGoroutines, rivals: []string{"socket.io"}, most: 0.4},
	{id: "S2", measure: "the same, 16 in flight, in the loop", work: "S2", metric: cpuTime, own: inLoop, rivals: []string{"socket.io"}, most: 0.12},
	{id: "S2", measure: "the same, on goroutines", work: "S2", metric: cpuTime, own: onGoroutines, rivals: []string{"socket.io"}, most: 0.2},
	{id: "S3", measure: "Socket.IO broadcast, 100 B, one recipient of 2,000", work: "S3", metric: cpuTime, rivals: []string{"socket.io"}, most: 0.5},
	{id: "S4", measure: "Socket.IO, idle client that has had an echo of 128 B, in the loop", work: "S4", metric: kilobytes, own: inLoop, rivals: []string{"socket.io"}, most: 0.08, limits: []limit{{metric: kilobytes, most: 1.8}}},
	{id: "S4", measure: "the same, on goroutines", work: "S4", metric: kilobytes, own: onGoroutines, rivals: []string{"socket.io"}, most: 0.3},
	{id: "S5", measure: "Socket.IO client, idle, of 10,000 in a process", work: "S5", metric: kilobytes, rivals: []string{"socket.io-client"}, most: 0.8},
}

// handlerRows returns the rows H1 to H5: handlers that hold others up, and
// crowds that come and go.
func handlerRows() (all []row) {
	add := func(id, measure, work string, m metric, most float64) {
		all = append(all, row{id: id, measure: measure + ", in the loop", work: work, metric: m, own: inLoop, rivals: []string{onGoroutines}, most: most, paired: true})
	}
	for _, h := range hindrances {
		for _, w := range counted {
			work := h.work(w)
			add(h.id, fmt.Sprintf("10 of 100 connections %s, %s: the slowest hundredth of the others", h.do, w.on), work, slowest, h.most)
			add(h.id, "the same: the slowest thousandth", work, tail, 0)
		}
	}
	add("H4", many+" connections at once: until each has had an echo", "H4", elapsed, 0)
	add("H4", "the same: processor time, a connection", "H4", cpuTime, 0)
	add("H5", "half of "+many+" connections vanish: the slowest hundredth of the others", "H5", slowest, 0)
	add("H5", "the same: memory afterwards, a connection that is left", "H5", kilobytes, 0)
	return all
}
