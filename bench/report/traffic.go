package main

import (
	"errors"
	"sync"
	"time"

	"github.com/parleyws/parley/bench/proc"
)

// trafficRounds is how often M4 is measured. Each round waits for half a minute.
const trafficRounds = 2

// traffic measures how much more memory connections need while messages come,
// and whether it is given back.
func (r *report) traffic() error {
	for round := range min(r.rounds, trafficRounds) {
		r.progress("memory: M4, round %d of %d", round+1, min(r.rounds, trafficRounds))
		pairs, err := r.pairs(shells[:2], anywhere, "-idle")
		if err == nil {
			err = r.weighTraffic(pairs)
		}
		stopPairs(pairs)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *report) weighTraffic(pairs []pair) error {
	idle := make([]int64, len(pairs))
	for i, p := range pairs {
		if err := p.connect(target{Conns: r.idle, Greeting: greeting}); err != nil {
			return err
		}
		time.Sleep(settle)
		var err error
		if idle[i], err = p.server.memory(); err != nil {
			return err
		}
		loaded, err := r.loaded(p)
		if err != nil {
			return err
		}
		r.add("M4", p.server.name, kilobytes, float64(int64(loaded)-idle[i])/1024/float64(r.idle))
	}
	if err := r.restAll(pairs); err != nil {
		return err
	}
	for i, p := range pairs {
		later, err := p.server.memory()
		if err != nil {
			return err
		}
		r.add("M4 later", p.server.name, kilobytes, float64(later-idle[i])/1024/float64(r.idle))
	}
	return nil
}

// loaded returns the greatest of some measurements of a server's memory while
// each connection always has messages in flight. What a collection would free
// counts: the kernel sees it too.
func (r *report) loaded(p pair) (greatest int, err error) {
	seconds := 3 * r.seconds
	var o outcome
	done := make(chan error, 1)
	go func() { done <- p.load.Call("run", work{Size: len(greeting), InFlight: 16, Seconds: seconds}, &o) }()
	const samples = 3
	for range samples {
		time.Sleep(time.Duration(seconds / (samples + 1) * float64(time.Second)))
		octets, failed := proc.Resident(p.server.Pid())
		greatest, err = max(greatest, octets), errors.Join(err, failed)
	}
	return greatest, errors.Join(err, <-done)
}

// restAll lets all connections rest at the same time.
func (r *report) restAll(pairs []pair) error {
	var wait sync.WaitGroup
	failed := make([]error, len(pairs))
	for i, p := range pairs {
		wait.Go(func() { failed[i] = p.load.Call("rest", r.rest.Seconds(), nil) })
	}
	wait.Wait()
	return errors.Join(failed...)
}
