package main

import (
	"fmt"
	"math/rand/v2"
)

// counts are the numbers of connections with which the shells are compared.
var counts = []int{1, 2, 10, 32, 100, 1000, 10000}

// fewConns is the greatest number of connections with which a server must not
// need more than on goroutines.
const fewConns = 32

// counted says where the shells are compared.
var counted = []surroundings{
	{"one", "1 CPU", "server on one processor", apart},
	{"two", "2 CPUs", "server on two processors", anywhere},
}

// Surroundings are a place with its names.
type surroundings struct {
	name, short, on string
	place
}

// work returns the name of the work with n connections.
func (w surroundings) work(n int) string { return fmt.Sprintf("%s/%d", w.name, n) }

// shells are our servers, by what waits for the messages of their connections.
var shells = []library{onGo, looped, parley}

// counting compares the shells with few connections and with many.
func (r *report) counting() error {
	for round := range r.rounds {
		for _, w := range counted {
			r.progress("connections: %s, round %d of %d", w.on, round+1, r.rounds)
			if err := r.count(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// count adds connections step by step to a server of each shell. Each server
// has a generator of its own, which keeps its connections.
func (r *report) count(w surroundings) error {
	pairs, err := r.pairs(shells, w.place)
	defer stopPairs(pairs)
	if err != nil {
		return err
	}
	have := 0
	for _, n := range counts {
		conns := min(n, r.idle)
		for _, p := range pairs {
			if err := p.connect(target{Conns: conns - have, Greeting: greeting}); err != nil {
				return err
			}
		}
		have = conns
		// Short turns see the same of what else the machine does, but in each all connections must
		// have their turn.
		turns, seconds := 8, r.seconds/8
		if n > 100 {
			turns, seconds = 2, r.seconds/4
		}
		for turn := range 1 + turns {
			for _, i := range rand.Perm(len(pairs)) {
				p := pairs[i]
				o, err := p.load.drive(p.server, work{Size: 16, InFlight: 1, Seconds: seconds})
				if err != nil {
					return fmt.Errorf("%s: %w", p.server.name, err)
				}
				if turn > 0 { // the first warms up
					r.outcome(w.work(n), p.server.name, o)
				}
			}
		}
	}
	return nil
}

// pairs starts a server of each library, and a generator for each, in any order.
func (r *report) pairs(libraries []library, where place, args ...string) (all []pair, err error) {
	libraries = r.available(libraries)
	all = make([]pair, len(libraries))
	generator, server, err := processors(where)
	if err != nil {
		return nil, err
	}
	for _, i := range rand.Perm(len(all)) {
		p := &all[i]
		err := within(&server, func() (err error) {
			p.server, err = r.start(libraries[i], args...)
			return err
		})
		if err != nil {
			return all, err
		}
		err = within(&generator, func() (err error) {
			p.load, err = r.startLoad()
			return err
		})
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func stopPairs(all []pair) {
	for _, p := range all {
		p.stop()
	}
}

// connect adds connections between the two.
func (p pair) connect(t target) error {
	t.Address = p.server.address
	return p.load.connect(t)
}

// shellCurves returns the ratio of the shells to goroutines, with few
// connections and with many.
func (r *report) shellCurves() (all []curve) {
	for _, lib := range []struct{ name, short string }{{inLoop, "loop"}, {us, "default"}} {
		for _, w := range counted {
			c := curve{name: lib.short + ", " + w.short}
			for _, n := range counts {
				if f := r.paired(w.work(n), lib.name, onGoroutines, cpuTime); f.rounds > 0 {
					c.points = append(c.points, point{float64(n), f.median})
				}
			}
			if c.points != nil {
				all = append(all, c)
			}
		}
	}
	return all
}
