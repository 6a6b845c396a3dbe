//go:build !linux

package conn_test

import (
	"net"
	"testing"
)

// waitSent does nothing: only Linux is asked.
func waitSent(testing.TB, *net.TCPConn) {}
