// Command report compares Parley with its rivals in one run, and writes
// REPORT.md and the charts of README.md. It must be run in the directory bench,
// on Linux:
//
//	go run ./report          # forty minutes, on a machine that does nothing else
//	go run ./report -quick   # under three: everything runs, allocations are judged and times are not
//
// The rounds of Parley and of the rivals take turns, and the report gives the
// medians. The command fails if a row has neither a figure nor a reason.
//
// Two versions of Parley are compared, over loopback, by
//
//	go run ./report -against DIRECTORY   # of another checkout, or several by commas
//
// It prints a table: for each row how much more the other version needs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A plan says how much is measured.
type plan struct {
	rounds  int
	bench   string  // -benchtime of the benchmarks in memory
	short   bool    // measure smaller broadcasts
	seconds float64 // duration of a load
	idle    int     // connections for M1, and the most for C, L7 and H
	few     int     // connections for M2 and S4; M3 has a tenth of them
	many    int     // Socket.IO clients of a broadcast
	events  int     // numbered events between two nodes; a tenth of them for many recipients
	growth  int     // connections of the greatest step; 0 means that growth is not measured

	turns int           // rounds of a load against another version for each round
	rest  time.Duration // before connections are weighed that have rested: see trials
}

var (
	full  = plan{rounds: 5, bench: "100ms", seconds: 0.6, idle: 10000, few: 2000, many: 2000, events: 60_000, growth: 10000, turns: 16, rest: keptAlive}
	quick = plan{rounds: 1, bench: "200x", short: true, seconds: 0.05, idle: 200, few: 100, many: 50, events: 500, turns: 1, rest: settle}
)

// letters are those of all ids, and G for the growth.
const letters = "PLCMSHNG"

// A report is one run.
type report struct {
	plan
	*results
	began time.Time
	dir   string // folder of the programs
	only  string
	names []string // of the nodes that are measured; nil: all
	load  *generator

	profiles string // directory for profiles of our servers; "" means none
	uws      string // directory of uWebSockets; "" means that it is not measured
}

func main() {
	isQuick := flag.Bool("quick", false, "see that everything works, and judge allocations alone")
	rounds := flag.Int("rounds", 0, "measure so many times; 0: as planned")
	only := flag.String("only", letters, "measure these `letters` of ids alone, G being growth, for a report of its own name")
	nodes := flag.String("nodes", "", "of N measure these `names` alone, such as \"parley, sharded\", by semicolons: no whole report")
	profiles := flag.String("profiles", "", "profile our servers in a run of their own, into this `directory`")
	uws := flag.String("uwebsockets", "", "measure uWebSockets too, from its checkout in this `directory`, with uSockets in it")
	dirs := flag.String("against", "", "instead, compare with Parley as it is in these `directories`, by commas")
	ids := flag.String("trials", "", "with -against: these `rows` alone, by commas")
	out := flag.String("o", "", "write to this `directory`; by default here, with -quick nowhere")
	flag.Parse()
	r := &report{plan: full, results: newResults(), began: time.Now(), only: *only, profiles: *profiles, uws: *uws}
	if *nodes != "" {
		r.names = strings.Split(*nodes, ";")
	}
	if *isQuick {
		r.plan = quick
	} else if *out == "" {
		*out = "."
	}
	if *rounds > 0 {
		r.rounds = *rounds
	}
	r.idle = min(r.idle, descriptors()-spare)
	run := func() error { return r.run(*out) }
	if *dirs != "" {
		run = func() error { return r.compare(*dirs, *ids) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// descriptors returns how many a process may have open. Programs in Go may have
// all that they are allowed.
func descriptors() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxInt
	}
	return int(min(limit.Max, math.MaxInt))
}

// spare is how many descriptors a process needs for anything but the
// connections that are measured.
const spare = 200

func (r *report) run(out string) error {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r.dir = dir
	if err := r.measure(); err != nil {
		return err
	}
	if out == "" {
		out = filepath.Join(dir, "out")
	}
	if err := r.write(out); err != nil {
		return err
	}
	return r.judgement()
}

// measure fills the results.
func (r *report) measure() error {
	r.progress("building")
	if err := r.build(); err != nil {
		return err
	}
	var err error
	if r.load, err = r.startLoad(); err != nil {
		return err
	}
	defer r.load.Stop()
	for _, part := range []struct {
		letter  string
		measure func() error
	}{
		{"P", r.inMemory},
		{"L", r.loopback},
		{"C", r.counting},
		{"M", r.memory},
		{"S", r.socketIO},
		{"H", r.handling},
		{"N", r.nodes},
		{"G", r.growing},
	} {
		if !strings.Contains(r.only, part.letter) {
			continue
		}
		if err := part.measure(); err != nil {
			return fmt.Errorf("%s: %w", part.letter, err)
		}
	}
	return nil
}

// judgement returns the error with which the command ends after everything is written.
func (r *report) judgement() error {
	var wrong []error
	if without := r.missing(r.only); without != nil {
		wrong = append(wrong, fmt.Errorf("not measured, and no reason given: %s", strings.Join(without, " ")))
	}
	for _, line := range r.regressed() {
		wrong = append(wrong, errors.New(line))
	}
	r.progress("done")
	return errors.Join(wrong...)
}

// progress prints what is being measured.
func (r *report) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}
