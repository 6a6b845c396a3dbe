package main

import (
	"errors"
	"net"

	"github.com/parleyws/parley/conn"
)

// serveConns serves the connections of l without net/http, where Parley can.
func serveConns(server *conn.Server, l net.Listener) error {
	if s, ok := any(server).(interface{ ServeConns(net.Listener) error }); ok {
		return s.ServeConns(l)
	}
	return errors.New("this version of Parley has no ServeConns")
}
