package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A hindrance is what some connections or their handlers do while others go on.
type hindrance struct {
	id, name string
	do       string // in words
	order    string // the message
	inFlight int    // of these messages, on a connection
	most     float64
}

var hindrances = []hindrance{
	{"H1", "sleep", "sleep 50 ms in the handler", "sleep 50ms", 1, 1.1},
	{"H2", "burn", "compute 1 ms in the handler", "burn 1ms", 1, 0},
	{"H3", "flood", "have 1,000 messages in flight", "flood", 1000, 0},
}

func (h hindrance) work(w surroundings) string { return h.name + " " + w.name }

// handling measures what handlers cost others that block or compute, and crowds
// of connections that come or go.
func (r *report) handling() error {
	for round := range r.rounds {
		for _, h := range hindrances {
			for _, w := range counted {
				r.progress("some that %s: %s, round %d of %d", h.name, w.on, round+1, r.rounds)
				if err := r.hinder(h, w); err != nil {
					return err
				}
			}
		}
		r.progress("crowds: round %d of %d", round+1, r.rounds)
		if err := r.crowds(); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) hinder(h hindrance, w surroundings) error {
	pairs, err := r.pairs(shells[:2], w.place, "-orders")
	defer stopPairs(pairs)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := p.connect(target{Conns: 100}); err != nil {
			return err
		}
	}
	for turn := range 3 {
		for _, i := range rand.Perm(len(pairs)) {
			p := pairs[i]
			o, err := p.load.drive(p.server, work{Size: 16, InFlight: 1, Odd: 10, OddText: h.order, OddInFlight: h.inFlight, Seconds: r.seconds})
			if err != nil {
				return fmt.Errorf("%s: %w", p.server.name, err)
			}
			if turn > 0 { // the first warms up
				r.outcome(h.work(w), p.server.name, o)
				r.add(h.work(w), p.server.name, tail, float64(o.P999)/1e3)
			}
		}
	}
	return nil
}

// crowds measures connections that all come at once, and of which half vanish.
func (r *report) crowds() error {
	libraries := r.available(shells[:2])
	for _, i := range rand.Perm(len(libraries)) {
		pairs, err := r.pairs(libraries[i:i+1], anywhere, "-idle")
		if err == nil {
			err = r.crowd(pairs[0])
		}
		stopPairs(pairs)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *report) crowd(p pair) error {
	if err := p.connect(target{Conns: firstConns, Greeting: greeting}); err != nil {
		return err
	}
	memory, err := p.server.memory()
	if err != nil {
		return err
	}
	before, err := p.server.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := p.connect(target{Conns: r.idle, Dialers: r.idle, Greeting: greeting}); err != nil {
		return err
	}
	r.add("H4", p.server.name, elapsed, time.Since(began).Seconds()*1e3)
	after, err := p.server.cpu()
	if err != nil {
		return err
	}
	r.add("H4", p.server.name, cpuTime, float64(after-before)/1e3/float64(r.idle))

	o, err := p.load.drive(p.server, work{Size: 16, InFlight: 1, Seconds: r.seconds, Vanish: r.idle / 2})
	if err != nil {
		return fmt.Errorf("%s: %w", p.server.name, err)
	}
	r.add("H5", p.server.name, slowest, float64(o.P99)/1e3)
	time.Sleep(settle)
	left, err := p.server.memory()
	if err != nil {
		return err
	}
	r.add("H5", p.server.name, kilobytes, float64(left-memory)/1024/float64(r.idle-r.idle/2))
	return nil
}
