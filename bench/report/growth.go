package main

import (
	"fmt"
	"strings"
	"time"
)

var growers = []library{parley, gws, gorilla, nbio}

// messageSizes lists the sizes of messages in the growth charts, in bytes.
var messageSizes = []int{16, 256, 4 << 10, 64 << 10, 1 << 20}

// growthRounds is how often each size is measured.
const growthRounds = 3

// steps returns the powers of ten up to n.
func steps(n int) (all []int) {
	for i := 1; i <= n; i *= 10 {
		all = append(all, i)
	}
	return all
}

// growing measures how cost grows with the number of connections, the size of
// messages and the size of rooms. Its figures are for charts and have no goals.
// Each round starts new servers, because a server that has grown does not
// shrink to its former state.
func (r *report) growing() error {
	if r.growth == 0 {
		return nil
	}
	for round := range growthRounds {
		for _, l := range growers {
			if err := r.grown("growth", round, l, r.grow); err != nil {
				return err
			}
		}
		for _, l := range r.available(socketIOs) {
			if err := r.grown("rooms", round, l, r.rooms); err != nil {
				return err
			}
		}
	}
	return nil
}

// grown starts a server and lets it grow.
func (r *report) grown(what string, round int, l library, grow func(*server) error) error {
	r.progress("%s: %s, round %d of %d", what, l.name, round+1, growthRounds)
	s, err := r.start(l)
	if err != nil {
		return err
	}
	defer s.Stop()
	return r.excuse(what, l.name, grow(s))
}

// grow adds connections step by step, and then lengthens messages.
func (r *report) grow(s *server) error {
	defer r.load.close()
	have := 0
	for _, n := range steps(r.growth) {
		if err := r.load.connect(target{Address: s.address, Conns: n - have}); err != nil {
			return err
		}
		have = n
		o, err := r.load.drive(s, work{Size: 16, InFlight: 1, Seconds: r.seconds})
		if err != nil {
			return err
		}
		name := fmt.Sprintf("connections/%d", n)
		r.add(name, s.name, throughput, float64(o.Messages)/o.Seconds)
		r.add(name, s.name, cpuTime, o.perMessage())
		time.Sleep(settle)
		octets, err := s.memory()
		if err != nil {
			return err
		}
		r.add(name, s.name, megabytes, float64(octets)/(1<<20))
	}
	if err := r.load.close(); err != nil {
		return err
	}
	if err := r.load.connect(target{Address: s.address, Conns: 10}); err != nil {
		return err
	}
	for _, n := range messageSizes {
		o, err := r.load.drive(s, work{Size: n, InFlight: 1, Seconds: r.seconds})
		if err != nil {
			return err
		}
		r.add(fmt.Sprintf("size/%d", n), s.name, cpuTime, o.perMessage())
	}
	return nil
}

// rooms measures broadcasts to rooms of growing size.
func (r *report) rooms(s *server) error {
	for _, n := range steps(r.growth) {
		o, err := r.load.once(s,
			target{Conns: n, SocketIO: true, Greeting: event("join", "all")},
			work{Text: event("room", "all", strings.Repeat("a", 100)), InFlight: 1, Fanout: n, Seconds: r.seconds})
		if err != nil {
			return err
		}
		r.add(fmt.Sprintf("room/%d", n), s.name, cpuTime, o.perMessage()*float64(n))
	}
	return nil
}
