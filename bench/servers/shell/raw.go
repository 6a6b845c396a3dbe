package shell

import (
	"errors"
	"net"

	"github.com/parleyws/parley/conn"
)

// ErrNoServeConns says that this version of Parley serves no connections without net/http.
var ErrNoServeConns = errors.New("this version of Parley has no ServeConns")

type connServer interface{ ServeConns(net.Listener) error }

// HasServeConns reports whether a conn.Server serves connections without net/http.
func HasServeConns() bool {
	_, ok := any(new(conn.Server)).(connServer)
	return ok
}

// ServeConns serves the connections of l without net/http.
func ServeConns(server *conn.Server, l net.Listener) error {
	if s, ok := any(server).(connServer); ok {
		return s.ServeConns(l)
	}
	return ErrNoServeConns
}
