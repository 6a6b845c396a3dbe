// Command soak holds many connections of all kinds against one server of Parley for a long
// time, kills some of them each second in every way, and checks that nothing is lost, doubled
// or left behind. It runs on Linux.
//
//	go run ./soak                              # 9,000 connections for 30 minutes
//	go run ./soak -n 2000 -duration 5m         # what ./check deep does
//	go run ./soak -shell goroutines -o DIR     # the other shell; charts and samples go to DIR
//
// The server is a process of its own, so that its memory, goroutines and descriptors are those
// of the server. The connections are WebSocket (45 %), the same with permessage-deflate
// (20 %), and Socket.IO over WebSocket (20 %), over long-polling (8 %), and moved from there to
// WebSocket (7 %), all with Parley's clients; 36 JavaScript clients are added, if there is Node, and
// npm ci was run in interop/js. Each sends a message every 5 s, which comes back, and is in
// a room of 50 that gets one every 5 s. Every message has a number, and each recipient checks
// that its numbers are complete and in order. A message's time counts from when it was to be
// sent, not from when it was.
//
// Each second 1 % are killed: by a reset, the end of the stream, the same within a frame, a
// half-close, silence, garbage, a Close frame, or a goodbye, and clients of Socket.IO also by a reset
// after which they come back and are given what they have missed. Each is replaced. Others
// flood the server (flood.go): they break a limit and expect the right status code, or send as
// much as they can and never read.
//
// After the warm-up three kinds of phases take turns. In the first all read. In the second one
// connection in ten has asked for more than it has room for, and does not read; the p99 of the
// others may double. In the third all stay, none is killed, and only those in JavaScript send. When it
// ends, nothing is under way any more, so that what memory the server has then can be compared
// with what it had at the end of the third phase before, and may not grow.
//
// In the end the server must have let go of everything. The exit status is 1 if any of that is
// not so. soak.svg, samples.csv, and profiles of what is left in the server are in the directory of -o.
//
// # More connections
//
// Each process needs a descriptor for each connection, two for one on long-polling, and those of
// killed connections that the other end still holds: ulimit -n must be about 1.3 times -n, for either
// process. Beyond 28,000 connections to one address the ports run out as well:
// sysctl net.ipv4.ip_local_port_range="1024 65535" gives 64,000; after that the server has to listen on
// several addresses of 127.0.0.0/8, and the clients to be spread over them. A connection takes about
// 66 KB in both processes together, and the kernel's buffers come to that. Raise -kill and the rates only
// as far as the processors go: the server and the generator should use less than half of them, or p99
// says how much work is waiting, and no longer how long the server takes.
package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/parleyws/parley/bench/histogram"
	"github.com/parleyws/parley/bench/servers/shell"
)

// The options of a run.
type options struct {
	duration time.Duration
	n        int
	kill     float64 // percent in a second
	slower   float64 // how much p99 may grow by stopped readers
	shell    string
	seed     uint64
	dir      string

	windows [activities]histogram.Histogram // latencies, by what is done in a phase
}

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", 30*time.Minute, "how long connections talk; opening them and the end come to that, up to two minutes")
	flag.IntVar(&o.n, "n", 9000, "how many connections")
	flag.Float64Var(&o.kill, "kill", 1, "how many connections are killed in a second, in `percent`")
	flag.Float64Var(&o.slower, "slower", 2, "how many `times` p99 may grow while one in ten does not read")
	flag.Uint64Var(&o.seed, "seed", 1, "of all choices")
	flag.StringVar(&o.dir, "o", ".", "the `directory` for the chart, the samples and the profiles")
	served := flag.Bool("serve", false, "be the server: what the command starts by itself")
	name := shell.Flag()
	flag.Parse()
	o.shell = *name
	if *served {
		exit(serve(o.shell))
	}
	s := &soak{options: o}
	var err error
	if s.node, err = startNode(); err != nil {
		fmt.Println("no JavaScript clients:", err)
	}
	if err := s.run(); err != nil {
		exit(err)
	}
	if err := s.write(); err != nil {
		exit(err)
	}
	if !s.judge(os.Stdout) {
		os.Exit(1)
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// path returns the path of a file of the results.
func (s *soak) path(name string) string { return filepath.Join(s.dir, name) }

// write writes the chart and the samples.
func (s *soak) write() error {
	title := fmt.Sprintf("%d connections, 1 %% a second killed, for %v (shell: %s)", len(s.slots), s.duration, s.shell)
	if err := os.WriteFile(s.path("soak.svg"), []byte(chart(title, s.samples)), 0o666); err != nil {
		return err
	}
	f, err := os.Create(s.path("samples.csv"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	w.Write([]string{"seconds", "phase", "settled", "resident", "heap", "holes", "stacks", "goroutines", "descriptors", "messages", "p50_us", "p99_us", "lost", "doubled", "swapped"})
	for _, m := range s.samples {
		row := []string{strconv.FormatFloat(m.At.Seconds(), 'f', 1, 64), strconv.Itoa(m.Phase), strconv.FormatBool(m.Settled)}
		for _, v := range []int64{int64(m.Resident), int64(m.Heap), int64(m.Holes), int64(m.Stacks), int64(m.Goroutines), int64(m.Descriptors), int64(m.Messages),
			m.P50.Microseconds(), m.P99.Microseconds(), int64(m.Healthy.Lost), int64(m.Healthy.Doubled), int64(m.Healthy.Swapped)} {
			row = append(row, strconv.FormatInt(v, 10))
		}
		w.Write(row)
	}
	w.Flush()
	return w.Error()
}
