package main

import (
	"fmt"

	"github.com/parleyws/parley/bench/proc"
	"github.com/parleyws/parley/bench/servers/shell"
)

// A library is a server that is measured.
type library struct {
	name string
	path string   // path of its program, or of its script for Node
	args []string // arguments in addition to those of the work
	node bool
}

// The names of our servers, by what waits for messages: us has what Parley chooses.
const (
	us           = "parley"
	onGoroutines = "parley, goroutines"
	inLoop       = "parley, loop"
	rawInLoop    = "parley, loop, raw" // without net/http
)

const uWS = "uWebSockets"

var (
	parley  = library{name: us, path: "parley"}
	onGo    = library{name: onGoroutines, path: "parley", args: []string{"-shell", shell.Goroutines}}
	looped  = library{name: inLoop, path: "parley", args: []string{"-shell", shell.Loop}}
	rawLoop = library{name: rawInLoop, path: "parley", args: []string{"-shell", shell.Loop, "-raw"}}
	uws     = library{name: uWS, path: "uwebsockets"}
	gorilla = library{name: "gorilla", path: "gorilla"}
	coder   = library{name: "coder", path: "coder"}
	gobwas  = library{name: "gobwas", path: "gobwas"}
	gws     = library{name: "gws", path: "gws"}
	nbio    = library{name: "nbio", path: "nbio"}
	xnet    = library{name: "x/net", path: "xnet"}
	nodeWS  = library{name: "ws (Node)", path: "servers/node/ws.mjs", node: true}
	bare    = library{name: "bare loop", path: "bare"}
)

// A server is a running server process.
type server struct {
	*proc.Process
	name    string
	address string
}

// start starts the server of a library.
func (r *report) start(l library, args ...string) (*server, error) {
	s := &server{name: l.name}
	args = append(args, l.args...)
	name := r.path(l.path)
	if l.node {
		name, args = "node", append([]string{"--expose-gc", l.path}, args...)
	}
	var err error
	if s.Process, err = proc.Start(&s.address, name, args...); err != nil {
		return nil, fmt.Errorf("%s: %w", l.name, err)
	}
	return s, nil
}

// startAll starts the servers of several libraries. It leaves out those that
// are absent.
func (r *report) startAll(libraries []library, args ...string) (all []*server, err error) {
	for _, l := range r.available(libraries) {
		s, err := r.start(l, args...)
		if err != nil {
			stopAll(all)
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func stopAll(all []*server) {
	for _, s := range all {
		s.Stop()
	}
}

func (r *report) available(libraries []library) (can []library) {
	for _, l := range libraries {
		if r.absent[l.name] == "" && (!l.node || r.absent["node"] == "") {
			can = append(can, l)
		}
	}
	return can
}

// cpu returns the processor time that the server has used, in nanoseconds.
func (s *server) cpu() (ns int64, err error) {
	err = s.Call("cpu", nil, &ns)
	return ns, err
}

// memory returns the resident memory of the server, in bytes.
func (s *server) memory() (octets int64, err error) {
	err = s.Call("memory", nil, &octets)
	return octets, err
}
