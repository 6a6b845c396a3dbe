//go:build !unix

package conn

import (
	"net"
	"syscall"
)

// rawConn says that sockets can't be tried on this system.
func rawConn(net.Conn) syscall.RawConn { return nil }

// reading has nothing to hold where sockets can't be tried.
type reading struct{}

func (*source) readSocket([]byte, bool, bool) (int, bool, error) { return 0, false, nil }
func (*source) writeSocket([]byte) (int, error)                  { return 0, nil }
