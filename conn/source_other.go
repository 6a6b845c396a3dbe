//go:build !unix

package conn

import (
	"net"
	"syscall"
)

// rawConn says that sockets can't be tried on this system.
func rawConn(net.Conn) syscall.RawConn { return nil }

// Attempts have nothing to hold where sockets can't be tried.
type (
	attempt     struct{ n int }
	readAttempt struct {
		attempt
		again bool
	}
)

func (*attempt) start([]byte)                     {}
func (*readAttempt) startRead([]byte, bool, bool) {}
func (*source) readSocket() error                 { return nil }
func (*source) writeSocket() error                { return nil }
