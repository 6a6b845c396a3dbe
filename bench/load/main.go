// Command load is the load generator of the report: many WebSocket
// connections, driven by one thread that waits with epoll, sends frames that
// were made beforehand, and counts those that come back. It is to cost less
// than any server, and tells what it cost. It runs on Linux.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/parleyws/parley/bench/proc"
)

func main() {
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
		"rest": func(args json.RawMessage) (any, error) {
			var seconds float64
			if err := json.Unmarshal(args, &seconds); err != nil {
				return nil, err
			}
			return nil, g.rest(time.Duration(seconds * float64(time.Second)))
		},
		"close": func(json.RawMessage) (any, error) {
			g.close()
			return nil, nil
		},
	})
}

// A Work is what run sends.
type Work struct {
	Size     int     // octets of each message
	Text     string  // the message itself, instead of Size
	InFlight int     // messages that are on their way, a connection
	Seconds  float64 // how long new messages are sent
	Messages int     // how many at most; 0: any number
	// Fanout says that the first connection alone sends, and that each message
	// comes back on so many connections.
	Fanout int
}

// A Result is what came of it.
type Result struct {
	Messages int     // that came back
	Seconds  float64 // from the first to the last
	CPU      int64   // nanoseconds of processor time, of the generator
	P50, P99 int64   // nanoseconds until an answer; with Fanout until the last
}

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// silence is how long nothing may come before a run fails.
const silence = 30 * time.Second
