// Command load is the load generator of the report. One thread drives many
// WebSocket connections: it waits with epoll, sends frames that were made
// beforehand, and counts the frames that come back. It should cost less than
// any server, and reports its own cost. It runs on Linux.
//
// With -clients it is a tool of its own: so many real clients of Socket.IO call an event
// that the server acknowledges, such as "ask" of servers/socketio, and it prints each
// second how many have answered and how long that took.
//
//	go run ./load -clients 1000 -url http://127.0.0.1:3000 [-transport polling] [-rate 1] [-for 10s]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/parleyws/parley/bench/proc"
)

func main() {
	var p party
	flag.IntVar(&p.clients, "clients", 0, "instead, load a server with `n` clients of Socket.IO")
	flag.StringVar(&p.url, "url", "http://127.0.0.1:3000", "of the server of -clients")
	flag.StringVar(&p.transport, "transport", "", "websocket or polling; by default each session begins on polling and moves")
	flag.StringVar(&p.event, "event", "ask", "the `name` of the event that each client calls")
	flag.Float64Var(&p.rate, "rate", 1, "calls of each client in a `second`; 0: the clients are idle")
	flag.DurationVar(&p.duration, "for", 10*time.Second, "how long, once all are connected")
	flag.Parse()
	if p.clients > 0 {
		if err := p.run(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			os.Exit(1)
		}
		return
	}
	g, err := newGenerator()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	proc.Serve("ready", map[string]proc.Handler{
		"connect": func(args json.RawMessage) (any, error) {
			var t Target
			if err := json.Unmarshal(args, &t); err != nil {
				return nil, err
			}
			return nil, g.connect(t)
		},
		"run": func(args json.RawMessage) (any, error) {
			var w Work
			if err := json.Unmarshal(args, &w); err != nil {
				return nil, err
			}
			return g.run(w)
		},
		"collect": func(args json.RawMessage) (any, error) {
			var n Numbers
			if err := json.Unmarshal(args, &n); err != nil {
				return nil, err
			}
			return g.collect(n)
		},
		"rest": func(args json.RawMessage) (any, error) {
			var seconds float64
			if err := json.Unmarshal(args, &seconds); err != nil {
				return nil, err
			}
			return nil, g.rest(time.Duration(seconds * float64(time.Second)))
		},
		"clients": func(args json.RawMessage) (any, error) {
			var t Target
			if err := json.Unmarshal(args, &t); err != nil {
				return nil, err
			}
			held := party{url: "http://" + t.Address, transport: "websocket"}
			return nil, held.connect(t.Conns)
		},
		"memory": proc.Memory,
		"close": func(json.RawMessage) (any, error) {
			g.close()
			return nil, nil
		},
	})
}

// A Work says what run sends.
type Work struct {
	Size     int     // size of each message, in bytes
	Text     string  // the message itself, instead of Size
	InFlight int     // messages in flight on each connection
	Seconds  float64 // how long new messages are sent
	Messages int     // greatest number of messages; 0 means no limit

	// Fanout, if it is not zero, says that only the first connection sends, and that
	// each message comes back on that many connections.
	Fanout int

	// The first Odd connections send OddText instead, with OddInFlight messages in
	// flight each (0 means one). These messages don't count, and nor does how long
	// they wait.
	Odd         int
	OddText     string
	OddInFlight int

	// The last Vanish connections send nothing, and are reset when half of the
	// time is over.
	Vanish int
}

// A Result is the result of run.
type Result struct {
	Messages int     // number of messages that came back
	Seconds  float64 // time from the first to the last
	CPU      int64   // processor time of the generator, in nanoseconds

	// P50, P99 and P999 are the nanoseconds until the answer, or with Fanout until
	// the last answer: of half of the messages, of 99 and of 99.9 %.
	P50, P99, P999 int64
}

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// silence is how long a run waits for the next bytes before it fails.
const silence = 30 * time.Second
