package socketio

import (
	"flag"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/internal/pipe"
)

// newServer returns a server whose options are right.
func newServer(tb testing.TB, o *Options) *Server {
	tb.Helper()
	s, err := NewServer(InTestLoop(o))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

var inLoop = flag.Bool("loop", false, "have a loop serve the WebSockets")

// InTestLoop returns o, with -loop changed so that a loop serves every WebSocket.
func InTestLoop(o *Options) *Options {
	if !*inLoop {
		return o
	}
	looped := Options{}
	if o != nil {
		looped = *o
	}
	looped.Engine.Loop = &conn.Loop{}
	return &looped
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *inLoop {
		pipe.Loop()
	}
	poison = true
	breathless.Store(true)
	leakcheck.Main(m)
}
