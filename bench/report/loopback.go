package main

import "slices"

// loads returns the loads of the rows L1 to L7.
//
// With any library a single message is answered in 20 or in 50 microseconds. It
// takes 20 if the kernel has put the server on the generator's processor, and
// 50 if the server's processor sleeps and must be woken. So for L5 the report
// chooses the processors itself.
func (p *plan) loads() []load {
	return []load{
		{id: "L1", target: target{Conns: 100}, work: work{Size: 16, InFlight: 1}},
		{id: "L2", target: target{Conns: 100}, work: work{Size: 16 << 10, InFlight: 1}},
		{id: "L3", target: target{Conns: 100}, work: work{Size: 16, InFlight: 64}},
		{id: "L4", target: target{Conns: 100}, work: work{Size: 1 << 10, InFlight: 64}},
		{id: "L5", target: target{Conns: 1}, work: work{Size: 16, InFlight: 1}, place: together},
		{id: "L5apart", target: target{Conns: 1}, work: work{Size: 16, InFlight: 1}, place: apart},
		{id: "L6", target: target{Conns: min(1000, p.idle)}, work: work{Size: 16, InFlight: 1}},
		{id: "L1 one", target: target{Conns: 100}, work: work{Size: 16, InFlight: 1}, place: apart, one: true},
		{id: "L2 one", target: target{Conns: 100}, work: work{Size: 16 << 10, InFlight: 1}, place: apart, one: true},
		{id: "L6 one", target: target{Conns: min(1000, p.idle)}, work: work{Size: 16, InFlight: 1}, place: apart, one: true},
		{id: "L7", target: target{Conns: p.idle}, work: work{Size: 16, InFlight: 16}, crowded: true},
	}
}

// A load is one of the rows.
type load struct {
	id string
	target
	work
	place
	one     bool // the servers have one processor from their start
	crowded bool // it takes long to connect, so there is one longer run a round
}

// fast are the servers of loads that are one or crowded.
var fast = []string{onGoroutines, inLoop, "gobwas", "gws", "gorilla", "nbio", uWS}

// turns is the number of short runs in one round of a load. The more often the
// libraries take turns, the less the other work of the machine matters.
const turns = 3

var echoes = []library{parley, onGo, looped, uws, gobwas, gws, gorilla, coder, nbio, xnet, nodeWS, bare}

// loopback measures echo servers over loopback: the cost of a message for the
// server, and the time that its sender waits.
func (r *report) loopback() error {
	all := r.loads()
	loads := slices.DeleteFunc(slices.Clone(all), func(l load) bool { return l.one })
	if err := r.loopbackOn(anywhere, loads, echoes); err != nil {
		return err
	}
	ones := slices.DeleteFunc(all, func(l load) bool { return !l.one })
	return r.loopbackOn(apart, ones, slices.DeleteFunc(slices.Clone(echoes), func(l library) bool { return !slices.Contains(fast, l.name) }))
}

// loopbackOn measures loads on servers that start on the processors of a place.
func (r *report) loopbackOn(where place, loads []load, libraries []library) error {
	_, processors, err := processors(where)
	if err != nil {
		return err
	}
	var servers []*server
	err = within(&processors, func() (err error) {
		servers, err = r.startAll(libraries)
		return err
	})
	if err != nil {
		return err
	}
	defer stopAll(servers)
	if err := put(where, r.load, servers); err != nil {
		return err
	}
	if err := r.warmUp(loads[0].target, loads[0].work, servers); err != nil {
		return err
	}
	for round := range r.rounds * turns {
		for _, l := range loads {
			if l.crowded && round%turns > 0 {
				continue
			}
			r.progress("loopback: %s, round %d of %d", l.id, round+1, r.rounds*turns)
			l.work.Seconds = r.seconds / turns
			if l.crowded {
				l.work.Seconds = r.seconds
			}
			if err := put(l.place, r.load, servers); err != nil {
				return err
			}
			if err := r.round(l.id, l.target, l.work, l.of(servers)); err != nil {
				return err
			}
		}
	}
	for _, l := range loads {
		if err := put(l.place, r.load, servers); err != nil {
			return err
		}
		if err := r.profile(l.id, l.target, l.work, servers); err != nil {
			return err
		}
	}
	if err := r.systemCalls(servers, loads); err != nil {
		return err
	}
	return put(anywhere, r.load, servers)
}

// of returns the servers of a load.
func (l *load) of(servers []*server) []*server {
	if !l.crowded {
		return servers
	}
	return slices.DeleteFunc(slices.Clone(servers), func(s *server) bool { return !slices.Contains(fast, s.name) })
}

// warmUp runs a load once without counting it, so that a server has its threads
// and pools, and Node has compiled its code.
func (r *report) warmUp(t target, w work, servers []*server) error {
	r.progress("warming up")
	w.Seconds = 2 * r.seconds
	for _, s := range servers {
		_, err := r.load.once(s, t, w)
		if err := r.excuse("warming up", s.name, err); err != nil {
			return err
		}
	}
	return nil
}

// round measures a load once on each server.
func (r *report) round(id string, t target, w work, servers []*server) error {
	for _, s := range servers {
		o, err := r.load.once(s, t, w)
		if err != nil {
			if err := r.excuse(id, s.name, err); err != nil {
				return err
			}
			continue
		}
		r.outcome(id, s.name, o)
	}
	return nil
}

// outcome adds what a load was like to the results.
func (r *report) outcome(work, lib string, o outcome) {
	r.add(work, lib, cpuTime, o.perMessage())
	r.add(work, lib, median, float64(o.P50)/1e3)
	r.add(work, lib, slowest, float64(o.P99)/1e3)
	r.add(work, lib, throughput, float64(o.Messages)/o.Seconds)
	r.add(work, lib, generatorBusy, float64(o.CPU)/1e9/o.Seconds)
}

// generatorBusy returns the fraction of its thread that the load generator took.
const generatorBusy metric = "generator"
