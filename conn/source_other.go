//go:build !unix

package conn

import (
	"net"
	"syscall"
)

// rawConn says that sockets can't be tried on this system.
func rawConn(net.Conn) syscall.RawConn { return nil }

// An attempt has nothing to hold where sockets can't be tried.
type attempt struct {
	n     int
	again bool
}

func (*attempt) start([]byte, bool, bool) {}
func (*source) readSocket() error         { return nil }
func (*source) writeSocket() error        { return nil }
