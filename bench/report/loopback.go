package main

// The loads of the rows L1 to L5.
//
// With any library a single message is answered in 20 or in 50 microseconds. It
// takes 20 if the kernel has put the server on the generator's processor, and
// 50 if the server's processor sleeps and must be woken. So for L5 the report
// chooses the processors itself.
var loads = []struct {
	id string
	target
	work
	place
}{
	{"L1", target{Conns: 100}, work{Size: 16, InFlight: 1}, anywhere},
	{"L2", target{Conns: 100}, work{Size: 16 << 10, InFlight: 1}, anywhere},
	{"L3", target{Conns: 100}, work{Size: 16, InFlight: 64}, anywhere},
	{"L4", target{Conns: 100}, work{Size: 1 << 10, InFlight: 64}, anywhere},
	{"L5", target{Conns: 1}, work{Size: 16, InFlight: 1}, together},
	{"L5apart", target{Conns: 1}, work{Size: 16, InFlight: 1}, apart},
}

// turns is the number of short runs in one round of a load. The more often the
// libraries take turns, the less the other work of the machine matters.
const turns = 3

var echoes = []library{parley, gobwas, gws, gorilla, coder, nbio, xnet, nodeWS, bare}

// loopback measures echo servers over loopback: the cost of a message for the
// server, and the time that its sender waits.
func (r *report) loopback() error {
	servers, err := r.startAll(echoes)
	if err != nil {
		return err
	}
	defer stopAll(servers)
	if err := r.warmUp(loads[0].target, loads[0].work, servers); err != nil {
		return err
	}
	for round := range r.rounds * turns {
		for _, l := range loads {
			r.progress("loopback: %s, round %d of %d", l.id, round+1, r.rounds*turns)
			l.work.Seconds = r.seconds / turns
			if err := put(l.place, r.load, servers); err != nil {
				return err
			}
			if err := r.round(l.id, l.target, l.work, servers); err != nil {
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
	if err := r.systemCalls(servers); err != nil {
		return err
	}
	return put(anywhere, r.load, servers)
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
		r.add(id, s.name, cpuTime, o.perMessage())
		r.add(id, s.name, median, float64(o.P50)/1e3)
		r.add(id, s.name, slowest, float64(o.P99)/1e3)
		r.add(id, s.name, throughput, float64(o.Messages)/o.Seconds)
		r.add(id, s.name, generatorBusy, float64(o.CPU)/1e9/o.Seconds)
	}
	return nil
}

// generatorBusy returns the fraction of its thread that the load generator took.
const generatorBusy metric = "generator"
