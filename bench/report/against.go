package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A version is a checkout of this repository whose servers are compared.
type version struct {
	name string
	dir  string // that its servers are built in, below that of the report
}

// Names of our own version, which is measured twice: what the two differ by is
// the noise.
const (
	here  = "here"
	again = "here again"
)

const (
	// block is how many rounds of a load are measured on the same processes:
	// where the kernel has put a server's memory makes one differ from the next.
	block = 4
	// turnTime is what a round of a load takes, in seconds. Short rounds that
	// take turns see the same of what else the machine does.
	turnTime = 0.08
)

// against compares Parley as it is here with what it is in other checkouts.
func (r *report) against(dirs, ids []string) error {
	versions, err := r.versions(dirs)
	if err != nil {
		return err
	}
	if err := r.buildServers(".", "."); err != nil {
		return err
	}
	if err := show(exec.Command("go", "build", "-o", r.dir+"/", "./load")); err != nil {
		return err
	}
	if r.load, err = r.startLoad(); err != nil {
		return err
	}
	defer r.load.Stop()
	r.seconds = min(r.seconds, turnTime)
	trials, err := choose(r.trials(), ids)
	if err != nil {
		return err
	}
	fmt.Print("| row | version | here | there | ratio | 95 % | rounds |\n|---|---|---|---|---|---|---|\n")
	for _, t := range trials {
		r.progress("against: %s", t.id)
		measure := r.loadAll
		if t.conns > 0 {
			measure = r.weighAll
		}
		if err := measure(t, versions); err != nil {
			return fmt.Errorf("%s: %w", t.id, err)
		}
		for _, v := range versions[1:] {
			fmt.Println(r.compared(&t, v.name))
		}
	}
	return nil
}

// versions builds the servers of other checkouts. They are called by the names
// of their directories.
func (r *report) versions(dirs []string) ([]version, error) {
	all := []version{{here, "."}, {again, "."}}
	for i, dir := range dirs {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		v := version{filepath.Base(dir), fmt.Sprint("version", i)}
		if slices.ContainsFunc(all, func(w version) bool { return w.name == v.name }) {
			return nil, fmt.Errorf("two versions are called %s", v.name)
		}
		if err := r.buildServers(filepath.Join(dir, "bench"), v.dir); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// buildServers builds Parley's servers of a checkout.
func (r *report) buildServers(bench, into string) error {
	return show(exec.Command("go", "build", "-C", bench, "-o", r.path(into)+"/", "./servers/parley", "./servers/broadcast", "./servers/socketio"))
}

// choose returns the trials with some ids, all of them for none.
func choose(all []trial, ids []string) (chosen []trial, err error) {
	for _, id := range ids {
		i := slices.IndexFunc(all, func(t trial) bool { return t.id == id })
		if i < 0 {
			names := make([]string, len(all))
			for i := range all {
				names[i] = all[i].id
			}
			return nil, fmt.Errorf("no row %q; there are: %s", id, strings.Join(names, ", "))
		}
		chosen = append(chosen, all[i])
	}
	if ids == nil {
		return all, nil
	}
	return chosen, nil
}

// library returns the program that serves t for a version.
func (t *trial) library(v version) library {
	return library{name: us, path: filepath.Join(v.dir, t.program), args: t.args}
}

// weighAll weighs connections, each time on a server of its own.
func (r *report) weighAll(t trial, versions []version) error {
	for range r.rounds {
		for _, i := range rand.Perm(len(versions)) {
			kb, err := r.held(t.library(versions[i]), nil, t.target, t.conns, t.rest)
			if err != nil {
				return err
			}
			r.add(t.id, versions[i].name, kilobytes, kb)
		}
	}
	return nil
}

// loadAll loads servers.
func (r *report) loadAll(t trial, versions []version) error {
	for left := r.rounds * r.turns; left > 0; left -= block {
		if err := r.loadBlock(t, versions, min(block, left)); err != nil {
			return err
		}
	}
	return nil
}

// A pair is a server and the generator that loads it, on one processor each:
// where the kernel moves them about the figures spread three times as far.
type pair struct {
	server *server
	load   *generator
}

// loadBlock measures some rounds on the same processes. Neither the order in
// which they are started nor that of a round is always the same: who is first
// gets better memory.
func (r *report) loadBlock(t trial, versions []version, rounds int) (err error) {
	pairs := make([]pair, len(versions))
	defer func() {
		for _, p := range pairs {
			p.stop()
		}
	}()
	for _, i := range rand.Perm(len(versions)) {
		if pairs[i], err = r.pair(t, versions[i]); err != nil {
			return err
		}
	}
	t.work.Seconds = r.seconds
	for round := range 1 + rounds { // the first warms up
		for _, i := range rand.Perm(len(versions)) {
			o, err := pairs[i].load.drive(pairs[i].server, t.work)
			if err != nil {
				return err
			}
			if round > 0 {
				r.add(t.id, versions[i].name, cpuTime, o.perMessage())
			}
		}
	}
	return nil
}

// pair starts a server and a generator, and connects them.
func (r *report) pair(t trial, v version) (p pair, err error) {
	if p.server, err = r.start(t.library(v)); err != nil {
		return p, err
	}
	if p.load, err = r.startLoad(); err != nil {
		return p, err
	}
	if err := put(apart, p.load, []*server{p.server}); err != nil {
		return p, err
	}
	t.target.Address = p.server.address
	return p, p.load.connect(t.target)
}

func (p pair) stop() {
	if p.server != nil {
		p.server.Stop()
	}
	if p.load != nil {
		p.load.Stop()
	}
}

// compared is a line of the result: the medians, and the median of the ratios
// of all rounds, of which above 1 says that a version needs more than ours.
func (r *report) compared(t *trial, name string) string {
	ours, theirs := r.figures[key{t.id, here, t.metric()}], r.figures[key{t.id, name, t.metric()}]
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = theirs[i] / ours[i]
	}
	slices.Sort(ratios)
	n := len(ratios)
	low, high := interval(ratios)
	f, _ := r.figure(t.id, here, t.metric())
	g, _ := r.figure(t.id, name, t.metric())
	return fmt.Sprintf("| %s | %s | %s | %s | %.3f | %.3f to %.3f | %d |", t.id, name,
		format(f.median, t.metric()), format(g.median, t.metric()), (ratios[(n-1)/2]+ratios[n/2])/2, low, high, n)
}

// interval returns what the median of the whole lies between in 95 of 100
// cases, of a sorted sample: as many of it lie below a median as coins fall on
// one side.
func interval(sorted []float64) (low, high float64) {
	n := float64(len(sorted))
	k := max(0, int(math.Floor((n-1.96*math.Sqrt(n))/2)))
	return sorted[k], sorted[len(sorted)-1-k]
}

// compare is what the command does with -against.
func (r *report) compare(dirs, ids string) (err error) {
	if r.dir, err = os.MkdirTemp("", "parley-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	return r.against(list(dirs), list(ids))
}

// list splits what is between commas.
func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
