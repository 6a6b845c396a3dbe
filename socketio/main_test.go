package socketio

import (
	"testing"

	"github.com/parleyws/parley/internal/leakcheck"
)

// newServer returns a server whose options are right.
func newServer(tb testing.TB, o *Options) *Server {
	tb.Helper()
	s, err := NewServer(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestMain(m *testing.M) {
	poison = true
	breath = 0
	leakcheck.Main(m)
}
