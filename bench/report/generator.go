package main

import "github.com/parleyws/parley/bench/proc"

// A generator is the load generator's process.
type generator struct {
	*proc.Process
	busy float64 // the greatest fraction of a thread that it took
}

func (r *report) startLoad() (*generator, error) {
	var hello string
	p, err := proc.Start(&hello, r.path("load"))
	return &generator{Process: p}, err
}

// A target, a work and an outcome are the Target, Work and Result of package load.
type (
	target struct {
		Address   string
		Conns     int
		Dialers   int      `json:",omitempty"`
		TLS       bool     `json:",omitempty"`
		Deflate   bool     `json:",omitempty"`
		SocketIO  bool     `json:",omitempty"`
		Greeting  string   `json:",omitempty"`
		Greetings int      `json:",omitempty"`
		Greet     []string `json:",omitempty"`
	}
	work struct {
		Size     int
		Text     string `json:",omitempty"`
		InFlight int
		Seconds  float64
		Messages int    `json:",omitempty"`
		Fanout   int    `json:",omitempty"`
		Odd      int    `json:",omitempty"`
		OddText  string `json:",omitempty"`

		OddInFlight int `json:",omitempty"`
		Vanish      int `json:",omitempty"`
	}
	outcome struct {
		Messages int
		Seconds  float64
		CPU      int64

		P50, P99, P999 int64

		server int64 // nanoseconds of the server's processor time
	}
)

func (g *generator) connect(t target) error { return g.Call("connect", t, nil) }

func (g *generator) close() error { return g.Call("close", nil, nil) }

// drive loads a server over the open connections.
func (g *generator) drive(s *server, w work) (o outcome, err error) {
	before, err := s.cpu()
	if err != nil {
		return o, err
	}
	if err := g.Call("run", w, &o); err != nil {
		return o, err
	}
	after, err := s.cpu()
	o.server = after - before
	g.busy = max(g.busy, float64(o.CPU)/1e9/o.Seconds)
	return o, err
}

// once connects, drives and disconnects.
func (g *generator) once(s *server, t target, w work) (outcome, error) {
	t.Address = s.address
	if err := g.connect(t); err != nil {
		return outcome{}, err
	}
	defer g.close()
	return g.drive(s, w)
}

// perMessage returns the server's processor time for a message, in microseconds.
func (o outcome) perMessage() float64 { return float64(o.server) / 1e3 / float64(o.Messages) }
