//go:build !unix

package stream

import (
	"net"
	"syscall"
	"time"
)

// rawConn says that sockets can't be tried on this system.
func rawConn(net.Conn) syscall.RawConn { return nil }

// reading has nothing to hold where sockets can't be tried.
type reading struct{}

func (*Stream) readSocket([]byte, bool, bool) (int, bool, error) { return 0, false, nil }
func (*Stream) writeSocket([]byte, bool) (int, error)            { return 0, nil }
func (*Stream) writeAllSocket([]byte, time.Duration) error       { return nil }
