package main

import (
	"strings"
	"time"
)

// A holding is a way to hold connections, and the libraries that are measured with it.
type holding struct {
	work      string
	conns     func(*plan) int
	target    target
	args      []string // arguments of the servers
	libraries []library
}

var (
	manyGoroutines = []library{onGo, gorilla, coder, gws, gobwas}

	// greeting is the message that a connection has echoed before it counts as idle.
	greeting = strings.Repeat("greeting", 128/len("greeting"))

	// jsonMessage is the message that servers decode or compress.
	jsonMessage = `{"room":"lobby","text":"` + strings.Repeat("what is said in a room, ", 10) + `","tags":["a","bc","def"]}`

	holdings = []holding{
		{"M1", func(p *plan) int { return p.idle }, target{Greeting: greeting}, []string{"-idle"},
			append([]library{parley, looped, rawLoop, nbio, uws, nodeWS}, manyGoroutines...)},
		{"M2 JSON", func(p *plan) int { return p.few }, target{Greeting: jsonMessage}, []string{"-idle", "-json"}, append([]library{looped}, manyGoroutines...)},
		{"M2 TLS", func(p *plan) int { return p.few }, target{TLS: true, Greeting: greeting}, []string{"-idle", "-tls"}, manyGoroutines},
		{"M5", func(p *plan) int { return p.idle }, target{}, []string{"-idle"}, []library{looped, onGo, gobwas}},
		{"M3", func(p *plan) int { return p.few / 10 }, target{Deflate: true, Greeting: strings.Repeat(jsonMessage, 8), Greetings: 32}, []string{"-idle", "-takeover"},
			[]library{parley, {name: "parley, klauspost", path: "parley", args: []string{"-klauspost"}}, coder, gws}},
	}
)

// memory measures the memory of an idle connection in its server.
func (r *report) memory() error {
	for round := range r.rounds {
		for _, h := range holdings {
			r.progress("memory: %s, round %d of %d", h.work, round+1, r.rounds)
			for _, l := range r.available(h.libraries) {
				if err := r.hold(h.work, l, h.args, h.target, h.conns(&r.plan)); err != nil {
					return err
				}
			}
		}
	}
	return r.traffic()
}

// hold adds the memory of a connection in a library's server to the results.
func (r *report) hold(work string, l library, args []string, t target, conns int) error {
	kb, err := r.held(l, args, t, conns, 0)
	if err != nil {
		return r.excuse(work, l.name, err)
	}
	r.add(work, l.name, kilobytes, kb)
	return nil
}

// firstConns connections are opened before the measurement, so that the memory
// that a server needs once is already taken.
const firstConns = 50

// held returns the resident memory of a connection in KB, of a server that
// serves nothing else. They rest before they are weighed.
func (r *report) held(l library, args []string, t target, conns int, rest time.Duration) (kb float64, err error) {
	s, err := r.start(l, args...)
	if err != nil {
		return 0, err
	}
	defer s.Stop()
	defer r.load.close()
	t.Address = s.address
	var at [2]int64
	for i, n := range []int{firstConns, conns} {
		t.Conns = n
		if err := r.load.connect(t); err != nil {
			return 0, err
		}
		if rest > 0 && i > 0 {
			if err := r.load.Call("rest", rest.Seconds(), nil); err != nil {
				return 0, err
			}
		}
		time.Sleep(settle)
		if at[i], err = s.memory(); err != nil {
			return 0, err
		}
	}
	return float64(at[1]-at[0]) / 1024 / float64(conns), nil
}

// settle is the time after which the last connections are idle.
const settle = 300 * time.Millisecond
