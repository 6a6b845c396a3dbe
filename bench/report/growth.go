package main

import (
	"fmt"
	"time"
)

var growers = []library{parley, gws, gorilla, nbio}

// messageSizes are those of the growth charts, in octets.
var messageSizes = []int{16, 256, 4 << 10, 64 << 10, 1 << 20}

// growthRounds is how often each step is measured.
const growthRounds = 3

// steps returns the powers of ten up to n.
func steps(n int) (all []int) {
	for i := 1; i <= n; i *= 10 {
		all = append(all, i)
	}
	return all
}

// growing measures how cost grows: with connections, with the size of messages
// and with that of rooms. Its figures are charts, not goals.
func (r *report) growing() error {
	if r.growth == 0 {
		return nil
	}
	for _, l := range growers {
		s, err := r.start(l)
		if err != nil {
			return err
		}
		err = r.grow(s)
		s.Stop()
		if err := r.excuse("growth", l.name, err); err != nil {
			return err
		}
	}
	if r.absent["S"] != "" {
		return nil
	}
	return r.rooms()
}

func (r *report) grow(s *server) error {
	defer r.load.close()
	have := 0
	for _, n := range steps(r.growth) {
		r.progress("growth: %d connections, %s", n, s.name)
		if err := r.load.connect(target{Address: s.address, Conns: n - have}); err != nil {
			return err
		}
		have = n
		name := fmt.Sprintf("connections/%d", n)
		for range growthRounds {
			o, err := r.load.drive(s, work{Size: 16, InFlight: 1, Seconds: r.seconds})
			if err != nil {
				return err
			}
			r.add(name, s.name, throughput, float64(o.Messages)/o.Seconds)
			r.add(name, s.name, cpuTime, o.perMessage())
		}
		time.Sleep(settle)
		octets, err := s.memory()
		if err != nil {
			return err
		}
		r.add(name, s.name, kilobytes, float64(octets)/1024)
	}
	if err := r.load.close(); err != nil {
		return err
	}
	return r.growSizes(s)
}

func (r *report) growSizes(s *server) error {
	if err := r.load.connect(target{Address: s.address, Conns: 10}); err != nil {
		return err
	}
	for _, n := range messageSizes {
		r.progress("growth: messages of %d octets, %s", n, s.name)
		for range growthRounds {
			o, err := r.load.drive(s, work{Size: n, InFlight: 1, Seconds: r.seconds})
			if err != nil {
				return err
			}
			r.add(fmt.Sprintf("size/%d", n), s.name, cpuTime, o.perMessage())
		}
	}
	return nil
}
