// Command million prints what a fleet of nodes costs with each adapter: on its brokers and on
// its nodes, and how many events a second fill the broker.
//
//	go run ./adapters/internal/capacity/million [-clients 1000000] [-nodes 20] [-every 10s] [-rooms 2,50]
//
// The tables of docs/scaling.md are its output. Package capacity says where its figures come
// from.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parleyws/parley/adapters/internal/capacity"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "million:", err)
		}
		os.Exit(2)
	}
}

const rooms = 20_000 // that a simulation has

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("million", flag.ContinueOnError)
	clients := flags.Int("clients", 1_000_000, "`clients` of all nodes")
	nodes := flags.Int("nodes", 20, "so many `nodes`")
	every := flags.Duration("every", 10*time.Second, "each client sends one event in this `time`")
	sizes := flags.String("rooms", "2,50", "`sizes` of the rooms")
	processors := flags.Int("processors", 4, "`processors` of each node, and of each server of a broker")
	gigabits := flags.Float64("network", 10, "`gigabits` a second that each of them can send")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *clients < 1 || *nodes < 1 || *every <= 0 || *processors < 1 || *gigabits <= 0 {
		return errors.New("numbers must be positive")
	}
	m := capacity.Machine{Processors: *processors, Bytes: *gigabits / 8 * 1e9, Busy: 0.7}
	for text := range strings.SplitSeq(*sizes, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < 2 {
			return fmt.Errorf("%q is no size of a room", text)
		}
		f := capacity.Fleet{Nodes: *nodes, Clients: *clients, Room: size, Rate: 1 / every.Seconds()}
		t := f.Simulate(rand.New(rand.NewPCG(1, uint64(size))), rooms)
		all := float64(f.Clients) / float64(size)
		fmt.Fprintf(out, "\n%s rooms of %d, each on %.1f of %d nodes (formula: %.1f), %s on each node; %s events and %s deliveries a second.\n\n",
			short(all), size, t.Reached, f.Nodes, f.Reached(), short(all*t.Reached/float64(f.Nodes)),
			short(f.Events()), short(f.Events()*float64(size-1)))
		table(out, f, t, m)
	}
	return nil
}

// table prints a row for each way.
func table(out io.Writer, f capacity.Fleet, t capacity.Traffic, m capacity.Machine) {
	fmt.Fprintln(out, "| | broker: processors | sends | each node: processors | reads | sends | most events a second | by the |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|")
	for _, w := range capacity.Ways {
		l := w.Load(f, t)
		broker, sends := "none", ""
		if !w.InNodes {
			broker, sends = fmt.Sprintf("%.2f", l.Broker), megabytes(l.BrokerSends)
		}
		if w.Servers > 1 {
			broker, sends = fmt.Sprintf("%d x %s", w.Servers, broker), fmt.Sprintf("%d x %s", w.Servers, sends)
		}
		most, full := w.Most(f, t, m)
		fmt.Fprintf(out, "| %s | %s | %s | %.2f | %s | %s | %s | %s |\n",
			w.Name, broker, sends, l.Node, megabytes(l.NodeReads), megabytes(l.NodeSends), short(most), full)
	}
}

func megabytes(n float64) string { return fmt.Sprintf("%.1f MB/s", n/1e6) }

// short writes a large number with two digits or three.
func short(n float64) string {
	if n >= 1e6 {
		return fmt.Sprintf("%.1f M", n/1e6)
	}
	return fmt.Sprintf("%.0f k", n/1e3)
}
